"""What can end the building of the demonstration."""

from __future__ import annotations

from server.errors import YuanboError
from server.i18n import N_


class DemoFailed(YuanboError):
    """A step of the demonstration was refused or did not come to its end."""

    code = "demo"
    title = N_("演示数据没有准备好")


class Stopped(Exception):
    """Somebody asked us to end; what is built stays and is continued next time."""
