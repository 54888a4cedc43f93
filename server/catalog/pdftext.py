"""``python -m server.catalog.pdftext``: the words of the PDF on standard input, to standard output, within limits."""

from __future__ import annotations

import resource
import sys

MEMORY_BYTES = 1 << 30
CPU_S = 15
MOST_PAGES = 2_000
MOST_LETTERS = 2_000_000


def main() -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import pypdfium2

    data, letters = sys.stdin.buffer.read(), 0
    document = pypdfium2.PdfDocument(data)
    for number in range(min(len(document), MOST_PAGES)):
        text = document[number].get_textpage().get_text_bounded()
        letters += len(text)
        sys.stdout.buffer.write(text.encode("utf-8", "replace") + b"\n")
        if letters > MOST_LETTERS:
            break
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
