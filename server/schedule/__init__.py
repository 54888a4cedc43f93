"""Channels, slots, windows: rules that people edit, and their resolution into frames and local documents."""
