"""The catalogue: sections, departments, programmes, editions, uploads, review."""
