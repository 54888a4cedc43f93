from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.transcode.ladder import Plan, Size, display_size, fit, plan
from server.transcode.media import AudioTrack, MediaProbe, VideoTrack
from server.transcode.profiles import DEFAULT_PROFILES, P360


def video(
    width: int = 1280,
    height: int = 720,
    *,
    aspect: Fraction = Fraction(1),
    rotation: int = 0,
    space: str = "unknown",
    transfer: str = "bt709",
) -> VideoTrack:
    return VideoTrack(
        index=0, codec="h264", width=width, height=height, pixel_aspect=aspect, rotation=rotation,
        frame_rate=Fraction(25), field_order="progressive", color_space=space, color_transfer=transfer,
        color_primaries="unknown", color_range="tv", packets=250, start_s=0.0, end_s=10.0,
    )  # fmt: skip


SOUND = AudioTrack(index=1, codec="aac", channels=2, sample_rate=48_000, start_s=0.0, end_s=10.0)


def probe(
    track: VideoTrack | None, sound: AudioTrack | None = SOUND, duration_ms: int = 10_000
) -> MediaProbe:
    return MediaProbe(name="a.mp4", size=1, format="mov", duration_ms=duration_ms, video=track, audio=sound)


def frames_of(made: Plan) -> list[tuple[str, int, int]]:
    return [(one.profile.name, one.frame.width, one.frame.height) for one in made.renditions]


def test_a_720p_source_gives_the_whole_ladder_smallest_first() -> None:
    assert frames_of(plan(probe(video()), DEFAULT_PROFILES)) == [
        ("360p", 640, 360), ("576p", 1024, 576), ("720p", 1280, 720),
    ]  # fmt: skip


def test_a_small_source_is_not_upscaled_and_not_repeated() -> None:
    assert frames_of(plan(probe(video(320, 180)), DEFAULT_PROFILES)) == [("360p", 320, 180)]


def test_a_640_by_480_source_gives_its_own_size_once_above_360p() -> None:
    assert frames_of(plan(probe(video(640, 480)), DEFAULT_PROFILES)) == [
        ("360p", 480, 360),
        ("576p", 640, 480),
    ]


def test_pal_pixels_become_square() -> None:
    assert frames_of(plan(probe(video(720, 576, aspect=Fraction(16, 15))), DEFAULT_PROFILES)) == [
        ("360p", 480, 360), ("576p", 768, 576),
    ]  # fmt: skip


def test_an_upright_picture_stands_in_a_television_frame() -> None:
    made = plan(probe(video(rotation=270)), [P360])
    assert made.renditions[0].frame == Size(640, 360)
    assert made.renditions[0].picture == Size(202, 360)
    assert made.rotation == 270


def test_sound_alone_gets_a_picture_in_every_profile() -> None:
    made = plan(probe(None), DEFAULT_PROFILES)
    assert frames_of(made) == [("360p", 640, 360), ("576p", 1024, 576), ("720p", 1280, 720)]
    assert not made.has_picture


def test_a_silent_picture_is_planned_with_silence() -> None:
    assert not plan(probe(video(), None), DEFAULT_PROFILES).has_sound


@pytest.mark.parametrize(("duration_ms", "frames"), [(10_000, 250), (55_125, 1378), (1_000, 25), (1_019, 25)])
def test_the_number_of_frames_follows_the_measured_duration(duration_ms: int, frames: int) -> None:
    assert plan(probe(video(), duration_ms=duration_ms), DEFAULT_PROFILES).frames == frames


def test_unmarked_colours_are_those_of_the_picture_size() -> None:
    assert plan(probe(video(720, 576)), DEFAULT_PROFILES).source_matrix == "smpte170m"
    assert plan(probe(video()), DEFAULT_PROFILES).source_matrix == "bt709"


def test_hdr_is_seen_by_its_transfer() -> None:
    assert plan(probe(video(transfer="smpte2084")), DEFAULT_PROFILES).hdr


@given(
    st.integers(2, 8000),
    st.integers(2, 8000),
    st.fractions(Fraction(1, 4), 4),
    st.sampled_from([0, 90, 180, 270]),
)
def test_every_picture_is_even_inside_its_box_and_not_above_the_source(
    width: int, height: int, aspect: Fraction, rotation: int
) -> None:
    source = display_size(video(width, height, aspect=aspect, rotation=rotation))
    for one in plan(
        probe(video(width, height, aspect=aspect, rotation=rotation)), DEFAULT_PROFILES
    ).renditions:
        assert one.picture.width % 2 == 0
        assert one.picture.height % 2 == 0
        assert one.picture.width <= min(one.profile.width, source.width + 1)
        assert one.picture.height <= min(one.profile.height, source.height + 1)
        assert one.frame.width >= one.picture.width
        assert one.frame.height >= one.picture.height


@given(st.integers(1, 12 * 3600 * 25))
def test_the_storyboard_covers_the_programme_within_its_grid(frames: int) -> None:
    sprite = plan(probe(video(), duration_ms=frames * 40), DEFAULT_PROFILES).sprite
    assert sprite.tiles <= sprite.columns * sprite.rows <= 160
    assert sprite.tiles * sprite.interval_frames >= frames


def test_fit_keeps_the_shape() -> None:
    assert fit(Size(1920, 800), Size(1280, 720)) == Size(1280, 534)
