"""``python -m client_agent``: the same commands as ``./yuanbo agent``."""

from __future__ import annotations

import sys

from client_agent.cli import main

if __name__ == "__main__":
    sys.exit(main())
