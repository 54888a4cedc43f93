"""The whole way from a source file to verified renditions, without any database: a list of named steps.

    inspect ─► plan ─► encode ─► assemble ─► check

Each step takes what the earlier ones returned; the durable workflow in `workflow.py` runs the same steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from server.catalog.cuttime import FRAME_MS, CutTime
from server.transcode import encode, ladder, pictures, sound, subtitles, verify
from server.transcode.assemble import step_assemble
from server.transcode.encode import Clip, OnFrames, Pictures, Scene
from server.transcode.errors import MediaRefused, OutputBroken, Reason
from server.transcode.files import bring
from server.transcode.ladder import Plan, Role, Span
from server.transcode.loudness import Loudness
from server.transcode.probe import inspect
from server.transcode.profiles import DEFAULT_PROFILES, Profile
from server.transcode.results import (
    Checked,
    Cut,
    Encoded,
    Prepared,
    Produced,
    ProducedRendition,
    Progress,
    Sound,
)
from server.transcode.runner import IsCancelled, never

STEPS = ("inspect", "plan", "encode", "assemble", "check")
CHECKS_AT_ONCE = 2
ENDS_AT_PERCENT = {"inspect": 1.0, "plan": 2.0, "encode": 86.0, "assemble": 88.0, "check": 98.0}


OnProgress = Callable[[Progress], None]


def nobody_watches(_progress: Progress) -> None:
    """The ``on_progress`` of work that nobody watches."""


def produce(
    source: Path,
    work: Path,
    *,
    name: str = "",
    cut: Cut | None = None,
    profiles: Sequence[Profile] = DEFAULT_PROFILES,
    on_progress: OnProgress = nobody_watches,
    is_cancelled: IsCancelled = never,
) -> Produced:
    """Make and verify all renditions and companions of ``source`` under ``cut`` inside the folder ``work``.

    Raises MediaRefused (the file), Cancelled, OutputBroken, ToolFailed or ToolTimedOut (us).
    """
    cut = cut or Cut()
    sources = {Role.INTRO: cut.intro, Role.MAIN: source, Role.OUTRO: cut.outro}
    prepared, folders = {}, {}
    for role, path in sources.items():
        if path is not None:
            folders[role] = work if role is Role.MAIN else work / role.value
            called = (name or path.name) if role is Role.MAIN else path.name
            prepared[role] = step_inspect(path, folders[role], name=called, is_cancelled=is_cancelled)
    on_progress(done("inspect"))
    plans = step_plan(prepared, cut.kept_ms, profiles)
    on_progress(done("plan"))
    clips = [
        Clip(role, Scene(folders[role], prepared[role].probe, is_cancelled), one)
        for role, one in plans.items()
    ]
    encoded = step_encode(clips, prepared, on_progress)
    on_progress(done("encode"))
    main = main_clip(clips)
    assembled = step_assemble(main, encoded)
    on_progress(done("assemble"))
    checked = step_check(clips, assembled.renditions, complaints=encoded.complaints)
    on_progress(Progress("check", 100.0))
    return Produced(
        main.scene.probe,
        main.plan,
        checked.renditions,
        assembled.files,
        main.plan.duration_ms,
        encoded.loudness,
        checked.loudness,
    )


def main_clip(clips: Sequence[Clip]) -> Clip:
    """The clip that the programme is about."""
    return next(clip for clip in clips if clip.role is Role.MAIN)


def done(step: str) -> Progress:
    """The progress when a step has ended."""
    return Progress(step, ENDS_AT_PERCENT[step])


def step_inspect(source: Path, folder: Path, *, name: str, is_cancelled: IsCancelled) -> Prepared:
    """Accept or refuse the file and look at its frames; afterwards it lies linked in ``folder``."""
    probe = inspect(source, folder, name=name, is_cancelled=is_cancelled)
    return Prepared(probe, encode.looks_interlaced(Scene(folder, probe, is_cancelled)))


def step_plan(
    prepared: Mapping[Role, Prepared], kept_ms: Sequence[tuple[int, int]], profiles: Sequence[Profile]
) -> dict[Role, Plan]:
    """Decide what is made. Pure."""
    return ladder.compose(
        {
            role: ladder.plan(
                one.probe, profiles, interlaced=one.interlaced, kept_ms=kept_ms if role is Role.MAIN else ()
            )
            for role, one in prepared.items()
        }
    )


def step_encode(clips: Sequence[Clip], prepared: Mapping[Role, Prepared], on_progress: OnProgress) -> Encoded:
    """Encode all pictures, posters and the storyboard in one decode of each clip; beside it the sound."""
    main, made, behind = main_clip(clips), list[Pictures](), 0
    watch = watch_frames(main.plan, on_progress)
    with ThreadPoolExecutor(1, "sound") as beside:
        sound = beside.submit(encode_sound, clips, prepared)
        for number, clip in enumerate(clips):
            whole = Span(0, clip.plan.frames)
            seen = shifted(watch, behind)
            made.append(encode_clip(clip, whole, part=number, on_frames=seen, into=main.scene.folder))
            behind += clip.plan.frames
        sounds = sound.result()
    return join_parts(made, sounds)


def shifted(watch: OnFrames, behind: int) -> OnFrames:
    """The same watcher for a clip that begins after ``behind`` frames."""
    return lambda frames, fps: watch(behind + frames, fps)


def encode_clip(
    clip: Clip, span: Span, *, part: int, on_frames: OnFrames = encode.no_frames, into: Path
) -> Pictures:
    """Encode a span of a clip; its files then lie in the folder ``into`` too."""
    if clip.scene.probe.video is None:
        pictures.make_card(clip.scene)
    made = encode.encode_pictures(clip.scene, clip.plan, span, part=part, on_frames=on_frames)
    return Pictures(
        {profile: bring(path, into) for profile, path in made.parts.items()},
        tuple(bring(path, into) for path in made.posters),
        tuple(bring(path, into) for path in made.tiles),
        made.complaints,
    )


def encode_sound(clips: Sequence[Clip], prepared: Mapping[Role, Prepared]) -> Sound:
    """Measure each clip's sound, encode the programme's once per bitrate, and take out the subtitles."""
    main, loudness = main_clip(clips), dict[Role, Loudness | None]()
    around: dict[Role, Path] = {}
    for clip in clips:
        known, plan = prepared[clip.role], clip.plan
        if known.heard and plan.frames == plan.source_frames:
            loudness[clip.role] = known.loudness
        else:
            loudness[clip.role] = sound.measure_sound(clip.scene, plan)
        if clip is not main:
            wav = sound.decode_sound(clip.scene, plan, loudness[clip.role])
            around[clip.role] = bring(wav, main.scene.folder, name=f"sound-{clip.role}.wav")
    files = sound.encode_sound(
        main.scene,
        main.plan,
        loudness[Role.MAIN],
        before=around.get(Role.INTRO),
        after=around.get(Role.OUTRO),
    )
    return Sound(loudness[Role.MAIN], files, _subtitles(main))


def _subtitles(main: Clip) -> dict[str, Path]:
    """The text subtitles inside the source, in the time of the cut."""
    found, plan = subtitles.extract_subtitles(main.scene), main.plan
    if plan.total != plan.source_frames:
        kept = [(span.first * FRAME_MS, span.last * FRAME_MS) for span in plan.kept]
        cut = CutTime(kept, plan.offset * FRAME_MS)
        for path in found.values():
            path.write_text(subtitles.retime(path.read_text("utf-8", "replace"), cut.spans), "utf-8")
    return found


def watch_frames(plan: Plan, on_progress: OnProgress) -> OnFrames:
    """Progress of the encoding from the frames that are done."""
    from_percent, to_percent = ENDS_AT_PERCENT["plan"], ENDS_AT_PERCENT["encode"]

    def on_frames(frames: int, fps: float) -> None:
        share = min(frames / plan.total, 1.0)
        eta_s = round((plan.total - frames) / fps * 1.15) if fps > 0 else None
        on_progress(Progress("encode", from_percent + share * (to_percent - from_percent), fps, eta_s))

    return on_frames


def join_parts(made: Sequence[Pictures], sound: Sound) -> Encoded:
    """The parts of a programme, in order, with its sound."""
    return Encoded(
        loudness=sound.loudness,
        sounds=sound.files,
        subtitles=sound.subtitles,
        parts={profile: tuple(one.parts[profile] for one in made) for profile in made[0].parts},
        posters=tuple(poster for one in made for poster in one.posters),
        tiles=tuple(tile for one in made for tile in one.tiles),
        complaints=sum(one.complaints for one in made),
    )


def step_check(
    clips: Sequence[Clip], renditions: tuple[ProducedRendition, ...], *, complaints: int = 0
) -> Checked:
    """Decode everything, compare with the source, measure the sound again.

    Raises OutputBroken; MediaRefused when the comparison fails because a damaged source decodes differently
    each time (``complaints`` says that its decoder noticed).
    """
    main, last = main_clip(clips), renditions[-1]
    with ThreadPoolExecutor(CHECKS_AT_ONCE, "check") as pool:
        measured = [
            pool.submit(verify.check_decodes, main.scene, main.plan, one.path, measure=one is last)
            for one in renditions
        ]
        values = _compare(clips, renditions, complaints)
        loudness = [one.result() for one in measured][-1]
    return Checked(with_worst(renditions, values), loudness)


def with_worst(
    renditions: Sequence[ProducedRendition], values: Sequence[Mapping[str, float]]
) -> tuple[ProducedRendition, ...]:
    """The renditions with the worst XPSNR of all compared spans; None where nothing could be compared."""
    worst: dict[str, float] = {}
    for measured in values:
        for profile, value in measured.items():
            worst[profile] = round(min(worst.get(profile, value), value), 2)
    return tuple(replace(one, xpsnr_db=worst.get(one.profile)) for one in renditions)


def compared_spans(clip: Clip) -> list[Span]:
    """The sampled spans of a clip; none where it has no picture of its own."""
    return verify.sampled_spans(clip.plan.frames) if clip.plan.has_picture else []


def _compare(
    clips: Sequence[Clip], renditions: Sequence[ProducedRendition], complaints: int
) -> list[dict[str, float]]:
    values = []
    for clip in clips:
        files = {one.profile: bring(one.path, clip.scene.folder) for one in renditions}
        try:
            values += [
                verify.compare_span(clip.scene, clip.plan, files, span) for span in compared_spans(clip)
            ]
        except OutputBroken as error:
            if complaints or not verify.source_is_steady(clip.scene, clip.plan):
                raise MediaRefused(Reason.DAMAGED, clip.scene.probe.name) from error
            raise
    return values
