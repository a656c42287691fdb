"""XML of outside sources: without a document type, and bounded in size and depth."""

import gzip
import zlib
from typing import IO
from xml.etree import ElementTree as ET
from xml.parsers import expat

from knowledge.connectors.base import ConnectorError

MAX_BYTES = 50 * 1024 * 1024
MAX_ELEMENTS = 500_000
MAX_DEPTH = 100
READ_SIZE = 64 * 1024


def parse_xml(stream: IO[bytes], *, max_bytes: int = MAX_BYTES) -> ET.Element:
    """Return the root element of an XML document, which can be gzipped.

    Names have the form `{namespace}name`. A document type is refused, because it can define entities.

    Raises:
        ConnectorError: It is not well-formed, has a document type, or exceeds a limit.
    """
    reader = _XmlReader()
    size = 0
    try:
        unpacked = _unpack(stream)
        while block := unpacked.read(READ_SIZE):
            size += len(block)
            if size > max_bytes:
                raise ConnectorError(f"The XML document is larger than {max_bytes // 1024**2} MB.")
            reader.parser.Parse(block, False)
        reader.parser.Parse(b"", True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise ConnectorError("The XML document is not well-formed.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise ConnectorError("The gzipped XML document is damaged.") from error
    return reader.builder.close()


def get_name(element: ET.Element) -> str:
    """Return the local name of an element."""
    return element.tag.rpartition("}")[2]


def find_text(element: ET.Element, *names: str) -> str:
    """Return the text of the first child that has one of the local names, in their order."""
    for name in names:
        for child in element:
            if get_name(child) == name and (text := "".join(child.itertext()).strip()):
                return text
    return ""


def _unpack(stream: IO[bytes]) -> IO[bytes]:
    start = stream.read(2)
    stream.seek(0)
    return gzip.GzipFile(fileobj=stream, mode="rb") if start == b"\x1f\x8b" else stream  # type: ignore[return-value]


class _XmlReader:
    """Builds the elements of a document and counts them."""

    def __init__(self) -> None:
        self.builder = ET.TreeBuilder()
        self.parser = expat.ParserCreate(namespace_separator="}")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self.builder.data
        self._elements = self._depth = 0

    def _refuse(self, *declaration: object) -> None:
        raise ConnectorError("An XML document with a document type is not supported.")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements, self._depth = self._elements + 1, self._depth + 1
        if self._elements > MAX_ELEMENTS or self._depth > MAX_DEPTH:
            raise ConnectorError("The XML document has too many elements.")
        self.builder.start(_expand(name), {_expand(key): value for key, value in attributes.items()})

    def _end(self, name: str) -> None:
        self._depth -= 1
        self.builder.end(_expand(name))


def _expand(name: str) -> str:
    return f"{{{name}" if "}" in name else name
