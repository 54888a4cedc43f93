"""Guides to export, and a read plane to read them from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from protocol.documents import encode
from protocol.merge import Source
from protocol.times import SHANGHAI
from server.readplane import metadata_folder, target_path
from server.schedule.guide import Guide, Line, Showing, plain

VILLAGE = "130123105201"
FIRST = date(2026, 12, 5)
TITLES = (
    "三会一课怎么开", "冬小麦返青管理", "一周菜价", "惠农补贴解读", "温室黄瓜病害", "农村安全用电", "四议两公开图解",
    "板栗丰产栽培", "河北梆子选段", "农村医保办理", "蛋鸡春季防疫", "防电信诈骗", "先进支部巡礼", "苹果冬剪",
    "太行新村纪行", "电商开店入门", "农产品分级包装", "井陉拉花", "返乡创业第一课", "防汛避险", "蔚县剪纸",
)  # fmt: skip
HOSTILE = (
    "]]></title><x>",
    "<b>&amp; \"quotes\" 'and' &",
    "bell\x07 null\x00 escape\x1b[31m",
    "line\r\nend\nBEGIN:VEVENT\u2028more\u2029\x85",
    '=HYPERLINK("http://x",1)',
    "\u202egpj.exe\u202c right-to-left \u2066x\u2069",
    "مرحبا بالعالم שלום",
    "👨‍👩‍👧 🎉 😀",
    "长" * 200,
    "a;b,c\\d:e",
    "   ",
    "﷽\ufeff\u200b",
    "%s%d{x}",
)


def showing(number: int, at: datetime, title: str, *, minutes: int = 25, **more: object) -> Showing:
    fields: dict[str, object] = {"source": Source.FRAME, "channel": "main", "section": "党建时政", **more}
    return Showing(
        id=f"item-{number}",
        starts_at=at,
        ends_at=at + timedelta(minutes=minutes),
        title=plain(title, 200) or "节目",
        **fields,  # type: ignore[arg-type]
    )


def week(titles: Sequence[str] = TITLES, first: date = FIRST, **more: object) -> Guide:
    """Three programmes a day at 09:00, 15:00 and 19:00; the fifteenth is group study."""
    showings = [
        showing(
            i,
            datetime.combine(first + timedelta(days=i // 3), time((9, 15, 19)[i % 3]), SHANGHAI),
            title,
            required=i == 14,
        )
        for i, title in enumerate(titles)
    ]
    return guide(showings, first, **more)


def guide(showings: Sequence[Showing], first: date = FIRST, **more: object) -> Guide:
    fields: dict[str, object] = {
        "region": VILLAGE,
        "name": "曲阳桥村",
        "full_name": "河北省石家庄市正定县曲阳桥镇曲阳桥村",
        "days": 7,
        "publication": 12,
        "url": f"https://yuanbo.example/listings/{VILLAGE}",
        "made_at": datetime(2026, 12, 5, 0, 0, tzinfo=UTC),
        **more,
    }
    line = Line("main", "综合频道", "General channel", tuple(showings))
    return Guide(first_day=first, lines=(line,), **fields)  # type: ignore[arg-type]


def serve(read: Path, number: int, roles: Mapping[str, Mapping[str, object]]) -> None:
    """Lay documents by role and target onto a read plane, as publication ``number``."""
    metadata = metadata_folder(read)
    metadata.mkdir(parents=True, exist_ok=True)
    for role, documents in roles.items():
        targets = {}
        for target, document in documents.items():
            data = encode(document)  # type: ignore[arg-type]
            sha256 = hashlib.sha256(data).hexdigest()
            path = target_path(read, target, sha256)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            targets[target] = {"length": len(data), "hashes": {"sha256": sha256}}
        _write(metadata / f"{number}.{role}.json", {"version": number, "targets": targets})
    meta = {f"{role}.json": {"version": number} for role in roles}
    _write(metadata / f"{number}.snapshot.json", {"version": number, "meta": meta})
    _write(metadata / "timestamp.json", {"version": number, "meta": {"snapshot.json": {"version": number}}})


def _write(path: Path, signed: object) -> None:
    path.write_text(json.dumps({"signatures": [], "signed": signed}))
