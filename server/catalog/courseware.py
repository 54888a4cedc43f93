"""课件: what is courseware, by its first bytes. Pure."""

from __future__ import annotations

PDF_MARK = b"%PDF-"
ZIP_MARK = b"PK\x03\x04"
OLE_MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""PowerPoint before 2007."""


def is_courseware(head: bytes, filename: str) -> bool:
    """Whether a file is made into pages before it is encoded: PDF, PowerPoint, or a packed 三分屏 folder."""
    return (
        PDF_MARK in head[:1024]
        or head.startswith(ZIP_MARK)
        or (head.startswith(OLE_MARK) and filename.lower().endswith((".ppt", ".pps")))
    )
