"""The program that reads files of strangers: `python -I child.py DESCRIPTOR`, without settings, secrets or Django.

It serves one request after the other on a socket. Each comes with two open files, the document and the place of the
answer, and is done by a fork that is bounded in memory and time and ends with it: whatever a malicious file makes a
parser do, it does it there. Libraries are imported before the fork, by the name of the file alone.
"""

import gc
import json
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path, PurePath
from typing import Any

MESSAGE = 64 * 1024
NO_MORE = 0
LIBRARIES = {".pdf": "pypdf", ".docx": "docx", ".pptx": "pptx", ".xlsx": "openpyxl"}


def limit(megabytes: int, seconds: int, patience: int) -> None:
    """Bound this process: memory, processor time, time, no files written, no core dumps."""
    size = megabytes * 1024 * 1024
    for what, value in (
        (resource.RLIMIT_AS, size),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, NO_MORE),
        (resource.RLIMIT_CORE, NO_MORE),
    ):
        resource.setrlimit(what, (value, value))
    signal.alarm(patience)


def answer(source: int, asked: dict[str, Any]) -> dict[str, object]:
    """What is said of the file: the document, cut into chunks if that was asked for, or an error."""
    from knowledge.parsing import ParseError, parse_bytes

    name = asked["name"]
    try:
        with os.fdopen(source, "rb", closefd=False) as file:
            file.seek(0)
            parsed = parse_bytes(file.read(), name, max_bytes=sys.maxsize)
        return _said(parsed) if asked["cut"] is None else _cut(parsed, name, **asked["cut"])
    except ParseError as error:
        return {"error": str(error)}
    except (MemoryError, RecursionError):
        return {
            "error": f"{PurePath(name).name}: reading it takes more than {asked['megabytes']} MB of memory"
        }


def _said(parsed: Any) -> dict[str, object]:
    places = [(part.title, part.page, part.start, part.end) for part in parsed.sections]
    return _about(parsed) | {"text": parsed.text, "sections": places}


def _cut(parsed: Any, name: str, *, size: int, overlap: int, most: int) -> dict[str, object]:
    from knowledge.chunking import chunk
    from knowledge.enrichment import insights
    from knowledge.parsing import ParseError

    pieces = chunk(parsed, size=size, overlap=overlap)
    if len(pieces) > most:
        raise ParseError(f"{name}: more than {most:,} chunks")
    found = insights([piece.text for piece in pieces])
    rows = [
        (p.text, p.tokens, p.start, p.end, p.page, p.context, i.keywords, i.entities, i.summary, i.category)
        for p, i in zip(pieces, found, strict=True)
    ]
    return _about(parsed) | {"chunks": rows}


def _about(parsed: Any) -> dict[str, object]:
    return {"title": parsed.title, "media_type": parsed.media_type, "metadata": parsed.metadata}


def warm(asked: dict[str, Any]) -> None:
    """Import what reading the file will need: each fork has it then, and none pays for it."""
    suffix = PurePath(asked["name"]).suffix.lower()
    needed = ["knowledge.parsing", *([LIBRARIES[suffix]] if suffix in LIBRARIES else [])]
    if asked["cut"] is not None:
        needed += ["knowledge.chunking", "knowledge.enrichment", "semchunk"]
    for module in needed:
        with suppress(ImportError):  # the fork says so
            import_module(module)
    gc.freeze()


def read(asked: dict[str, Any], source: int, target: int) -> int:
    """The exit code of a fork that reads `source` and writes what it says to `target`."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            limit(asked["megabytes"], asked["seconds"], asked["patience"])
            said = json.dumps(answer(source, asked), ensure_ascii=False).encode(errors="replace")
            with os.fdopen(target, "wb") as out:
                out.write(said)
            code = 0
        finally:
            os._exit(code)
    os.close(source)
    os.close(target)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def serve(link: socket.socket) -> None:
    """Answer requests until the other side is gone."""
    while True:
        said, files, _, _ = socket.recv_fds(link, MESSAGE, 2)
        if not said:
            return
        asked = json.loads(said)
        warm(asked)
        link.sendall(b"%d\n" % read(asked, *files))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    serve(socket.socket(fileno=int(sys.argv[1])))
