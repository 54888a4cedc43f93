"""What crosses between the province and a terminal: typed messages and the rules both sides must agree on.

Both ``server`` and ``client_agent`` import this package; it imports neither. Everything here is pure:
no clock, no database, no network. Signing and verification take keys as arguments.
"""
