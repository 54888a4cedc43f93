"""What comes back from the stations: ingest of report batches, facts, charts."""
