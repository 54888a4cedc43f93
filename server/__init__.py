"""The provincial platform: everything people edit, sign and read, room by room (see ARCHITECTURE.md)."""
