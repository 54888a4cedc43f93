"""Marking texts for translation where Flask is not at hand.

Source texts are Chinese; English stands in ``translations/en``. ``N_`` marks a text that is translated later, when
somebody's language is known.
"""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path


def N_(text: str) -> str:
    """The text itself, found by the extraction of messages."""
    return text


def english(text: str, params: Mapping[str, object] | None = None) -> str:
    """A source text in English with its places filled, for what is stored in both languages."""
    translated = _english().gettext(text)
    return translated % params if params else translated


@lru_cache(maxsize=1)
def _english() -> gettext.NullTranslations:
    return gettext.translation("messages", Path(__file__).parent / "translations", ["en"], fallback=True)
