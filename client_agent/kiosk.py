"""Keeps the browser with the TV page running, and begins it anew when its page has gone silent.

A browser may live and yet show nothing: a crashed tab, a hung driver. The page asks the agent every few seconds how
things are; the agent says how long ago that was (``/api/alive``). Where it answers and has heard no page for a minute,
the browser is ended with everything it started, and begun again. While the agent itself is away, nothing is concluded.

Where the agent wants a picture of the page (screenshot.py), it says so in the same answer, with a name for it; the
picture comes over the browser's own pipe (devtools.py) and is handed in under that name.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

from client_agent.devtools import Ends, NoPicture, Pipe, speaks_devtools, with_pipe
from client_agent.errors import AgentError
from client_agent.fetch import Http, join

log = logging.getLogger(__name__)
LOOK_S = 5.0
SILENT_S = 60.0
"""The page asks every two seconds; a box that swaps may need half a minute for its first picture."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
STOP_S = 5.0


def is_silent(seen_ms_ago: int | None, running_s: float, patience_s: float = SILENT_S) -> bool:
    """Whether a browser that has run so long should be begun anew. ``seen_ms_ago``: what the agent says; None: the
    agent says nothing."""
    return seen_ms_ago is not None and running_s > patience_s and seen_ms_ago > patience_s * 1000


class Kiosk:
    """One browser and its watch."""

    def __init__(
        self, command: Sequence[str], url: str, *, patience_s: float = SILENT_S, look_s: float = LOOK_S
    ) -> None:
        self._command = list(command)
        self._url = url
        self._patience_s = patience_s
        self._look_s = look_s
        self._http = Http()
        self._pipe: Pipe | None = None
        self.starts = 0

    def run(self, stop: threading.Event) -> None:
        """Until asked to stop. Raises OSError when the browser cannot be started at all."""
        pause_s = FIRST_PAUSE_S
        while not stop.is_set():
            began = time.monotonic()
            process = self._start()
            try:
                self._watch(process, stop)
            finally:
                _end(process)
                if self._pipe is not None:
                    self._pipe.close()
                    self._pipe = None
            lasted = time.monotonic() - began > self._patience_s
            pause_s = FIRST_PAUSE_S if lasted else min(LONGEST_PAUSE_S, pause_s * 2)
            stop.wait(0 if lasted else pause_s)
        self._http.close()

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        ends = with_pipe(self._command) if speaks_devtools(self._command) else None
        if ends is None:
            return subprocess.Popen(self._command, stdin=subprocess.DEVNULL, start_new_session=True)
        return self._start_with(ends)

    def _start_with(self, ends: Ends) -> subprocess.Popen[bytes]:
        self._pipe = Pipe(ends.tell, ends.hear)
        try:
            return subprocess.Popen(
                ends.command, stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=ends.passed
            )
        finally:
            ends.close_theirs()

    def _watch(self, process: subprocess.Popen[bytes], stop: threading.Event) -> None:
        """Until it ended, went silent, or we were asked to stop."""
        began = time.monotonic()
        while not stop.wait(self._look_s):
            if process.poll() is not None:
                log.error("the browser ended with %s", process.returncode)
                return
            if is_silent(self._seen_ms_ago(), time.monotonic() - began, self._patience_s):
                log.error("the page has been silent for %d s: the browser is begun anew", self._patience_s)
                return

    def _seen_ms_ago(self) -> int | None:
        """What the agent says; None when it says nothing."""
        try:
            answer = self._http.get(join(self._url, "api/alive"), max_bytes=4096, deadline_s=5)
            said = json.loads(answer.body) if answer.status == 200 else {}
            seen, wanted = said.get("page_seen_ms_ago"), said.get("picture")
        except (AgentError, ValueError, AttributeError):
            return None
        if isinstance(wanted, str) and self._pipe is not None:
            self._hand_in(wanted, self._pipe)
        return seen if isinstance(seen, int) else None

    def _hand_in(self, name: str, pipe: Pipe) -> None:
        """The picture that the agent wants; where there is none, the agent finds out by itself."""
        try:
            picture = pipe.picture(self._url)
            self._http.request(
                "PUT",
                join(self._url, f"api/screen/{name}"),
                headers={"Content-Type": "image/jpeg"},
                body=picture,
                max_bytes=4096,
                deadline_s=20,
            )
        except (NoPicture, AgentError) as error:
            log.warning("no picture for the agent: %s", error)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and everything it started."""
    kill: Callable[[int, int], None] | None = getattr(os, "killpg", None)
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        try:
            if kill is not None:
                kill(process.pid, number)
            else:
                process.terminate()
            process.wait(STOP_S)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()
