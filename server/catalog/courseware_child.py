"""Opens hostile documents in a process of its own: PDF pages to pictures, slides to pictures of one size.

Its arguments: ``pages IN.pdf OUT`` (one 0001.jpg … a page), ``check IN.pdf`` (only counts the pages and reads their
text), ``slides LIST OUT`` (LIST: one picture's path a line). It answers {"pages": n, "text": …} or {"error": code}. It limits its own processor time, memory
and files before it opens anything; whoever starts it limits the time on the clock.
"""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 1920, 1080
QUALITY = 88
CPU_S = 600
MEMORY = 2 * 1024**3
FILE_BYTES = 64 * 1024**2
MAX_PAGES = 500
MAX_PIXELS = 40_000_000
MAX_TEXT = 2_000_000


def limit_self() -> None:
    """What a document may use at most."""
    for kind, most in (
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def main(arguments: list[str]) -> dict[str, Any]:
    """Do what is asked; what to say about it."""
    limit_self()
    if arguments[0] == "slides":
        return slides(Path(arguments[1]), Path(arguments[2]))
    return pdf(Path(arguments[1]), Path(arguments[2]) if arguments[0] == "pages" else None)


def pdf(source: Path, out: Path | None) -> dict[str, Any]:
    """Render every page to fit a television, or only look."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(source)
    except pypdfium2.PdfiumError as error:
        return {"error": "password" if "password" in str(error).lower() else "damaged"}
    count = len(document)
    if count == 0:
        return {"error": "no_pages"}
    if count > MAX_PAGES:
        return {"error": "too_many_pages"}
    text: list[str] = []
    for number in range(count):
        try:
            page = document[number]
            if out is None:
                text.append(page.get_textpage().get_text_bounded()[: MAX_TEXT // count])
            else:
                _render(page, out / f"{number + 1:04}.jpg")
            page.close()
        except (pypdfium2.PdfiumError, ValueError, OSError):
            return {"error": "damaged", "page": number + 1}
    return {"pages": count, "text": "\n".join(text)}


def _render(page: Any, target: Path) -> None:
    width, height = page.get_size()
    if width <= 0 or height <= 0:
        raise ValueError("a page without size")
    scale = min(WIDTH / width, HEIGHT / height)
    picture = page.render(scale=scale, fill_color=(255, 255, 255, 255)).to_pil().convert("RGB")
    _save(picture, target)


def slides(listed: Path, out: Path) -> dict[str, Any]:
    """Every picture of a list, fitted to a television."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    paths = listed.read_text("utf-8").splitlines()
    for number, path in enumerate(paths, start=1):
        try:
            with Image.open(path, formats=("JPEG", "PNG", "GIF", "BMP")) as picture:
                picture.load()
                _save(picture.convert("RGB"), out / f"{number:04}.jpg")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, MemoryError):
            return {"error": "damaged_slide", "page": number}
    return {"pages": len(paths), "text": ""}


def _save(picture: Any, target: Path) -> None:
    """On a white ground of one size, so that pages become frames of one film."""
    from PIL import Image

    picture.thumbnail((WIDTH, HEIGHT))
    ground = Image.new("RGB", (WIDTH, HEIGHT), "white")
    ground.paste(picture, ((WIDTH - picture.width) // 2, (HEIGHT - picture.height) // 2))
    ground.save(target, "JPEG", quality=QUALITY, subsampling="4:2:0")


def guarded(arguments: list[str]) -> dict[str, Any]:
    """The same, and a word about a document that needs more memory than there is for it."""
    try:
        return main(arguments)
    except MemoryError:
        return {"error": "too_large"}
