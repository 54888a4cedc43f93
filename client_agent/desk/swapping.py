"""One station's work with sticks: in a thread of its own, one thing at a time, with a state that the page asks for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from client_agent.errors import AgentError
from client_agent.outbox import OutboxFull

log = logging.getLogger(__name__)
Json = dict[str, Any]


class Swap:
    """One station's work with sticks, one thing at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: Json = {"at": "idle"}

    @property
    def state(self) -> Json:
        """``at``: idle, busy, done, failed; with what there is to say."""
        return self._state

    def begin(self, what: str, work: Callable[[], Json]) -> bool:
        """False while something is under way."""
        with self._lock:
            if self._state["at"] == "busy":
                return False
            self._state = {"at": "busy", "what": what}
        threading.Thread(target=self._work, args=(what, work), name="swap", daemon=True).start()
        return True

    def _work(self, what: str, work: Callable[[], Json]) -> None:
        from client_agent.stick import GroupWrong, StickFailed

        try:
            self._state = {"at": "done", "what": what} | work()
        except GroupWrong as error:
            self._state = {"at": "failed", "what": what, "word": "group", "group": error.group}
        except StickFailed as error:
            self._state = {"at": "failed", "what": what, "word": error.word}
        except (AgentError, OutboxFull) as error:
            log.error("%s: %s", what, error)
            self._state = {"at": "failed", "what": what, "word": "disk"}
        except Exception:
            log.exception("%s failed", what)
            self._state = {"at": "failed", "what": what, "word": "damaged"}

    def forget(self) -> None:
        with self._lock:
            if self._state["at"] != "busy":
                self._state = {"at": "idle"}
