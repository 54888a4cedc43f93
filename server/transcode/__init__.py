"""Probe → ladder → verify → store: from a source file to renditions, as durable workflows."""
