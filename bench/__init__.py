"""Measurements, each against a baseline in the same run: `./yuanbo bench [NAME] [--json]`."""
