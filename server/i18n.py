"""Marking texts for translation where Flask is not at hand.

Source texts are Chinese; English stands in ``translations/en``. ``N_`` marks a text that is translated later, when
somebody's language is known.
"""

from __future__ import annotations


def N_(text: str) -> str:
    """The text itself, found by the extraction of messages."""
    return text
