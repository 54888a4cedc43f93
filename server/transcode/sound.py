"""The sound of a plan: measured, brought to the target loudness, cut on the frame grid, encoded once per bitrate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from server.transcode.encode import Scene, choose, limits_for, run_graph
from server.transcode.ffmpeg import generated_input, hostile_input, join, output, own_input
from server.transcode.ladder import Plan, Span
from server.transcode.loudness import Loudness, filters_for, read_summary
from server.transcode.media import AudioTrack
from server.transcode.profiles import AUDIO_RATE, FRAME_RATE

SAMPLES_A_FRAME = AUDIO_RATE // FRAME_RATE


def source_sound(track: AudioTrack, plan: Plan) -> Any:
    """The source's sound after the cut as stereo at 48 kHz, silence where it begins late or has holes."""
    sound = hostile_input()[str(track.index)]
    sound = sound.filter("aresample", AUDIO_RATE, **{"async": 1, "first_pts": 0})
    sound = sound.filter("aformat", sample_fmts="fltp", channel_layouts="stereo")
    if plan.kept == (Span(0, plan.source_frames),):
        return sound
    sound = sound.filter("apad", whole_dur=f"{plan.source_frames / FRAME_RATE:.3f}")
    sound = sound.filter("asetnsamples", SAMPLES_A_FRAME)
    return sound.filter("aselect", choose(plan.kept)).filter("asetpts", "N/SR/TB")


def measure_sound(scene: Scene, plan: Plan) -> Loudness | None:
    """The loudness of the source's sound after cut and down-mix; None where there is nothing to hear."""
    if scene.probe.audio is None:
        return None
    seconds = plan.frames / FRAME_RATE
    measured = source_sound(scene.probe.audio, plan).filter("ebur128", peak="true", framelog="quiet")
    null = output([measured], "-", {"f": "null", "t": f"{seconds:.3f}"})
    limits = limits_for(plan.source_frames / FRAME_RATE, slowest=5)
    done, _ = run_graph(scene, [null], limits, log_level="info")
    return read_summary(done.log)


def even_sound(scene: Scene, plan: Plan, loudness: Loudness | None) -> Any:
    """A clip's sound at the target loudness, exactly as long as its picture."""
    seconds = f"{plan.frames / FRAME_RATE:.3f}"
    if scene.probe.audio is None:
        return generated_input(f"anullsrc=r={AUDIO_RATE}:cl=stereo").audio.filter("atrim", end=seconds)
    sound = source_sound(scene.probe.audio, plan)
    for name, options in filters_for(loudness):
        sound = sound.filter(name, **options)
    sound = sound.filter("aformat", sample_fmts="fltp", sample_rates=AUDIO_RATE, channel_layouts="stereo")
    return sound.filter("apad", whole_dur=seconds).filter("atrim", end=seconds)


def decode_sound(scene: Scene, plan: Plan, loudness: Loudness | None) -> Path:
    """An intro's or outro's sound as a file of ours, because each hostile file is read alone."""
    path = scene.folder / "sound.wav"
    options = {
        "c:a": "pcm_f32le",
        "t": f"{plan.frames / FRAME_RATE:.3f}",
        "map_metadata": -1,
        "map_chapters": -1,
    }
    limits = limits_for(plan.source_frames / FRAME_RATE, slowest=10)
    run_graph(scene, [output([even_sound(scene, plan, loudness)], path.name, options)], limits)
    return path


def encode_sound(
    scene: Scene,
    plan: Plan,
    loudness: Loudness | None,
    *,
    before: Path | None = None,
    after: Path | None = None,
) -> dict[int, Path]:
    """Encode each distinct sound once, exactly as long as the picture: that of the main clip between two files of ours.

    Returns the file of each bitrate.
    """
    seconds = f"{plan.total / FRAME_RATE:.3f}"
    sound = even_sound(scene, plan, loudness)
    if before or after:
        around = [own_input(path.name)["a:0"] if path else None for path in (before, after)]
        joined = [one for one in (around[0], sound, around[1]) if one is not None]
        sound = join(joined, "concat", n=len(joined), v=0, a=1)
    bitrates = plan.audio_bitrates
    node = sound.filter_multi_output("asplit", len(bitrates)) if len(bitrates) > 1 else [sound]
    branches = [node[number] for number in range(len(bitrates))]
    outputs, made = [], {}
    for bitrate, branch in zip(bitrates, branches, strict=False):
        made[bitrate] = scene.folder / f"sound-{bitrate}.m4a"
        options = {"c:a": "aac", "b:a": bitrate, "t": seconds, "map_metadata": -1, "map_chapters": -1}
        outputs.append(output([branch], made[bitrate].name, options))
    run_graph(scene, outputs, limits_for(max(plan.source_frames, plan.total) / FRAME_RATE, slowest=10))
    return made
