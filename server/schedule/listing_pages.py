"""节目预告 for everybody, without signing in: find a village, see today and the week, take the listing along.

What is shown is what was published, never a draft. The pages work without a script and may be kept by any cache for
a minute; nothing in them depends on who asks.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flask import Response, make_response, redirect, render_template, request, url_for

from protocol.merge import Listing, Source
from protocol.times import SHANGHAI
from server import clock
from server.errors import NotFound
from server.i18n import N_
from server.schedule import exports, guides, places
from server.schedule.guide import Guide, Line
from server.schedule.listing_files import FileCache, etag
from server.schedule.served import ReadPlane
from server.schedule.times import read_day
from server.web import config, is_english, page_blueprint, public, reading

blueprint = page_blueprint("listings", __name__)
WEEK = 7
KEPT_S = 60
"""How long a cache may show what it has: a publication takes that long to reach the stations anyway."""
_files = FileCache()
_NAMES = {form.extension: name for name, form in exports.FORMS.items()} | {
    name.value: name for name in exports.Format
}


@blueprint.get("/listings")
@public
def find() -> Any:
    """Find a village: type its code, name or initials, or walk down the tree."""
    typed, at = request.args.get("q", "").strip(), request.args.get("at", "").strip()
    with reading() as session:
        found = places.find(session, typed)
        if len(found) == 1:
            return redirect(url_for("listings.region", region=found[0].code))
        children = places.below(session, at or None)
        if not at and len(children) == 1:  # one province: nobody has to choose it
            at = children[0].code
            children = places.below(session, at)
        path = places.path(session, at) if at else []
    page = render_template("listings/find.html", typed=typed, found=found, path=path, children=children)
    return _cacheable(make_response(page))


@blueprint.get("/listings/<region>")
@public
def region(region: str) -> Any:
    """Today and the week of one place, and what plays this minute."""
    now = clock.now()
    today = now.astimezone(SHANGHAI).date()
    with reading() as session:
        path = places.path(session, region)
        plane = ReadPlane(config().read)
        guide = _guide(session, plane, region, today, WEEK)
        documents = plane.documents(region)
        playing = guides.on_air(documents, region, today)
    now_ms = int(now.timestamp() * 1000)
    lines = [_line_view(line, playing.get(line.id), now_ms) for line in guide.lines]
    page = render_template(
        "listings/region.html",
        guide=guide,
        path=path,
        lines=lines,
        today=today,
        now=now.astimezone(SHANGHAI),
        feed=lambda ext, **more: url_for("listings.file", region=region, name=f"listing.{ext}", **more),
        calendar=guide.url.partition("://")[2],
        english=is_english(),
    )
    return _cacheable(make_response(page), KEPT_S // 2)


def _line_view(line: Line, listing: Listing | None, now_ms: int) -> dict[str, Any]:
    """One channel: what plays now and what comes next."""
    on_air = listing.at(now_ms) if listing else None
    current = next((s for s in line.showings if on_air and s.id == on_air.id), None)
    upcoming = next((s for s in line.showings if s.starts_at.timestamp() * 1000 > now_ms), None)
    resting = on_air is not None and on_air.source in (Source.FILL, Source.FILLER)
    done = 0
    if current is not None:
        start = current.starts_at.timestamp() * 1000
        done = round(100 * (now_ms - start) / max(1, current.duration_s * 1000))
    return {
        "line": line,
        "current": current,
        "next": upcoming,
        "resting": resting,
        "done": min(100, max(0, done)),
    }


@blueprint.get("/listings/<region>/<name>")
@public
def file(region: str, name: str) -> Any:
    """The listing as a file: listing.xml (XMLTV), .ics, .m3u8, .rss, .json, .pdf (?paper=A3), .png, .txt."""
    stem, _, extension = name.rpartition(".")
    form = _NAMES.get(extension)
    if form is None or stem not in ("listing", ""):
        raise NotFound(N_("没有这种节目单文件：%(name)s"), name=name)
    first_day = read_day(request.args.get("day"), clock.now())
    days = _number(request.args.get("days"), WEEK)
    paper = exports.paper_of(request.args.get("paper", "A4"))
    plane = ReadPlane(config().read)
    with reading() as session:
        guide = guides.require_published(_guide(session, plane, region, first_day, days))
    key = (config().data, guide.publication, region, guide.full_name, form, first_day, days, paper, guide.url)
    heavy = form in (exports.Format.PDF, exports.Format.PNG)
    data = (
        _files.get(key, lambda: exports.write(guide, form, paper), heavy=heavy)
        if heavy
        else exports.write(guide, form)
    )
    response = make_response(data)
    response.content_type = exports.FORMS[form].media_type
    shown = form in (exports.Format.PDF, exports.Format.PNG, exports.Format.TXT)
    response.headers["Content-Disposition"] = (
        f'{"inline" if shown else "attachment"}; filename="{exports.file_name(guide, form)}"'
    )
    response.headers["Access-Control-Allow-Origin"] = "*"
    return _cacheable(response)


def _guide(session: Any, plane: ReadPlane, region: str, first_day: date, days: int) -> Guide:
    """The published guide. Its time of making is the day's beginning, so that equal listings are equal bytes."""
    made = clock.now().replace(minute=0, second=0, microsecond=0)
    return guides.published_guide(
        session,
        plane,
        region=region,
        first_day=first_day,
        days=days,
        url=config().console_url + url_for("listings.region", region=region),
        media_base=next(iter(config().read_urls), ""),
        now=made,
    )


def _number(text: str | None, otherwise: int) -> int:
    try:
        return int(text) if text else otherwise
    except ValueError:
        return 0  # refused by the service, with the limits named


def _cacheable(response: Response, seconds: int = KEPT_S) -> Response:
    """For shared caches too; asked again with the same ETag, it answers 304 without a body."""
    response.headers["Cache-Control"] = f"public, max-age={seconds}"
    response.set_etag(etag(response.get_data()))
    if response.mimetype == "text/html":
        response.vary.update(("Accept-Language", "Cookie"))
    return response.make_conditional(request)  # type: ignore[return-value]


@blueprint.app_template_filter("day_of_month")
def day_of_month(day: date) -> str:
    """12月5日, or 5 Dec for English readers."""
    return f"{day.day} {day:%b}" if is_english() else f"{day.month}月{day.day}日"


@blueprint.app_template_filter("day_after")
def day_after(day: date, count: int) -> date:
    return day + timedelta(days=count)
