"""Which texts count as texts that somebody reads, and what the checks say of them."""

from __future__ import annotations

from jinja2 import Environment

from tools.templates import bare_texts
from tools.translations import python_texts

SOURCE = '''
"""模块说明"""
from server.i18n import N_
TITLE = N_("标题")
LOG = "日志里的话"

def act():
    if TITLE:
        raise Refused("文件 %(name)s 不是视频", name="x", code="not_media")
    return ngettext("%(num)d 个节目", "%(num)d 个节目们", 3)
'''


def test_marked_texts_and_texts_of_raised_errors_are_in_use_and_others_are_not():
    assert sorted(text for _line, text in python_texts(SOURCE) if isinstance(text, str)) == [
        "文件 %(name)s 不是视频",
        "标题",
    ]
    assert [text for _line, text in python_texts(SOURCE) if isinstance(text, tuple)] == [
        ("%(num)d 个节目", "%(num)d 个节目们")
    ]


def bare(source: str) -> list[tuple[int, str]]:
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    return list(bare_texts(environment, source))


def test_chinese_in_a_page_must_pass_through_a_translation():
    assert bare("<p>{{ _('节目') }} {% trans %}共{{ n }}个{% endtrans %} {# 说明 #}</p>") == []
    assert bare("<p>\n节目</p>") == [(2, "节目</p>")]
    assert bare("<a title='节目'>x</a>") == [(1, "<a title='节目'>x</a>")]
    assert bare("{{ '节目' if x else _('没有') }}") == [(1, "节目")]
    assert bare("{{ _('共 %(n)s 个', n='节目') }}") == []
