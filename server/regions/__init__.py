"""The administrative tree 行政区划: its import and look-up."""
