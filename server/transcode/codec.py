"""Results of steps as text, so that a durable workflow can keep them: JSON, paths relative to the job's folder.

Relative, because the folder may be mounted elsewhere on the machine that continues the work.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def pack(value: object, base: Path) -> str:
    """The value as JSON; every path in it must lie below ``base``."""

    def hook(one: Any) -> Any:
        if isinstance(one, Path):
            return str(one.relative_to(base))
        if isinstance(one, Fraction):
            return f"{one.numerator}/{one.denominator}"
        raise NotImplementedError(f"cannot keep a {type(one).__name__}")

    return msgspec.json.encode(value, enc_hook=hook).decode()


def unpack(text: str, kind: type[T], base: Path) -> T:
    """The value again. Raises msgspec.ValidationError when the text is of another shape (an older version's)."""

    def hook(wanted: type, one: Any) -> Any:
        if issubclass(wanted, Path):
            return base / one
        if wanted is Fraction:
            return Fraction(one)
        raise NotImplementedError(f"cannot restore a {wanted}")

    return msgspec.json.decode(text, type=kind, dec_hook=hook)
