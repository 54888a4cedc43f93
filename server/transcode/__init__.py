"""Transcoding: from an uploaded file to renditions that a village can play, as durable workflows."""
