"""Reading the text of stored objects: subtitles as they are, attachments where they are text."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable

from server.storage import Store, media_key

log = logging.getLogger(__name__)

MOST_BYTES = 50_000_000
MOST_TEXT_BYTES = 8_000_000
PDF_TIMEOUT_S = 20


def reader(store: Store, *, pdf: bool = False) -> Callable[[str], str | None]:
    """``read(sha256)``: the object's text, or None where it has none. PDFs only with ``pdf``: each costs a process."""

    def read(sha256: str) -> str | None:
        data = _bytes(store, sha256)
        if data is None:
            return None
        if data.startswith(b"%PDF"):
            return pdf_text(data) if pdf else None
        if len(data) > MOST_TEXT_BYTES or b"\0" in data[:4096]:
            return None
        return data.decode("utf-8", "replace")

    return read


def _bytes(store: Store, sha256: str) -> bytes | None:
    found = bytearray()
    try:
        for chunk in store.chunks(media_key(sha256)):
            found += chunk
            if len(found) > MOST_BYTES:
                return None
    except (FileNotFoundError, ValueError):
        return None
    return bytes(found)


def pdf_text(data: bytes) -> str | None:
    """The words of a PDF, read by a process of its own with little memory and time: files from outside are hostile."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "server.catalog.pdftext"],
            input=data,
            capture_output=True,
            timeout=PDF_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        log.warning("reading the words of a PDF took too long")
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
