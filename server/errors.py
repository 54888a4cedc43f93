"""Errors that people and programs may see, in families by what the caller can do about them.

``message`` is a Chinese source text with ``%(name)s`` places; the web layer translates it and answers with problem
details (RFC 9457), the command line prints it in one line. ``code`` is stable for programs.
"""

from __future__ import annotations

from collections.abc import Mapping

from server.i18n import N_


class YuanboError(Exception):
    """Something went wrong that the caller should hear of in plain words. ``extra`` are further members of the problem
    details, for programs."""

    status = 500
    code = "internal"
    title = N_("内部错误")

    def __init__(self, message: str | None = None, /, *, code: str | None = None, **params: object) -> None:
        self.message = message or self.title
        self.params: Mapping[str, object] = params
        self.extra: Mapping[str, object] = {}
        if code:
            self.code = code
        super().__init__(self.text())

    def text(self) -> str:
        """The source text with its places filled."""
        return self.message % self.params if self.params else self.message


class Invalid(YuanboError):
    """The request is well formed but its content cannot be accepted."""

    status = 422
    code = "invalid"
    title = N_("内容不符合要求")


class Unauthenticated(YuanboError):
    """Nobody signed in, or the token is not known."""

    status = 401
    code = "unauthenticated"
    title = N_("请先登录")


class Forbidden(YuanboError):
    """Signed in, but this role or region may not."""

    status = 403
    code = "forbidden"
    title = N_("没有权限")


class NotFound(YuanboError):
    """No such thing, or not visible to this account."""

    status = 404
    code = "not_found"
    title = N_("没有找到")


class Conflict(YuanboError):
    """The state of things does not allow it now."""

    status = 409
    code = "conflict"
    title = N_("当前状态不允许这样做")


class Gone(YuanboError):
    """It existed once: an expired or used code."""

    status = 410
    code = "gone"
    title = N_("已失效")


class TooLarge(YuanboError):
    """More bytes than accepted."""

    status = 413
    code = "too_large"
    title = N_("内容太大")


class TooMany(YuanboError):
    """Too often; ``retry_after_s`` says when to come again."""

    status = 429
    code = "too_many"
    title = N_("请求太频繁")

    def __init__(
        self,
        message: str | None = None,
        /,
        *,
        retry_after_s: int = 60,
        code: str | None = None,
        **params: object,
    ) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message, code=code, retry_after_s=retry_after_s, **params)


class Unavailable(YuanboError):
    """A part we need is away for the moment."""

    status = 503
    code = "unavailable"
    title = N_("服务暂时不可用")


class UsageError(YuanboError):
    """A command's words are off, or the machine cannot serve: exit status 2."""

    status = 400
    code = "usage"
    title = N_("用法不对")
