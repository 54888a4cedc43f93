"""The catalogue and the schedule as signed documents: building, signing, publishing, recall."""
