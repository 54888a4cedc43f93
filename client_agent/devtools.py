"""A browser's own pipe (``--remote-debugging-pipe``): JSON messages that end in NUL, on two descriptors that only the
process which started the browser holds. No port is opened and nobody else can speak to it."""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from protocol.batch import EvidenceKind
from protocol.evidence import CAPS

ANSWER_S = 10.0
WIDTH = 960
QUALITIES = (70, 45, 25)
MOST_MESSAGE = 32 * 1024 * 1024
_HIGH = 64
"""Descriptors are moved up here first, so that none of them is the 3 or 4 that the browser expects them on."""


class NoPicture(Exception):
    """The browser gives no picture of the page."""


def speaks_devtools(command: Sequence[str]) -> bool:
    """Whether a command starts a browser that has such a pipe, on a system that can hand it over."""
    return os.name == "posix" and any("chrom" in os.path.basename(word).lower() for word in command)  # noqa: PTH119


@dataclass(frozen=True)
class Ends:
    """``command`` starts the browser with its two ends, ``passed`` are the descriptors it is to inherit; ``tell`` and
    ``hear`` are ours."""

    command: list[str]
    passed: tuple[int, int]
    tell: int
    hear: int

    def close_theirs(self) -> None:
        for end in self.passed:
            os.close(end)


def with_pipe(command: Sequence[str]) -> Ends:
    """Two pipes, and the command behind a shell that puts them on descriptors 3 and 4. Raises OSError."""
    import fcntl

    def high(descriptor: int) -> int:
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH)
        os.close(descriptor)
        return moved

    (its_in, tell), (hear, its_out) = os.pipe(), os.pipe()
    its_in, its_out = high(its_in), high(its_out)
    # Through /proc or /dev/fd, as plain shells know no descriptors of two digits.
    script = f'exec 3</dev/fd/{its_in} 4>/dev/fd/{its_out} "$@"'
    words = ["/bin/sh", "-c", script, "sh", *command, "--remote-debugging-pipe"]
    return Ends(words, (its_in, its_out), tell, hear)


class Pipe:
    """One browser's pipe. For one thread."""

    def __init__(self, tell: int, hear: int) -> None:
        self._tell, self._hear = tell, hear
        self._numbers = itertools.count(1)
        self._rest = b""

    def close(self) -> None:
        for end in (self._tell, self._hear):
            with suppress(OSError):
                os.close(end)

    def picture(self, url: str) -> bytes:
        """A JPEG of the page at ``url``, at most 960 wide and 400 KB. Raises NoPicture: also where the browser shows
        anything else, which is nobody's business."""
        found = self._ask("Target.getTargets")["targetInfos"]
        page = next((t for t in found if t.get("type") == "page" and str(t.get("url")).startswith(url)), None)
        if page is None:
            raise NoPicture("the browser shows another page")
        session = self._ask("Target.attachToTarget", {"targetId": page["targetId"], "flatten": True})[
            "sessionId"
        ]
        try:
            return self._capture(session)
        finally:
            self._ask("Target.detachFromTarget", {"sessionId": session})

    def _capture(self, session: str) -> bytes:
        seen = self._ask("Page.getLayoutMetrics", session=session)["cssLayoutViewport"]
        width, height = int(seen["clientWidth"]), int(seen["clientHeight"])
        if width < 1 or height < 1:
            raise NoPicture("the window has no size")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": min(1.0, WIDTH / width)}
        for quality in QUALITIES:
            wanted = {"format": "jpeg", "quality": quality, "clip": clip}
            data = base64.b64decode(self._ask("Page.captureScreenshot", wanted, session=session)["data"])
            if len(data) <= CAPS[EvidenceKind.SCREENSHOT]:
                return data
        raise NoPicture("the picture is too large")

    def _ask(
        self, method: str, params: Mapping[str, Any] | None = None, *, session: str = ""
    ) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": dict(params or {})}
        if session:
            message["sessionId"] = session
        deadline = time.monotonic() + ANSWER_S
        try:
            self._write(json.dumps(message).encode() + b"\0", deadline)
            while True:
                said = json.loads(self._read(deadline))
                if said.get("id") == number:
                    break
        except (OSError, ValueError) as error:
            raise NoPicture(f"{method}: {error}") from error
        if "error" in said:
            raise NoPicture(f"{method}: {said['error'].get('message')}")
        result: dict[str, Any] = said["result"]
        return result

    def _write(self, data: bytes, deadline: float) -> None:
        while data:
            if not select.select([], [self._tell], [], max(0.0, deadline - time.monotonic()))[1]:
                raise TimeoutError("the browser does not listen")
            data = data[os.write(self._tell, data[:4096]) :]

    def _read(self, deadline: float) -> bytes:
        """The next message. Raises OSError when none comes in time or the browser is gone."""
        while b"\0" not in self._rest:
            if not select.select([self._hear], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            more = os.read(self._hear, 256 * 1024)
            if not more or len(self._rest) > MOST_MESSAGE:
                raise OSError("the browser's pipe ended")
            self._rest += more
        message, _, self._rest = self._rest.partition(b"\0")
        return message
