"""The words on paper, in both languages; Chinese first."""

from __future__ import annotations

from datetime import date

WORDS: dict[str, dict[str, str]] = {
    "zh": {
        "poster": "节目预告", "poster_span": "{0}　{1} 至 {2}", "study": "集中学习", "must": "必看", "number": "{0} 号", "nothing": "节目安排以电视上的节目单为准",
        "poster_foot": "想看别的节目：遥控器按“确认”选“点播”，或直接按节目号。放过的节目七天内在“回看”里还能看。", "keys": "OK 打印　　▲ ▼ 翻看　　返回 回到电视",
        "log": "收看记录", "log_span": "{0}", "month": "{0} 年 {1} 月", "printed": "打印于 {0}", "date": "日期", "span": "起止", "what": "节目（编号）", "section": "板块", "how": "方式", "heads": "应到 / 实到", "members": "党员 / 群众", "led": "组织", "talk": "讨论", "remark": "问题、更正", "source": "来源", "checked": "核对",
        "group": "集中", "chosen": "非集中", "programmes": "自选收看 {0} 个", "minutes": "{0} 分", "auto": "自动", "manual": "手工", "late": "迟录 {0} {1}：{2}", "void": "不算", "uncertain": "时间不确定", "nobody": "未登录", "sum": "合计：集中学习 {0} 次，{1} 分钟，{2} 人次；播放共 {3} 分钟；迟录 {4} 条",
        "signed": "管理员 A：____________　　管理员 B：____________", "stamp": "（盖章）", "empty": "本月还没有记录。",
    },
    "en": {
        "poster": "This week", "poster_span": "{0}, {1} to {2}", "study": "Group study", "must": "required", "number": "No. {0}", "nothing": "See the listing on the television",
        "poster_foot": "Something else: press OK and choose Library, or type the number of a programme. What was on air stays in Catch-up for seven days.", "keys": "OK print    ▲ ▼ scroll    Back to the television",
        "log": "Station log", "log_span": "{0}", "month": "{1}/{0}", "printed": "printed {0}", "date": "Date", "span": "From–to", "what": "Programme (number)", "section": "Section", "how": "How", "heads": "Expected / present", "members": "Members / public", "led": "Led by", "talk": "Talk", "remark": "Remarks, corrections", "source": "Source", "checked": "Checked",
        "group": "group", "chosen": "chosen", "programmes": "{0} programmes chosen", "minutes": "{0} min", "auto": "automatic", "manual": "by hand", "late": "late entry {0} {1}: {2}", "void": "does not count", "uncertain": "time uncertain", "nobody": "not signed in", "sum": "In all: {0} study sessions, {1} minutes, {2} people; {3} minutes played; {4} late entries",
        "signed": "Administrator A: ____________    Administrator B: ____________", "stamp": "(stamp)", "empty": "Nothing this month yet.",
    },
}  # fmt: skip
WHY: dict[str, tuple[str, str]] = {
    "miscounted": ("数错了", "miscounted"), "came_later": ("后来又来了人", "more came later"), "not_called": ("当时没点名", "no roll was called"),
    "trial": ("试机", "a trial"), "wrong_key": ("按错了", "a wrong key"), "nobody": ("没有人看", "nobody watched"), "other": ("其他", "other"),
    "power_cut": ("停电", "power cut"), "box_broken": ("盒子或电视坏了", "box or set broken"), "disc": ("用光盘、别的设备学的", "from a disc"),
    "elsewhere": ("在别的地方学的", "held elsewhere"), "remark": ("备注", "remark"), "hard": ("听不懂", "hard to follow"), "long": ("太长", "too long"),
    "again": ("想再看一遍", "to be seen again"), "expert": ("想请专家来讲", "an expert is wanted"), "set": ("设备有毛病", "the set has a fault"),
    "phone": ("手机补点名", "called late by phone"), "few": ("来的人少", "few came"), "good": ("没有问题，效果好", "no problem, went well"),
}  # fmt: skip
"""Reasons and remarks of late entries, as desk-logbook.js says them."""
_WEEKDAYS = {
    "zh": "一二三四五六日",
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}


def say(lang: str, word: str, *values: object) -> str:
    return WORDS[lang][word].format(*values)


def why(lang: str, word: str) -> str:
    found = WHY.get(word)
    return found[lang == "en"] if found else word


def day_words(lang: str, day: date) -> tuple[str, str]:
    """The date, and its weekday."""
    if lang == "en":
        return f"{day.day}/{day.month}", _WEEKDAYS["en"][day.weekday()]
    return f"{day.month}月{day.day}日", f"星期{_WEEKDAYS['zh'][day.weekday()]}"
