"""Documents in a process of their own: what PDF and slide pictures hold, without trusting them.

The child limits its own processor time, memory and files; here its time on the clock is limited, and its whole group
killed when it is over.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.errors import Invalid
from server.i18n import N_

log = logging.getLogger(__name__)

RENDER_S = 900
CHECK_S = 60
OFFICE_S = 300

REASONS: dict[str, str] = {
    "password": N_("“%(file)s”有密码，请去掉密码后再上传"),
    "damaged": N_("“%(file)s”已损坏或不是完整的 PDF"),
    "no_pages": N_("“%(file)s”里一页也没有"),
    "too_many_pages": N_("“%(file)s”超过 500 页"),
    "too_large": N_("“%(file)s”的页面太大，打不开"),
    "damaged_slide": N_("课件“%(file)s”的第 %(page)s 张幻灯片已损坏"),
    "timeout": N_("“%(file)s”打开的时间太长，已停止"),
}


class NoOffice(Invalid):
    """This machine cannot read PowerPoint."""

    code = "no_office"


@dataclass(frozen=True)
class Pages:
    """What a document was made into: pictures of one size, in order."""

    files: tuple[Path, ...]


def check_pdf(data: bytes, name: str) -> str:
    """That these bytes are a whole PDF without a password; its text. Raises Invalid naming the file."""
    if b"%PDF-" not in data[:1024]:
        raise Invalid(N_("“%(file)s”不是 PDF"), code="not_pdf", file=name)
    with tempfile.TemporaryDirectory(prefix="yuanbo-pdf-") as folder:
        path = Path(folder) / "input.pdf"
        path.write_bytes(data)
        return str(_run(["check", str(path)], name, CHECK_S)["text"])


def render_pdf(path: Path, out: Path, name: str) -> Pages:
    """The pages of a PDF as pictures in ``out``. Raises Invalid naming the file."""
    count = int(_run(["pages", str(path), str(out)], name, RENDER_S)["pages"])
    return Pages(tuple(out / f"{number:04}.jpg" for number in range(1, count + 1)))


def render_slides(paths: Sequence[Path], out: Path, name: str) -> Pages:
    """Slides as pictures of one size in ``out``. Raises Invalid naming the file and the slide."""
    listed = out / "list"
    listed.write_text("\n".join(str(path) for path in paths), "utf-8")
    count = int(_run(["slides", str(listed), str(out)], name, RENDER_S)["pages"])
    listed.unlink()
    return Pages(tuple(out / f"{number:04}.jpg" for number in range(1, count + 1)))


def office() -> str | None:
    """LibreOffice on this machine, or None."""
    return shutil.which("soffice") or shutil.which("libreoffice")


def powerpoint_to_pdf(path: Path, out: Path, name: str) -> Path:
    """The presentation as a PDF in ``out``. Raises NoOffice where there is no LibreOffice, Invalid for a bad file."""
    program = office()
    if program is None:
        raise NoOffice(
            N_("这台服务器没有安装 LibreOffice，打不开“%(file)s”：请在电脑上把它另存为 PDF 再上传"), file=name
        )
    source = out / ("input.pptx" if path.read_bytes()[:2] == b"PK" else "input.ppt")
    shutil.copyfile(path, source)
    command = [
        *(program, "--headless", "--norestore", "--safe-mode", f"-env:UserInstallation=file://{out}/profile"),
        *("--convert-to", "pdf", "--outdir", str(out), str(source)),
    ]
    _wait(command, name, OFFICE_S)
    made = out / "input.pdf"
    if not made.is_file():
        raise Invalid(N_("“%(file)s”不是能打开的演示文稿"), code="damaged", file=name)
    return made


def _run(arguments: list[str], name: str, limit_s: float) -> dict[str, Any]:
    command = [sys.executable, "-I", "-c", _START, str(_ROOT), *arguments]
    output = _wait(command, name, limit_s)
    try:
        answer: dict[str, Any] = json.loads(output.splitlines()[-1])
    except (ValueError, IndexError):
        answer = {"error": "damaged"}  # it was killed by its own limits
    if error := answer.get("error"):
        raise Invalid(
            REASONS.get(str(error), REASONS["damaged"]),
            code=str(error),
            file=name,
            page=answer.get("page", ""),
        )
    return answer


_ROOT = Path(__file__).resolve().parent.parent.parent
_START = (
    "import json, sys; sys.path.insert(0, sys.argv.pop(1));"
    "from server.catalog.courseware_child import guarded; print(json.dumps(guarded(sys.argv[1:])))"
)


def _wait(command: list[str], name: str, limit_s: float) -> bytes:
    """Run a command in a session of its own with nothing of ours in its environment; its output."""
    environment = {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "HOME": tempfile.gettempdir()}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=environment,
    )
    try:
        output, _ = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired as error:
        raise Invalid(REASONS["timeout"], code="timeout", file=name) from error
    finally:
        _end(process)
    return output


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
