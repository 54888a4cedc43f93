"""The database's history, applied by ``server.migrate``."""
