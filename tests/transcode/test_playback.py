"""What comes out plays where it must: a real Chromium, as one file with ranges, at the right length, seeking."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page

from server.transcode.results import Produced

PLAY = """async (source) => {
    const video = document.createElement('video');
    video.muted = true; video.src = source; document.body.append(video);
    const happens = name => new Promise(done => video.addEventListener(name, done, {once: true}));
    await happens('loadedmetadata');
    await video.play();
    while (video.currentTime < 0.4) await new Promise(done => setTimeout(done, 50));
    video.currentTime = 4.2;
    await happens('seeked');
    const seeked = video.currentTime;
    await video.play();
    if (!video.ended) await happens('ended');
    return [video.duration, video.videoWidth, seeked, video.currentTime];
}"""


def test_a_rendition_has_its_length_and_seeks_in_mpv(made: Produced) -> None:
    mpv = shutil.which("mpv")
    assert mpv, "mpv is not on PATH: apt install mpv"
    for rendition in made.renditions:
        asked = "--term-playing-msg=duration=${=duration} at=${=time-pos} seekable=${seekable}"
        argv = [
            mpv,
            "--no-config",
            "--vo=null",
            "--ao=null",
            "--start=4.2",
            "--frames=1",
            "--term-status-msg=",
            asked,
        ]
        said = subprocess.run([*argv, rendition.path], capture_output=True, text=True, check=True, timeout=60)
        assert "duration=5.320000 at=4.200000 seekable=yes" in said.stdout


@pytest.fixture
def served(made: Produced) -> Iterator[str]:
    """The media by their hashes, with ranges."""
    media = {one.sha256: one.path for one in made.renditions}

    class Media(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = media.get(Path(self.path).name)
            data = path.read_bytes() if path else b"<!doctype html><title>-</title>"
            asked = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            start = int(asked[1]) if asked else 0
            end = min(int(asked[2]) if asked and asked[2] else len(data) - 1, len(data) - 1)
            self.send_response(206 if asked else 200)
            self.send_header("Content-Type", "video/mp4" if path else "text/html")
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(data)}")
            self.send_header("Content-Length", str(end - start + 1))
            self.end_headers()
            try:
                self.wfile.write(data[start : end + 1])
            except OSError:  # a browser that seeks lets go
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Media) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.browser
def test_a_rendition_plays_to_its_end_and_seeks_in_chromium(page: Page, served: str, made: Produced) -> None:
    page.goto(served)
    rendition = made.renditions[0]
    duration, width, seeked, ended = page.evaluate(PLAY, f"{served}/m/{rendition.sha256}")
    assert duration == pytest.approx(rendition.duration_ms / 1000, abs=0.01)
    assert width == rendition.width
    assert seeked == pytest.approx(4.2, abs=0.05)
    assert ended == pytest.approx(duration, abs=0.05)
