"""Office files, which are zip archives of XML parts: checks of damage, encryption and size; access to the parts."""

import posixpath
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import unquote

from knowledge.parsing.document import ParseError

MAX_UNPACKED_BYTES = 200 * 1024 * 1024
# Sizes in bytes of the blocks in which a part is searched.
BLOCK, OVERLAP = 1024 * 1024, 1024
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
KINDS = {"word/document.xml": "DOCX", "xl/workbook.xml": "XLSX", "ppt/presentation.xml": "PPTX"}
STRICT = b"http://purl.oclc.org/ooxml/"
_OFFICE = b"http://schemas.openxmlformats.org/"
_STRICT_NAME = re.compile(STRICT + rb"(\w+)([\w/-]*)")
_RENAMED = {b"/extendedProperties": b"/extended-properties", b"/customProperties": b"/custom-properties"}


def check_package(data: bytes, name: str, kind: str, main_part: str) -> None:
    """Check the type and the unpacked size of an Office file.

    Raises:
        ParseError: If it is damaged, encrypted, of another type or too large when unpacked.
    """
    if data.startswith(OLE):
        raise ParseError(f"{name}: the {kind} is locked with a password, or of a version before 2007")
    names = check_archive(data, name, kind)
    if main_part not in names and (other := next((KINDS[part] for part in KINDS if part in names), "")):
        raise ParseError(f"{name}: this is a file of type {other}, not {kind}")


def check_archive(data: bytes, name: str, kind: str) -> set[str]:
    """Check the unpacked size of a zip archive and return the names of its members.

    Raises:
        ParseError: If it is damaged, encrypted or too large when unpacked.
    """
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise ParseError(f"{name}: damaged {kind} (not a zip archive)") from error
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
        raise ParseError(f"{name}: larger than {MAX_UNPACKED_BYTES // 1024 // 1024} MB when unpacked")
    if any(entry.flag_bits & 1 for entry in entries):
        raise ParseError(f"{name}: the {kind} is locked with a password")
    return {entry.filename for entry in entries}


def replace_strict_namespaces(xml: bytes) -> bytes:
    """Replace the namespaces of Strict OOXML (ISO/IEC 29500) by those of Transitional OOXML."""
    return _STRICT_NAME.sub(_get_transitional_name, xml) if STRICT in xml else xml


def _get_transitional_name(match: re.Match[bytes]) -> bytes:
    """Return the transitional name, which has a year: `.../wordprocessingml/2006/main`."""
    return _OFFICE + match[1] + b"/2006" + _RENAMED.get(match[2], match[2])


def create_xml_parser() -> Any:
    """Return an XML parser that loads nothing and expands no entities."""
    from lxml import etree

    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True,
        remove_pis=True,
    )  # fmt: skip


@contextmanager
def report_damage(name: str, kind: str) -> Iterator[None]:
    """Report an error while a file is read as a ParseError."""
    try:
        yield
    except (ParseError, MemoryError):
        raise
    except Exception as error:  # lxml, zipfile and the readers raise many kinds on damaged files
        raise ParseError(f"{name}: damaged {kind} ({type(error).__name__})") from error


@dataclass(frozen=True, slots=True)
class Relationship:
    """A reference from one part to another; `kind` is the last word of its type."""

    kind: str
    target: str
    is_external: bool


class OfficePackage:
    """The parts of an Office file, with the namespaces of Transitional OOXML."""

    def __init__(self, data: bytes, main_part: str) -> None:
        self._archive = zipfile.ZipFile(BytesIO(data))
        self._names = {name.lower(): name for name in self._archive.namelist()}
        self._is_strict = STRICT in (self.read_raw("_rels/.rels") or b"")
        kinds = self.list_relationships("").values()
        self.main_part = next((each.target for each in kinds if each.kind == "officeDocument"), main_part)

    def read(self, part: str) -> bytes | None:
        """Return the content of a part with transitional namespaces, or None if it is missing."""
        xml = self.read_raw(part)
        return None if xml is None else replace_strict_namespaces(xml)

    def read_raw(self, part: str) -> bytes | None:
        """Return the content of a part, or None if it is missing."""
        name = self._names.get(part.lower())
        return None if name is None else self._archive.read(name)

    def parse(self, part: str) -> Any:
        """Return the root element of a part, or None if it is missing."""
        from lxml import etree

        xml = self.read(part)
        return None if xml is None else etree.fromstring(xml, create_xml_parser())

    def iterate(self, part: str, tag: str) -> Iterator[Any]:
        """Yield the end events of the elements `tag` of a part; the caller clears the elements."""
        from lxml import etree

        name = self._names.get(part.lower())
        if name is None:
            return
        with self._archive.open(name) as stream:
            source = BytesIO(self.read(part) or b"") if self._is_strict else stream
            yield from etree.iterparse(
                source, tag=tag, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
                remove_comments=True, remove_pis=True,
            )  # fmt: skip

    def search(self, part: str, pattern: re.Pattern[bytes]) -> Iterator[bytes]:
        """Yield the first group of the matches of `pattern` in a part; a match has at most `OVERLAP` bytes."""
        name = self._names.get(part.lower())
        if name is None:
            return
        with self._archive.open(name) as stream:
            block = b""
            while piece := stream.read(BLOCK):
                block += piece
                end = 0
                for match in pattern.finditer(block):
                    yield match[1]
                    end = match.end()
                block = block[max(end, len(block) - OVERLAP) :]

    def read_properties(self) -> tuple[str, dict[str, str]]:
        """Return title and author of the document."""
        root = self.parse("docProps/core.xml")
        if root is None:
            return "", {}
        author = (root.findtext(f"{DUBLIN_CORE}creator") or "").strip()
        return (root.findtext(f"{DUBLIN_CORE}title") or "").strip(), {"author": author} if author else {}

    def list_relationships(self, part: str) -> dict[str, Relationship]:
        """Return the relationships of a part, or of the package, by id."""
        folder, _, file = part.rpartition("/")
        root = self.parse(posixpath.join(folder, "_rels", f"{file}.rels"))
        found = {}
        for element in root.iterchildren() if root is not None else ():
            is_external = element.get("TargetMode") == "External"
            target = element.get("Target") or ""
            if not is_external:
                target = posixpath.normpath(posixpath.join("/", folder, unquote(target))).lstrip("/")
            kind = (element.get("Type") or "").rpartition("/")[2]
            found[element.get("Id") or ""] = Relationship(kind, target, is_external)
        return found
