"""Checks of Office files, which are zip archives: damage, encryption, zip bombs."""

import zipfile
from io import BytesIO

from knowledge.parsing.document import ParseError

MAX_UNPACKED_BYTES = 200 * 1024 * 1024
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
KINDS = {"word/document.xml": "DOCX", "xl/workbook.xml": "XLSX", "ppt/presentation.xml": "PPTX"}


def check_package(data: bytes, name: str, kind: str, main_part: str) -> None:
    """Check the type and the unpacked size of an Office file.

    Raises:
        ParseError: If it is damaged, encrypted, of another type or too large when unpacked.
    """
    if data.startswith(OLE):
        raise ParseError(f"{name}: the {kind} is locked with a password, or of a version before 2007")
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise ParseError(f"{name}: damaged {kind} (not a zip archive)") from error
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
        raise ParseError(f"{name}: larger than {MAX_UNPACKED_BYTES // 1024 // 1024} MB when unpacked")
    if any(entry.flag_bits & 1 for entry in entries):
        raise ParseError(f"{name}: the {kind} is locked with a password")
    names = {entry.filename for entry in entries}
    if main_part not in names and (other := next((KINDS[part] for part in KINDS if part in names), "")):
        raise ParseError(f"{name}: this is a file of type {other}, not {kind}")
