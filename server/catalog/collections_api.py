"""JSON of what programmes are gathered in: courses and topics."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint
from msgspec import Meta, Struct
from spectree import Response

from protocol.documents import Picture, RegionCode
from protocol.times import Timestamp
from server import clock
from server.catalog import courses, topics, views
from server.catalog.courses import CourseChanges
from server.catalog.topics import TopicChanges
from server.identity.rules import Action
from server.web import Problem, caller, moment, permit, reading, spec, writing

blueprint = Blueprint("catalog_collections_api", __name__)

Text = Annotated[str, Meta(max_length=20_000)]
Ids = Annotated[list[str], Meta(max_length=500)]
Regions = Annotated[list[RegionCode], Meta(max_length=200)]


class ListQuery(Struct, kw_only=True):
    """``q`` is a piece of the title, ``at`` (topics) a moment at which it is shown."""

    q: str | None = None
    at: Timestamp | None = None
    after: str | None = None
    limit: int = 50


# --- courses ----------------------------------------------------------------------------------------------------------
class CourseRequest(Struct, kw_only=True):
    """Fields left out stay as they are; ``programmes`` are ids in order and replace what was there."""

    title: Text | None = None
    summary: Text | None = None
    section: str | None = None
    department: str | None = None
    region: str | None = None
    programmes: Ids | None = None


class CourseList(Struct, kw_only=True):
    items: list[views.CourseView]
    next: str | None


_COURSE = Response(
    HTTP_200=views.CourseView, HTTP_403=Problem, HTTP_404=Problem, HTTP_409=Problem, HTTP_422=Problem
)


@blueprint.post("/api/v1/courses")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(
    resp=Response(HTTP_201=views.CourseView, HTTP_403=Problem, HTTP_409=Problem, HTTP_422=Problem),
    tags=["courses"],
)
def create_course(json: CourseRequest) -> Any:
    """A series of programmes in order."""
    with writing() as session:
        course = courses.create_course(session, caller(), _course(json), now=clock.now())
        return views.course_view(session, course), 201


@blueprint.get("/api/v1/courses")
@permit(Action.CATALOG_VIEW)
@spec.validate(resp=Response(HTTP_200=CourseList), tags=["courses"])
def list_courses(query: ListQuery) -> Any:
    """Courses one may see, newest first."""
    with reading() as session:
        found, following = courses.list_courses(
            session, caller(), q=query.q or "", after=query.after, limit=query.limit
        )
        return CourseList(items=[views.course_view(session, row) for row in found], next=following)


@blueprint.get("/api/v1/courses/<course_id>")
@permit(Action.CATALOG_VIEW)
@spec.validate(resp=Response(HTTP_200=views.CourseView, HTTP_404=Problem), tags=["courses"])
def get_course(course_id: str) -> Any:
    """A course with its programmes."""
    with reading() as session:
        return views.course_view(session, courses.get_course(session, caller(), course_id))


@blueprint.patch("/api/v1/courses/<course_id>")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(resp=_COURSE, tags=["courses"])
def change_course(course_id: str, json: CourseRequest) -> Any:
    """Change what is said of a course, or its programmes and their order."""
    with writing() as session:
        course = courses.change_course(session, caller(), course_id, _course(json), now=clock.now())
        return views.course_view(session, course)


@blueprint.delete("/api/v1/courses/<course_id>")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(resp=Response("HTTP_204", HTTP_403=Problem, HTTP_404=Problem), tags=["courses"])
def remove_course(course_id: str) -> Any:
    """Take a course apart; its programmes stay."""
    with writing() as session:
        courses.remove_course(session, caller(), course_id, now=clock.now())
    return "", 204


def _course(json: CourseRequest) -> CourseChanges:
    return CourseChanges(
        title=json.title,
        summary=json.summary,
        section=json.section,
        department=json.department,
        region=json.region,
        programmes=json.programmes,
    )


# --- topics -----------------------------------------------------------------------------------------------------------
class TopicRequest(Struct, kw_only=True):
    """Fields left out stay as they are. ``regions`` are the targets inside ``region`` (none: all of it)."""

    title: Text | None = None
    summary: Text | None = None
    region: str | None = None
    regions: Regions | None = None
    starts_at: Timestamp | None = None
    until: Timestamp | None = None
    required: bool | None = None
    position: int | None = None
    programmes: Ids | None = None
    poster: Picture | None = None


class TopicList(Struct, kw_only=True):
    items: list[views.TopicView]
    next: str | None


_TOPIC = Response(HTTP_200=views.TopicView, HTTP_403=Problem, HTTP_404=Problem, HTTP_422=Problem)


@blueprint.post("/api/v1/topics")
@permit(Action.CATALOG_WITHDRAW)
@spec.validate(
    resp=Response(HTTP_201=views.TopicView, HTTP_403=Problem, HTTP_404=Problem, HTTP_422=Problem),
    tags=["topics"],
)
def create_topic(json: TopicRequest) -> Any:
    """A promoted collection with a period and target regions."""
    with writing() as session:
        topic = topics.create_topic(session, caller(), _topic(json), now=clock.now())
        return views.topic_view(session, topic), 201


@blueprint.get("/api/v1/topics")
@permit(Action.CATALOG_VIEW)
@spec.validate(resp=Response(HTTP_200=TopicList), tags=["topics"])
def list_topics(query: ListQuery) -> Any:
    """Topics one may see, newest first."""
    at = moment(query.at) if query.at else None
    with reading() as session:
        found, following = topics.list_topics(session, caller(), at=at, after=query.after, limit=query.limit)
        return TopicList(items=[views.topic_view(session, row) for row in found], next=following)


@blueprint.get("/api/v1/topics/<topic_id>")
@permit(Action.CATALOG_VIEW)
@spec.validate(resp=Response(HTTP_200=views.TopicView, HTTP_404=Problem), tags=["topics"])
def get_topic(topic_id: str) -> Any:
    """A topic with its programmes."""
    with reading() as session:
        return views.topic_view(session, topics.get_topic(session, caller(), topic_id))


@blueprint.patch("/api/v1/topics/<topic_id>")
@permit(Action.CATALOG_WITHDRAW)
@spec.validate(resp=_TOPIC, tags=["topics"])
def change_topic(topic_id: str, json: TopicRequest) -> Any:
    """Change what is said of a topic, or its programmes and their order."""
    with writing() as session:
        topic = topics.change_topic(session, caller(), topic_id, _topic(json), now=clock.now())
        return views.topic_view(session, topic)


@blueprint.post("/api/v1/topics/<topic_id>/end")
@permit(Action.CATALOG_WITHDRAW)
@spec.validate(resp=_TOPIC, tags=["topics"])
def end_topic(topic_id: str) -> Any:
    """Take a topic off before its time."""
    with writing() as session:
        return views.topic_view(session, topics.end_topic(session, caller(), topic_id, now=clock.now()))


def _topic(json: TopicRequest) -> TopicChanges:
    return TopicChanges(
        title=json.title,
        summary=json.summary,
        region=json.region,
        regions=json.regions,
        starts_at=moment(json.starts_at) if json.starts_at else None,
        until=moment(json.until) if json.until else None,
        required=json.required,
        position=json.position,
        programmes=json.programmes,
        poster=json.poster,
    )
