"""The program that parses one file, bounded in memory and time: file on stdin, JSON on stdout, then its end.

It runs by itself (`python -I child.py NAME MEGABYTES SECONDS`), without settings, secrets or Django, so that
whatever a malicious file makes a parser do, it does it here.
"""

import json
import resource
import sys
from pathlib import Path

NO_MORE = 0


def limit(megabytes: int, seconds: int) -> None:
    """Bound this process: memory, processor time, no files written, no core dumps."""
    size = megabytes * 1024 * 1024
    for what, value in (
        (resource.RLIMIT_AS, size),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, NO_MORE),
        (resource.RLIMIT_CORE, NO_MORE),
    ):
        resource.setrlimit(what, (value, value))


def answer(name: str, megabytes: int) -> dict[str, object]:
    """What is said on stdout: the document, or an error."""
    from knowledge.parsing import ParseError, parse_bytes

    try:
        parsed = parse_bytes(sys.stdin.buffer.read(), name, max_bytes=sys.maxsize)
    except ParseError as error:
        return {"error": str(error)}
    except (MemoryError, RecursionError):
        return {"error": f"{Path(name).name}: reading it takes more than {megabytes} MB of memory"}
    places = [(part.title, part.page, part.start, part.end) for part in parsed.sections]
    return {
        "text": parsed.text,
        "title": parsed.title,
        "media_type": parsed.media_type,
        "sections": places,
        "metadata": parsed.metadata,
    }


def main(name: str, megabytes: str, seconds: str) -> None:
    """Parse stdin."""
    limit(int(megabytes), int(seconds))
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    json.dump(answer(name, int(megabytes)), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
