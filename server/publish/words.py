"""Changes in plain words. Pure: a Chinese source text and what stands in its places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protocol.times import SHANGHAI, from_text
from server.i18n import N_
from server.publish.changes import Deed, Line, Part

_ITEM = {
    Deed.ADDED: N_("%(at)s 新增《%(title)s》"),
    Deed.REMOVED: N_("%(at)s 取消《%(title)s》"),
    Deed.MOVED: N_("《%(title)s》由 %(at)s 移到 %(to)s"),
    Deed.CHANGED: N_("%(at)s 《%(title)s》有改动"),
}
_WINDOW = {
    Deed.ADDED: N_("%(at)s 新开地方窗口"),
    Deed.REMOVED: N_("%(at)s 关闭地方窗口"),
    Deed.MOVED: N_("地方窗口由 %(at)s 移到 %(to)s"),
    Deed.CHANGED: N_("%(at)s 的地方窗口有改动"),
}
_NOTICE = {
    Deed.ADDED: N_("新增滚动字幕“%(title)s”"),
    Deed.REMOVED: N_("取消滚动字幕“%(title)s”"),
    Deed.MOVED: N_("滚动字幕“%(title)s”改了时间"),
    Deed.CHANGED: N_("滚动字幕“%(title)s”有改动"),
}
_TOPIC = {
    Deed.ADDED: N_("新增专题《%(title)s》"),
    Deed.REMOVED: N_("取消专题《%(title)s》"),
    Deed.MOVED: N_("专题《%(title)s》改了时间"),
    Deed.CHANGED: N_("专题《%(title)s》有改动"),
}
_STUDY = {
    Deed.ADDED: N_("%(at)s 新增学习日"),
    Deed.REMOVED: N_("%(at)s 取消学习日"),
    Deed.MOVED: N_("学习日由 %(at)s 移到 %(to)s"),
    Deed.CHANGED: N_("%(at)s 的学习日有改动"),
}
_FILLER = {
    Deed.ADDED: N_("垫片新增《%(title)s》"),
    Deed.REMOVED: N_("垫片去掉《%(title)s》"),
    Deed.CHANGED: N_("垫片《%(title)s》有改动"),
}
_LIBRARY = {
    Deed.ADDED: N_("点播库新增《%(title)s》"),
    Deed.REMOVED: N_("点播库去掉《%(title)s》"),
    Deed.CHANGED: N_("点播库《%(title)s》有改动"),
}
_PUSH = {
    Deed.ADDED: N_("推送《%(title)s》到站点"),
    Deed.REMOVED: N_("不再推送《%(title)s》"),
    Deed.CHANGED: N_("《%(title)s》的推送有改动"),
}
_SETTINGS = N_("频道或板块设置有改动")

_TEXTS: Mapping[Part, Mapping[Deed, str]] = {
    Part.ITEM: _ITEM,
    Part.WINDOW: _WINDOW,
    Part.NOTICE: _NOTICE,
    Part.TOPIC: _TOPIC,
    Part.STUDY: _STUDY,
    Part.FILLER: _FILLER,
    Part.LIBRARY: _LIBRARY,
    Part.PUSH: _PUSH,
}


def describe(line: Line, titles: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """One change as a source text and its parameters; ``titles`` by edition."""
    text = _TEXTS.get(line.part, {}).get(line.deed, _SETTINGS)
    title = line.text or titles.get(line.edition) or line.edition[:8] or line.id
    return text, {"title": title, "at": wall(line.at), "to": wall(line.to)}


def wall(timestamp: str) -> str:
    """A Timestamp as it is said in the province, ``12-05 19:00``; empty for none."""
    return from_text(timestamp).astimezone(SHANGHAI).strftime("%m-%d %H:%M") if timestamp else ""
