"""One film in a process of its own: `python -m server.console.films TITLE FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from server.console.films import FilmNotMade, make


def main(title: str, folder: str) -> int:
    try:
        make(title, Path(folder))
    except FilmNotMade as error:
        sys.stderr.write(f"{title}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
