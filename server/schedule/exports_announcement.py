"""口播稿: the coming days as somebody reads them over the village loudspeaker. Pure.

Always between 150 and 220 characters however they are counted: with every mark and blank at most :data:`MOST`, letters
alone at least :data:`LEAST`. Dates and times are written as they are spoken
(十二月五日，星期六，晚上七点). What does not fit is left out, group study last; what is short is filled up with what
every listener may hear every week.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import date, datetime

from server.schedule.guide import Guide, Showing

LEAST, MOST = 150, 218
_MOST_MARKS = 40
"""Of a body, so that a text of many short titles still has room for its letters."""
_LONGEST_TITLE = 18
_LONGEST_PLACE = 12
_DIGITS = "零一二三四五六七八九十"
_WEEKDAYS = "一二三四五六日"

_CLOSING = "请大家相互转告，按时收看。"
_PADS = (
    "农闲时候多学一点，种地致富都用得上。",
    "收看地点在村级远程教育站点，进门就能看，不收费用。",
    "站点管理员会提前半小时开门调试，欢迎早些到场。",
    "想看什么节目，可以告诉站点管理员，由村里统一上报。",
    "错过的节目，可以到站点请管理员点播。",
    "家里有老人孩子的，可以一同前来，路上注意安全。",
    "年轻人可以用手机扫一扫站点门口的二维码，随时查看节目预告。",
    "看完节目，欢迎留下来一起讨论，把好经验带回自家地里。",
    "有不明白的地方，可以请辅导员当场讲解，也可以留言提问。",
)


def announcement(guide: Guide) -> str:
    """The text, in one paragraph without a line end."""
    opening = f"{_place(guide.name)}的乡亲们，现在播送节目预告。"
    chosen: list[Showing] = []
    for candidate in _by_importance(guide.showings):
        trial = sorted([*chosen, candidate], key=lambda s: (s.starts_at, s.channel))
        text = opening + _body(trial) + _CLOSING
        if len(text) <= MOST and len(text) - _letters(text) <= _MOST_MARKS:
            chosen = trial
    body = _body(chosen) if chosen else _empty(guide)
    return _filled(opening + body, _CLOSING)


def _filled(text: str, closing: str) -> str:
    for pad in _PADS:
        if _letters(text + closing) >= LEAST:
            break
        if len(text + pad + closing) <= MOST:
            text += pad
    return text + closing


def _empty(guide: Guide) -> str:
    day = spoken_day(guide.first_day)
    return (
        f"从{day}起的{spoken_number(guide.days)}天里，暂时没有安排固定节目，站点照常开放，自动播放科普短片。"
    )


def _by_importance(showings: Sequence[Showing]) -> list[Showing]:
    """Emergencies, group study, premieres and local programmes, then evenings, then the rest; each title once."""

    def rank(s: Showing) -> tuple[int, datetime]:
        if s.source == "emergency":
            return 0, s.starts_at
        if s.is_study:
            return 1, s.starts_at
        if s.starts_at.hour >= 18:
            return (2 if s.premiere or s.place else 3), s.starts_at
        return 4, s.starts_at

    seen: set[str] = set()
    once = []
    for showing in sorted(showings, key=rank):
        title = spoken_title(showing.title)
        if title not in seen:
            seen.add(title)
            once.append(showing)
    return once


def _body(showings: Sequence[Showing]) -> str:
    """A sentence for each day; the day is said once."""
    sentences = []
    days = sorted({s.day for s in showings})
    for day in days:
        parts = [
            f"{spoken_time(s.starts_at)}{'集中学习' if s.is_study else '播出'}《{spoken_title(s.title)}》"
            for s in showings
            if s.day == day
        ]
        sentences.append(f"{spoken_day(day)}，{'，'.join(parts)}。")
    return "".join(sentences)


def _place(name: str) -> str:
    kept = _speakable(name)
    return kept if 0 < len(kept) <= _LONGEST_PLACE else (kept[:_LONGEST_PLACE] or "各位")


def spoken_title(title: str) -> str:
    """What can be said of a title: letters and digits, at most a breath long."""
    kept = _speakable(title)
    if not kept:
        return "专题节目"
    return kept if len(kept) <= _LONGEST_TITLE else kept[: _LONGEST_TITLE - 1] + "等"


def _speakable(text: str) -> str:
    """Letters and digits in the order they are written; marks that join letters stay with them."""
    kept = [c if unicodedata.category(c)[0] in "LN" else " " for c in unicodedata.normalize("NFC", text)]
    words = "".join(kept).split()
    return "".join(f"{word} " if _is_latin(word) else word for word in words).strip()


def _is_latin(word: str) -> bool:
    return word.isascii()


# --- as it is spoken ----------------------------------------------------------------------------------------------------
def spoken_number(number: int) -> str:
    """0–99 as it is spoken: 十二, 二十, 三十一."""
    if number <= 10:
        return _DIGITS[number]
    tens, ones = divmod(number, 10)
    return ("" if tens == 1 else _DIGITS[tens]) + "十" + (_DIGITS[ones] if ones else "")


def spoken_day(day: date) -> str:
    return f"{spoken_number(day.month)}月{spoken_number(day.day)}日，星期{_WEEKDAYS[day.weekday()]}"


def spoken_time(moment: datetime) -> str:
    """凌晨 before five, 早上 before eight, 上午, 中午 at twelve, 下午, 晚上 from six; 七点半, 七点零五分."""
    hour, minute = moment.hour, moment.minute
    part = next(name for until, name in _PARTS if hour < until)
    said = {2: "两", 0: "零"}.get(
        hour % 12 if hour > 12 else hour, spoken_number(hour % 12 if hour > 12 else hour)
    )
    if minute == 0:
        return f"{part}{said}点"
    if minute == 30:
        return f"{part}{said}点半"
    return f"{part}{said}点{'零' if minute < 10 else ''}{spoken_number(minute)}分"


_PARTS = ((5, "凌晨"), (8, "早上"), (12, "上午"), (13, "中午"), (18, "下午"), (24, "晚上"))


# --- counting -----------------------------------------------------------------------------------------------------------
def _letters(text: str) -> int:
    return sum(1 for c in text if unicodedata.category(c)[0] in "LN")
