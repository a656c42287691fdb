"""Reader for RTF: paragraphs, table rows, footnotes and fields; formatting is dropped."""

import re
from collections import Counter
from typing import Any

from knowledge.parsing.document import ParseError, ReaderResult, TextBlock
from knowledge.parsing.options import current_options

MAX_DEPTH = 1_000
_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?[0-9]{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n]+|([^\\{}\r\n]+)"
)
# Groups whose text is not part of the document.
_SKIPPED = frozenset(
    (  # noqa: SIM905
        "fonttbl colortbl stylesheet info listtable listoverridetable revtbl rsidtbl generator pict object fldinst "
        "themedata colorschememapping datastore latentstyles xmlnstbl filetbl nonshppict bkmkstart bkmkend private "
        "atnid atnauthor atnref atndate atnparent footnotesep pntext pntxta pntxtb annotation-id template mmathPr"
    ).split()
)
# Groups marked as optional whose text is read.
_OPTIONAL = frozenset(("shppict", "shptxt", "shpinst", "annotation", "footnote", "fldrslt", "listtext"))
_TEXTS = {
    "par": "\n", "line": "\n", "sect": "\n", "page": "\n", "row": "\n", "nestrow": "\n", "tab": "\t", "cell": " | ",
    "nestcell": " | ", "emdash": "—", "endash": "–", "bullet": "•", "lquote": "‘", "rquote": "’", "ldblquote": "“",
    "rdblquote": "”", "emspace": " ", "enspace": " ", "qmspace": " ",
}  # fmt: skip
_SYMBOLS = {b"~": " ", b"_": "-", b"-": "", b"\n": "\n", b"\r": "\n", b"\\": "\\", b"{": "{", b"}": "}"}
# Windows code pages of character sets of fonts.
_CHARSETS = {
    0: 1252, 77: 10000, 128: 932, 129: 949, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255, 178: 1256,
    186: 1257, 204: 1251, 222: 874, 238: 1250,
}  # fmt: skip


def read_rtf(data: bytes, name: str) -> ReaderResult:
    """Return the text of an RTF file as one block.

    Raises:
        ParseError: If it is not RTF or nested too deep.
    """
    if not data.lstrip()[:5] == b"{\\rtf":
        raise ParseError(f"{name}: damaged RTF (it does not begin as one)")
    reader = _RtfReader(name)
    reader.read(data)
    lines = (
        line.rstrip(" \t|") if line.endswith(" | ") else line.rstrip()
        for line in "".join(reader.parts).split("\n")
    )
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
    return ReaderResult([TextBlock(text)], reader.title, {}, reader.warnings)


class _RtfReader:
    """State of the groups of one file."""

    def __init__(self, name: str) -> None:
        self.parts: list[str] = []
        self.warnings: Counter[str] = Counter()
        self._name = name
        self._title: list[str] = []
        self._bytes = bytearray()
        self._page = "cp1252"
        self._fonts: dict[int, str] = {}
        self._font = 0
        # Of each open group: whether its text is skipped, its name, length of the fallback of `\u`, code page.
        self._state: tuple[bool, str, int, str] = (False, "", 1, "")
        self._stack: list[tuple[bool, str, int, str]] = []
        self._fallback = 0
        self._is_optional = False

    @property
    def title(self) -> str:
        """Return the title in the properties of the file."""
        return "".join(self._title)

    def read(self, data: bytes) -> None:
        """Read all tokens."""
        position = 0
        while token := _TOKEN.match(data, position):
            position = token.end()
            word, number, code, symbol, brace, plain = token.groups()
            if word is None and code is None:
                self._flush()
            if word is not None:
                if word == b"bin" and number:
                    position += min(max(int(number), 0), len(data))
                self._read_word(word.decode(), int(number) if number else None)
            elif code is not None:
                self._add_bytes(bytes.fromhex(code.decode()))
            elif brace is not None:
                self._change_group(brace)
            elif symbol is not None:
                self._is_optional = symbol == b"*"
                self._add_text(_SYMBOLS.get(symbol, ""))
            elif plain is not None:
                self._add_bytes(plain)
                self._flush()
        self._flush()

    def _change_group(self, brace: bytes) -> None:
        self._fallback = 0
        if brace == b"}":
            if self._state[1] == "footnote":
                self.parts.append("] ")
            self._state = self._stack.pop() if self._stack else (False, "", 1, "")
            return
        if len(self._stack) >= MAX_DEPTH:
            raise ParseError(f"{self._name}: nested too deep")
        self._stack.append(self._state)

    def _read_word(self, word: str, number: int | None) -> None:
        if word == "u" and number is not None:
            self._flush()
            self._add_text(chr(number % 65536))
            self._fallback = self._state[2]
            return
        self._flush()
        optional, self._is_optional = self._is_optional, False
        is_skipped, name, fallback, page = self._state
        is_comment = word == "annotation" and not current_options.get().has_comments
        if word in _SKIPPED or is_comment or (optional and word not in _OPTIONAL):
            self.warnings["images_without_text"] += word == "pict" and not is_skipped
            self.warnings["embedded_files"] += word == "object" and not is_skipped
            is_skipped, name = True, word
        elif word == "title" and name == "info":
            name = "title"
        elif word in ("footnote", "annotation") and not is_skipped:
            self.parts.append(" [")
            name = "footnote"
        elif word == "uc":
            fallback = min(max(number or 0, 0), 10)
        elif word == "f" and number is not None:
            self._font, page = number, self._fonts.get(number, "")
        elif word == "fcharset" and name == "fonttbl":
            self._fonts[self._font] = f"cp{_CHARSETS.get(number or 0, 1252)}"
        elif word == "ansicpg" and number:
            self._page = f"cp{number}"
        elif word == "plain":
            page = ""
        self._state = (is_skipped, name, fallback, page)
        self._add_text(_TEXTS.get(word, ""))

    def _add_bytes(self, data: bytes) -> None:
        skipped = min(self._fallback, len(data))
        self._fallback -= skipped
        self._bytes += data[skipped:]

    def _flush(self) -> None:
        """Decode the collected bytes, which may be parts of characters of several bytes."""
        if self._bytes:
            data, self._bytes = bytes(self._bytes), bytearray()
            try:
                self._add_text(data.decode(self._state[3] or self._page, errors="replace"))
            except LookupError:
                self._add_text(data.decode("cp1252", errors="replace"))

    def _add_text(self, text: str) -> None:
        is_skipped, name, *_ = self._state
        target: Any = self._title if name == "title" else None if is_skipped else self.parts
        if target is not None and text:
            target.append(text)
