"""Large outputs of steps, which are files in the project's storage."""

from typing import Any
from uuid import UUID

import orjson
from django.core.files.storage import default_storage

from knowledge.services.files import FileTooLargeError, store_file

FOLDER = "workflows"
MAX_INLINE_SIZE = 256_000
MAX_SIZE = 100_000_000


class OutputTooLargeError(Exception):
    """The output exceeds `MAX_SIZE` or the limit of files."""


def store_output(tenant_id: UUID, output: Any) -> dict[str, Any]:
    """Store an output above 256 kB as a file, and return the fields of the commit. Call it outside transactions.

    Raises:
        OutputTooLargeError: nothing is stored.
    """
    encoded = orjson.dumps(output)
    if len(encoded) <= MAX_INLINE_SIZE:
        return {"output": output, "size": len(encoded)}
    if len(encoded) > MAX_SIZE:
        raise OutputTooLargeError(f"The output has {len(encoded)} bytes; the limit is {MAX_SIZE}.")
    try:
        stored = store_file([encoded], tenant_id=tenant_id, name="output.json", folder=FOLDER)
    except FileTooLargeError as error:
        raise OutputTooLargeError(str(error)) from error
    return {"output": None, "path": stored.path, "size": stored.size}


def read_output(path: str) -> Any:
    """Return a stored output."""
    with default_storage.open(path, "rb") as file:
        return orjson.loads(file.read())
