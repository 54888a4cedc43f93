"""Files of one step or execution, linked where another works."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from server.transcode.errors import TranscodeError


class WorkLost(TranscodeError):
    """Files of an earlier execution are not on this machine: the job begins anew."""


def bring(path: Path, folder: Path, *, name: str = "") -> Path:
    """A finished file, linked into another folder. Raises WorkLost where it is gone."""
    here = folder / (name or path.name)
    if path == here:
        return path
    with contextlib.suppress(FileExistsError):
        try:
            os.link(path, here)
        except FileNotFoundError as error:
            raise WorkLost from error
    return here
