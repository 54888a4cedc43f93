"""What can end a transcoding: the file is refused, we failed, or somebody cancelled.

A refusal is about the file and final; a failure is about us and may be tried again.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class TranscodeError(Exception):
    """Something in transcoding went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class Cancelled(TranscodeError):
    """The work was cancelled."""


class FfmpegMissing(TranscodeError):
    """No usable ffmpeg was found: install the requirements or set YUANBO_FFMPEG."""


class ToolFailed(TranscodeError):
    """A media tool ended with an error. ``log`` is the end of what it said."""

    def __init__(self, argv: Sequence[str], returncode: int, log: str) -> None:
        self.argv = tuple(argv)
        self.returncode = returncode
        self.log = log
        last = next((line for line in reversed(log.splitlines()) if line.strip()), "no message")
        super().__init__(f"{argv[0].rsplit('/', 1)[-1]} ended with {returncode}: {last}")


class ToolTimedOut(TranscodeError):
    """A media tool did not finish in its time and was killed."""


class OutputBroken(TranscodeError):
    """A rendition that we made did not pass verification."""


class Reason(StrEnum):
    """Why a file is refused."""

    EMPTY = "empty"
    NOT_MEDIA = "not_media"
    CODEC = "codec"
    NO_STREAMS = "no_streams"
    TOO_MANY_STREAMS = "too_many_streams"
    TOO_LARGE_PICTURE = "too_large_picture"
    TIME_GAP = "time_gap"
    FALSE_DURATION = "false_duration"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    TOO_EXPENSIVE = "too_expensive"
    RECIPE = "recipe"


REASON_TEXTS: dict[Reason, tuple[str, str]] = {
    Reason.EMPTY: ("文件是空的", "it is empty"),
    Reason.NOT_MEDIA: ("不是可识别的音视频文件", "it is not a media file of a format we accept"),
    Reason.CODEC: ("编码格式不支持", "its codec is not supported"),
    Reason.NO_STREAMS: ("没有可播放的图像或声音", "it has no picture and no sound to play"),
    Reason.TOO_MANY_STREAMS: ("包含的流过多", "it has too many streams"),
    Reason.TOO_LARGE_PICTURE: ("画面尺寸过大", "its picture is too large"),
    Reason.TIME_GAP: (
        "时间轴有超过 10 秒的空缺或跳变",
        "its time line has a gap or jump of more than 10 seconds",
    ),
    Reason.FALSE_DURATION: ("标称时长与实际内容不符", "it claims to last far longer than what it contains"),
    Reason.TRUNCATED: ("文件不完整，可能上传中断", "it is cut off: the upload or copy was not complete"),
    Reason.DAMAGED: ("文件已损坏，无法正常解码", "it is damaged and cannot be decoded"),
    Reason.TOO_SHORT: ("内容不足 1 秒", "it lasts less than a second"),
    Reason.TOO_LONG: ("时长超过 12 小时", "it lasts more than 12 hours"),
    Reason.TOO_EXPENSIVE: ("解码所需资源超出限制", "decoding it takes more than the limits allow"),
    Reason.RECIPE: ("剪辑方案无法执行", "it cannot be cut as the recipe says"),
}


class MediaRefused(TranscodeError):
    """The file cannot be accepted. Says which file and why, in Chinese and in English."""

    def __init__(self, reason: Reason, name: str, detail: str = "") -> None:
        zh, en = REASON_TEXTS[reason]
        self.reason = reason
        self.reason_code = reason.value
        self.name = name
        self.detail = detail
        extra_zh, extra_en = (f"（{detail}）", f" ({detail})") if detail else ("", "")
        self.message_zh = f"文件“{name}”被拒收：{zh}{extra_zh}。"
        self.message_en = f"File “{name}” was refused: {en}{extra_en}."
        super().__init__(self.message_zh + "\n" + self.message_en)
