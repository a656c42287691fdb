"""Worker that parses untrusted files: `python -I sandbox_worker.py DESCRIPTOR`.

It runs without settings, secrets or Django, on Linux also without network and other files, and serves one request at
a time on a socket. Each request carries two file descriptors, for the document and the response. A fork with memory
and time limits handles it and exits, which contains the effects of a malicious file. Libraries are imported before the
fork, based on the file name only.
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

MAX_MESSAGE = 64 * 1024
NO_MORE = 0
LIBRARIES = {
    ".pdf": ("pypdf", "pdfplumber", "pypdfium2"),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp"), ("PIL.Image", "PIL.ImageOps")),
    **dict.fromkeys((".docx", ".pptx", ".xlsx", ".odt", ".ods", ".odp", ".epub"), ("lxml.etree",)),
}


def set_limits(megabytes: int, seconds: int, patience: int) -> None:
    """Limit memory, CPU time and wall-clock time; forbid file writes and core dumps."""
    size = megabytes * 1024 * 1024
    for what, value in (
        (resource.RLIMIT_AS, size),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, NO_MORE),
        (resource.RLIMIT_CORE, NO_MORE),
    ):
        resource.setrlimit(what, (value, value))
    signal.alarm(patience)


def build_response(source: int, asked: dict[str, Any]) -> dict[str, object]:
    """Return the document, its chunks if requested, or an error."""
    from knowledge.parsing import ParseError, ParseOptions, parse_bytes

    name, options = asked["name"], ParseOptions(**asked["options"])
    try:
        with os.fdopen(source, "rb", closefd=False) as file:
            file.seek(0)
            parsed = parse_bytes(file.read(), name, max_bytes=sys.maxsize, options=options)
        return (
            _serialize_document(parsed)
            if asked["cut"] is None
            else _serialize_chunks(parsed, name, **asked["cut"])
        )
    except ParseError as error:
        return {"error": str(error)}
    except (MemoryError, RecursionError):
        return {
            "error": f"{PurePath(name).name}: reading it takes more than {asked['megabytes']} MB of memory"
        }


def _serialize_document(parsed: Any) -> dict[str, object]:
    places = [(part.title, part.page, part.start, part.end) for part in parsed.sections]
    return _serialize_metadata(parsed) | {"text": parsed.text, "sections": places}


def _serialize_chunks(
    parsed: Any, name: str, *, size: int, overlap: int, most: int, language: str
) -> dict[str, object]:
    from knowledge.chunking import chunk_document
    from knowledge.enrichment import extract_insights
    from knowledge.parsing import ParseError

    pieces = chunk_document(parsed, size=size, overlap=overlap, language=language)
    if len(pieces) > most:
        raise ParseError(f"{name}: more than {most:,} chunks")
    insights = extract_insights([piece.text for piece in pieces])
    rows = [
        (
            *(p.text, p.tokens, p.start, p.end, p.page, p.context, p.language),
            *(i.keywords, i.entities, i.summary, i.category),
        )
        for p, i in zip(pieces, insights, strict=True)
    ]
    return _serialize_metadata(parsed) | {"chunks": rows}


def _serialize_metadata(parsed: Any) -> dict[str, object]:
    names = ("title", "media_type", "metadata", "warnings")
    return {name: getattr(parsed, name) for name in names}


def preload_libraries(asked: dict[str, Any]) -> None:
    """Import the libraries for the file before the fork, so that forks share them."""
    suffix = PurePath(asked["name"]).suffix.lower()
    needed = ["knowledge.parsing", *LIBRARIES.get(suffix, ())]
    if asked["cut"] is not None:
        needed += ["knowledge.chunking", "knowledge.enrichment", "knowledge.languages", "semchunk"]
    for module in needed:
        with suppress(ImportError):  # the fork reports it
            import_module(module)
    if asked["cut"] is not None:
        with suppress(ImportError):
            import_module("knowledge.languages").load_detector()
    gc.freeze()


def run_in_fork(asked: dict[str, Any], source: int, target: int) -> int:
    """Parse `source` in a fork that writes to `target`; return its exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            set_limits(asked["megabytes"], asked["seconds"], asked["patience"])
            said = json.dumps(build_response(source, asked), ensure_ascii=False).encode(errors="replace")
            with os.fdopen(target, "wb") as out:
                out.write(said)
            code = 0
        finally:
            os._exit(code)
    os.close(source)
    os.close(target)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def serve_requests(link: socket.socket) -> None:
    """Handle requests until the other end closes the socket."""
    while True:
        message, files, _, _ = socket.recv_fds(link, MAX_MESSAGE, 2)
        if not message:
            return
        request = json.loads(message)
        preload_libraries(request)
        link.sendall(b"%d\n" % run_in_fork(request, *files))


def isolate(project: Path) -> None:
    """Isolate this process from network and files, where the machine allows it."""
    from config.sandbox.launcher import isolate_process

    code = [project / "config", project / "knowledge", Path(sys.prefix), Path(sys.base_prefix)]
    with suppress(OSError, KeyError):
        isolate_process(list(dict.fromkeys(str(each) for path in code for each in (path, path.resolve()))))


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    sys.path.insert(0, str(root))
    if sys.platform == "linux":
        isolate(root)
    serve_requests(socket.socket(fileno=int(sys.argv[1])))
