"""意见与报修: what somebody in front of the set says with three presses: a fault, a word on a programme, the month's form.

All of it is picked from short lists, so that nobody has to type. What goes to the province stands in Chinese, whatever
language the page shows: it is read there.
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from client_agent.book import Book
from client_agent.routes import Refused, TvParts
from protocol.batch import Fault, Voice, VoiceKind
from protocol.documents import Sha256Hex
from protocol.faults import FAULT_NAMES, SeenFault
from protocol.times import day_of_ms

FAULT_AGAIN_MS = 10 * 60_000
"""The same fault said twice within this is one fault."""
Json = dict[str, Any]


class Opinion(StrEnum):
    """A word on a programme, or on a section."""

    LONG = "long"
    FAST = "fast"
    MORE = "more"
    GOOD = "good"


OPINIONS: dict[Opinion, str] = {
    Opinion.LONG: "节目太长",
    Opinion.FAST: "讲得太快",
    Opinion.MORE: "想多看这个板块",
    Opinion.GOOD: "节目很好",
}

NEEDS: dict[str, str] = {
    "crops": "种植技术",
    "animals": "养殖技术",
    "market": "市场行情和销路",
    "policy": "惠农政策",
    "law": "法律常识",
    "health": "健康知识",
    "opera": "戏曲文艺",
    "none": "没有",
}
ADVICE: dict[str, str] = {
    "local": "多些本地的节目",
    "short": "节目短一些",
    "slow": "讲得慢一些、浅一些",
    "evening": "晚上多播一些",
    "season": "按农时早一点播",
    "expert": "请专家来讲课",
    "none": "没有",
}
PROBLEMS: dict[str, str] = {
    "few": "来看的人少",
    "line": "网络慢，节目下不来",
    "set": "设备旧了或坏了",
    "place": "地方小、冬天冷",
    "time": "没有人手、没有时间",
    "none": "没有",
}
"""需求, 建议, 问题: what the month's form offers to pick, one of each."""


class FaultReport(msgspec.Struct, frozen=True):
    """Something does not work here."""

    code: SeenFault


class OpinionSaid(msgspec.Struct, frozen=True):
    """A word on a programme (``release``), or that more of a section is wanted."""

    what: Opinion
    release: Sha256Hex | None = None
    section: Annotated[str, Meta(max_length=40)] = ""


class MonthForm(msgspec.Struct, frozen=True):
    """The month's feedback: a key of each list."""

    need: str
    advice: str
    problem: str


def report_fault(parts: TvParts, said: FaultReport) -> Json:
    """Note a fault; once in ten minutes, however often it is pressed."""
    now_ms = parts.now_ms()
    before = fault_ms(parts.book, said.code)
    if before is None or not 0 <= now_ms - before < FAULT_AGAIN_MS:
        parts.outbox.append(Fault, code=said.code, text=FAULT_NAMES[said.code].zh)
        parts.book.keep_note(_fault_note(said.code), str(now_ms))
    return told(parts)


def say_opinion(parts: TvParts, said: OpinionSaid) -> Json:
    """Note a word on a programme or a section. Raises Refused for a programme nobody knows."""
    fields: Json = {"section": said.section}
    if said.release is not None:
        manifest = parts.guide.manifest(said.release)
        if manifest is None:
            raise Refused(HTTPStatus.NOT_FOUND, "release")
        fields = {
            "programme": manifest.programme,
            "edition": manifest.edition,
            "title": manifest.title,
            "section": manifest.section,
        }
    elif not said.section:
        raise Refused(HTTPStatus.BAD_REQUEST, "nothing")
    parts.outbox.append(Voice, says=VoiceKind.OPINION, text=OPINIONS[said.what], **fields)
    return told(parts)


def fill_month(parts: TvParts, form: MonthForm) -> Json:
    """The month's form, given again it is told again. Raises Refused for an answer that no list has."""
    try:
        need, advice, problem = NEEDS[form.need], ADVICE[form.advice], PROBLEMS[form.problem]
    except KeyError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "answer") from error
    month = this_month(parts.now_ms())
    parts.outbox.append(
        Voice,
        says=VoiceKind.OPINION,
        text=f"{month} 月度反馈\n需求：{need}\n建议：{advice}\n问题：{problem}",
    )
    parts.book.keep_note(_month_note(month), str(parts.now_ms()))
    return told(parts)


def told(parts: TvParts) -> Json:
    """What the page shows: when each fault was last reported, what may be picked, when this month's form was given."""
    now_ms = parts.now_ms()
    sections = parts.data.library()["sections"]
    return {
        "month": this_month(now_ms),
        "given_ms": month_given_ms(parts.book, now_ms),
        "faults": [{"code": code, "at_ms": fault_ms(parts.book, code)} for code in SeenFault],
        "opinions": list(Opinion),
        "sections": [{"slug": one["slug"], "names": one["names"]} for one in sections],
        "form": {"need": list(NEEDS), "advice": list(ADVICE), "problem": list(PROBLEMS)},
    }


def this_month(now_ms: int) -> str:
    """As 2026-11, in Asia/Shanghai."""
    return day_of_ms(now_ms).isoformat()[:7]


def month_given_ms(book: Book, now_ms: int) -> int | None:
    """When this month's form was last given; None: not yet."""
    return int(book.note(_month_note(this_month(now_ms))) or 0) or None


def fault_ms(book: Book, code: SeenFault) -> int | None:
    """When a fault was last reported from this set; None: never."""
    return int(book.note(_fault_note(code)) or 0) or None


def _month_note(month: str) -> str:
    return f"feedback:{month}"


def _fault_note(code: SeenFault) -> str:
    return f"fault:{code}"
