"""频道设置: a channel's logo, its next-programme card, and what fills its gaps."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from server.catalog import service as catalog
from server.errors import Forbidden, Invalid
from server.i18n import N_
from server.identity.rules import Action
from server.schedule import further, service
from server.schedule.logos import MOST_BYTES, keep_logo
from server.schedule.models import Channel
from server.schedule.rules_pages import Refused, answer, labelled, number, seen_version, show, tried
from server.storage import media_key
from server.web import caller, page_blueprint, permit, reading, store

blueprint = page_blueprint("channel_settings", __name__)

MOST_ADDED = 5


@dataclass(frozen=True)
class Settings:
    """A channel with its fillers; what is refused of ``<id>-fillers`` or ``<id>-logo`` is said beside that form."""

    channel: Channel
    fillers: service.FillerChoice


@blueprint.get("/schedule/rules/channels")
@permit(Action.SCHEDULE_VIEW)
def channels() -> str:
    """Every channel and its settings."""
    return _page(None)


def _page(refused: Refused | None) -> str:
    who = caller()
    with reading() as session:
        found = [Settings(line, service.fillers(session, line.id)) for line in service.channels(session)]
        chosen = {programme for line in found for programme in line.fillers.programmes}
        may_set = who.can(Action.SCHEDULE_EDIT, "13")
        ids = [line.channel.id for line in found]
        return show(
            session,
            "schedule/rules/channels.html",
            who,
            refused=refused,
            known={*ids, *(f"{name}-fillers" for name in ids), *(f"{name}-logo" for name in ids)},
            codes=(),
            lines_of=found,
            shelves=labelled(catalog.sections(session)),
            choices=service.choices(session) if may_set else [],
            titles=further.titles(session, chosen),
            may_set=may_set,
            most_added=MOST_ADDED,
        )


@blueprint.get("/schedule/rules/channels/<channel>/logo")
@permit(Action.SCHEDULE_VIEW)
def logo(channel: str) -> Response:
    """The logo as it goes to stations; 404 where there is none."""
    with reading() as session:
        line = next((line for line in service.channels(session) if line.id == channel), None)
    if line is None or not line.logo_sha256:
        return Response(status=404)
    return Response(b"".join(store().chunks(media_key(line.logo_sha256))), mimetype="image/png")


@blueprint.post("/schedule/rules/channels/<channel>")
@permit(Action.SCHEDULE_EDIT)
def change(channel: str) -> Response:
    """Change the next-programme card and how soon a filler may come again."""

    def changed(session: Session) -> object:
        return service.set_channel(
            session, caller(), channel, version=seen_version(), next_card_ms=number("card_s", 8) * 1000,
            no_repeat_min=number("no_repeat_min", 30),
        )  # fmt: skip

    return _answer(tried(channel, changed), _("已修改；发布后送达站点"))


@blueprint.post("/schedule/rules/channels/<channel>/logo")
@permit(Action.SCHEDULE_EDIT)
def set_logo(channel: str) -> Response:
    """Give a channel its logo."""

    def changed(session: Session) -> object:
        who = caller()
        if not who.can(Action.SCHEDULE_EDIT, "13"):
            raise Forbidden(N_("频道设置由省级编辑修改"))
        sent = request.files.get("logo")
        if sent is None or not sent.filename:
            raise Invalid(N_("请选择一个图片文件"), code="picture")
        picture = keep_logo(store(), sent.stream.read(MOST_BYTES + 1))
        return service.set_channel(session, who, channel, version=seen_version(), logo=picture)

    return _answer(tried(f"{channel}-logo", changed), _("台标已更换；发布后送达站点"))


@blueprint.post("/schedule/rules/channels/<channel>/fillers")
@permit(Action.SCHEDULE_EDIT)
def set_fillers(channel: str) -> Response:
    """Choose what fills the gaps: programmes and whole sections, each with its weight; 0 leaves it out."""

    def changed(session: Session) -> None:
        weights = _weights("programme", "weight")
        service.set_channel(session, caller(), channel, version=seen_version())
        service.set_fillers(
            session, caller(), channel, list(weights), weights=weights,
            sections=_weights("section", "section_weight"),
        )  # fmt: skip

    return _answer(tried(f"{channel}-fillers", changed), _("垫片已定；发布后送达站点"))


def _weights(name: str, weight: str) -> dict[str, int]:
    """The rows of the form that name something and give it weight. Raises Invalid."""
    names, weights = request.form.getlist(name), request.form.getlist(weight)
    if len(names) != len(weights) or not all(
        text.isascii() and text.isdigit() and len(text) < 3 for text in weights
    ):
        raise Invalid(N_("垫片的权重须在 1 到 9 之间"), code="weight")
    return {key: int(text) for key, text in zip(names, weights, strict=True) if key and int(text)}


def _answer(refused: Refused | None, said: str) -> Response:
    return answer(refused, _page, "channel_settings.channels", said)
