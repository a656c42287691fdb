"""Reader for LaTeX: sections, lists, tables, footnotes; equations stay in LaTeX."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import PurePath

from knowledge.parsing.document import ParseError, ReaderResult, TextBlock, decode

MAX_LEVEL = 20
MAX_GROUPS = 1000
_TOKEN = re.compile(
    r"\\(begin|end)\s{0,9}\{([^{}\n]{1,60})\}|\\([a-zA-Z@]{1,60})(\*?)|\\(.)|(\$\$?)|([{}])|(&)|(%[^\n]*(?:\n|$))|([^\\${}&%]+)",
    re.DOTALL,
)
_OPTION = re.compile(r"[ \t]{0,20}\[([^\[\]]{0,500})\]")
_LEVELS = {
    "part": 1,
    "chapter": 2,
    "section": 3,
    "subsection": 4,
    "subsubsection": 5,
    "paragraph": 6,
    "subparagraph": 7,
}
# Commands with the number of arguments that hold no text.
_SKIPPED = {
    "label": 1, "usepackage": 1, "documentclass": 1, "bibliographystyle": 1, "bibliography": 1, "addbibresource": 1,
    "vspace": 1, "hspace": 1, "setlength": 2, "addtolength": 2, "setcounter": 2, "newcommand": 2, "renewcommand": 2,
    "providecommand": 2, "newenvironment": 3, "pagestyle": 1, "thispagestyle": 1, "hypersetup": 1, "geometry": 1,
    "multicolumn": 2, "multirow": 2, "textcolor": 1, "color": 1, "cline": 1, "cmidrule": 1, "rule": 2, "input": 1,
    "include": 1, "includegraphics": 1, "pagenumbering": 1, "DeclareMathOperator": 2, "newtheorem": 2, "hyphenation": 1,
    "definecolor": 3, "lstset": 1, "graphicspath": 1, "index": 1, "date": 1, "thanks": 1, "fontsize": 2, "raisebox": 1,
}  # fmt: skip
_ENVIRONMENT_ARGUMENTS = {"tabular": 1, "tabular*": 2, "tabularx": 2, "longtable": 1, "array": 1, "minipage": 1,
                          "thebibliography": 1, "multicols": 1, "wrapfigure": 2, "adjustbox": 1}  # fmt: skip
_TABLES = frozenset(("tabular", "tabular*", "tabularx", "longtable", "tabu"))
_RAW = frozenset(("verbatim", "Verbatim", "lstlisting", "minted", "alltt"))
_MATH = frozenset(
    name + star
    for name in ("equation", "align", "gather", "multline", "eqnarray", "math", "displaymath")
    for star in ("", "*")
)
_DROPPED = frozenset(("comment", "tikzpicture", "pgfpicture", "filecontents"))
_MATH_ENDS = {"[": "\\]", "(": "\\)"}
_ACCENTS = {"`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", '"': "\u0308", ".": "\u0307",
            "c": "\u0327", "v": "\u030c", "u": "\u0306", "H": "\u030b", "k": "\u0328", "r": "\u030a"}  # fmt: skip
_CHARACTERS = {
    "ss": "ß", "o": "ø", "O": "Ø", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å", "AA": "Å", "l": "ł", "L": "Ł",
    "i": "ı", "ldots": "…", "dots": "…", "textendash": "–", "textemdash": "—", "LaTeX": "LaTeX", "TeX": "TeX",
    "textbackslash": "\\", "textasciitilde": "~", "textdegree": "°", "euro": "€", "pounds": "£", "S": "§",
    "par": "\n\n",
    "newline": "\n", "quad": " ", "qquad": " ", "linebreak": "\n", "copyright": "©", "textquotesingle": "'",
    "tabularnewline": "\n",
}  # fmt: skip


def read_latex(data: bytes, name: str) -> ReaderResult:
    """Return the text under each section heading; the title is that of the document."""
    reader = _LatexReader()
    text = decode(data, name)
    start = text.find("\\begin{document}")
    reader.read(text)
    pieces = reader.finish(preamble=start >= 0)
    title = reader.facts.get("title", "") or PurePath(name).stem
    metadata = {"author": reader.facts["author"]} if reader.facts.get("author") else {}
    return ReaderResult(pieces, title, metadata, reader.warnings)


def _skip(_words: str) -> None:
    """Drop an argument."""


def _collapse(text: str) -> str:
    """Collapse white space; lines without text separate paragraphs."""
    if not text.strip():
        return "\n\n" if text.count("\n") > 1 else " "
    paragraphs: list[list[str]] = [[]]
    lines = text.split("\n")
    for number, line in enumerate(lines):
        words = line.split()
        if not words and 0 < number < len(lines) - 1:
            paragraphs.append([])
        paragraphs[-1] += words
    joined = "\n\n".join(" ".join(words) for words in paragraphs)
    return (" " if text[:1].isspace() else "") + joined + (" " if text[-1:].isspace() else "")


class _LatexReader:
    """State of the open groups and environments."""

    def __init__(self) -> None:
        self.warnings: Counter[str] = Counter()
        self.facts: dict[str, str] = {}
        self._pieces: list[TextBlock] = []
        self._stack: list[tuple[int, str]] = []
        self._parts: list[str] = []
        # Open braces: the text before, what to do with the text in them, and with the arguments that follow.
        self._groups: list[tuple[list[str], Callable[[str], None], list[Callable[[str], None]]] | None] = []
        self._waiting: list[Callable[[str], None]] = []
        self._environments: list[str] = []
        self._counts: list[int] = []
        self._document = 0

    def read(self, text: str) -> None:
        """Read the source."""
        position = 0
        while token := _TOKEN.match(text, position):
            edge, environment, command, _star, symbol, dollar, brace, cell, _comment, plain = token.groups()
            position = token.end()
            if plain is not None:
                self._add_plain(plain)
            elif brace is not None:
                self._change_group(brace)
            elif edge is not None:
                position = self._change_environment(edge, environment, text, token)
            elif command is not None:
                position = self._read_command(command, text, position)
            elif dollar is not None or symbol in _MATH_ENDS:
                position = self._copy(text, token.start(), position, dollar or _MATH_ENDS[symbol])
            elif symbol is not None:
                position = self._read_symbol(symbol, text, position)
            elif cell is not None:
                self._add_cell()

    def _add_cell(self) -> None:
        if self._in_table() and self._parts:
            self._parts[-1] = self._parts[-1].rstrip(" ")
        self._add(" | " if self._in_table() else "&")

    def _change_environment(self, edge: str, name: str, text: str, token: re.Match[str]) -> int:
        if edge == "begin":
            return self._begin(name, text, token.start(), token.end())
        self._end(name)
        return len(text) if name == "document" else token.end()

    def finish(self, *, preamble: bool) -> list[TextBlock]:
        """Return the blocks, without the text before `document` if there is a preamble."""
        while self._groups:
            self._change_group("}")
        self._cut()
        return self._pieces[self._document if preamble else 0 :]

    def _add(self, text: str) -> None:
        self._parts.append(text)

    def _add_plain(self, text: str) -> None:
        if self._waiting and not text.strip():
            return
        if self._waiting:
            # The argument is a single character without braces.
            self._waiting.pop(0)(text.lstrip()[0])
            text = text.lstrip()[1:]
        text = _collapse(text).replace("~", " ")
        if self._parts and self._parts[-1].endswith((" ", "\n")):
            text = text.lstrip(" ")
        self._add(text.replace("---", "—").replace("--", "–").replace("``", "“").replace("''", "”"))

    def _change_group(self, brace: str) -> None:
        if brace == "{":
            if len(self._groups) >= MAX_GROUPS:
                raise ParseError(f"The file has more than {MAX_GROUPS:,} nested groups.")
            if self._waiting:
                self._groups.append((self._parts, self._waiting[0], self._waiting[1:]))
                self._parts, self._waiting = [], []
            else:
                self._groups.append(None)
            return
        group = self._groups.pop() if self._groups else None
        if group is not None:
            text = "".join(self._parts)
            self._parts, handle, self._waiting = group
            handle(text)

    def _read_symbol(self, symbol: str, text: str, position: int) -> int:
        if symbol == "\\":
            self._add("\n")
            option = _OPTION.match(text, position)
            return option.end() if option else position
        if symbol in _ACCENTS:
            self._waiting = [partial(self._accent, mark=_ACCENTS[symbol])]
        elif symbol in "%&$#_{}":
            self._add(symbol)
        elif symbol in ",;: \n":
            self._add(" ")
        return position

    def _accent(self, text: str, mark: str) -> None:
        letter = {"ı": "i"}.get(text[:1], text[:1])
        self._add(unicodedata.normalize("NFC", letter + mark) + text[1:])

    def _read_command(self, command: str, text: str, position: int) -> int:
        option = _OPTION.match(text, position)
        if command == "item":
            return self._add_item(option, position)
        if command in _CHARACTERS:
            self._add(_CHARACTERS[command])
            return position
        if command in _SKIPPED:
            self._waiting = [_skip] * _SKIPPED[command]
            self.warnings["images_without_text"] += command == "includegraphics"
            self.warnings["embedded_files"] += command in ("input", "include")
        elif handle := self._find_handler(command):
            self._waiting = [handle]
        return option.end() if option else position

    def _find_handler(self, command: str) -> Callable[[str], None] | None:
        """Return what to do with the argument of a command; other arguments stay in the text."""
        if command in _LEVELS:
            return partial(self._start_section, level=_LEVELS[command])
        if command in _ACCENTS:
            return partial(self._accent, mark=_ACCENTS[command])
        if command in ("title", "author"):
            return lambda words: self.facts.__setitem__(command, " ".join(words.split()))
        if command in ("footnote", "footnotetext"):
            return lambda words: self._add(f" ({' '.join(words.split())})")
        if command in ("caption", "captionof"):
            return lambda words: self._add(f"\n\n{words.strip()}\n\n")
        if command == "href":
            return lambda address: self._waiting.append(lambda words: self._add(f"{words} ({address})"))
        if command.lower().startswith(("cite", "parencite", "textcite")) or command == "bibitem":
            return lambda key: self._add(f"[{key}]")
        return None

    def _add_item(self, option: re.Match[str] | None, position: int) -> int:
        numbered = bool(self._environments) and self._environments[-1] == "enumerate"
        if self._counts:
            self._counts[-1] += 1
        mark = f"{self._counts[-1]}. " if numbered and self._counts else "- "
        indent = "  " * min(max(len(self._counts) - 1, 0), 9)
        self._add(f"\n{indent}{mark}")
        if option:
            self._add(f"{option[1]}: ")
            return option.end()
        return position

    def _begin(self, name: str, text: str, start: int, position: int) -> int:
        if option := _OPTION.match(text, position):
            position = option.end()
        if name in _RAW or name in _DROPPED or name in _MATH:
            close = f"\\end{{{name}}}"
            if name in _DROPPED:
                end = text.find(close, position)
                self.warnings["images_without_text"] += name.endswith("picture")
                return len(text) if end < 0 else end + len(close)
            return self._copy(text, position if name in _RAW else start, position, close, keep=name in _MATH)
        if name == "document":
            self._cut()
            self._document = len(self._pieces)
        elif name == "abstract":
            self._start_section("Abstract", _LEVELS["section"])
        if name in ("itemize", "enumerate", "description") and len(self._counts) < MAX_LEVEL:
            self._counts.append(0)
        self._waiting = [_skip] * _ENVIRONMENT_ARGUMENTS.get(name, 0)
        self._environments.append(name)
        self._add("\n" if name in ("itemize", "enumerate", "description") else "\n\n")
        return position

    def _end(self, name: str) -> None:
        if name in self._environments[-MAX_LEVEL:]:
            while self._environments.pop() != name:
                pass
        if name in ("itemize", "enumerate", "description") and self._counts:
            self._counts.pop()
        if name == "document":
            self._cut()
        self._add("\n" if self._counts else "\n\n")

    def _copy(self, text: str, start: int, position: int, close: str, *, keep: bool = True) -> int:
        """Copy the source up to `close`, which is kept for equations."""
        end = text.find(close, position)
        end = len(text) if end < 0 else end
        after = min(end + len(close), len(text))
        self._add(text[start : after if keep else end])
        return after

    def _in_table(self) -> bool:
        return any(name in _TABLES for name in self._environments[-MAX_LEVEL:])

    def _start_section(self, words: str, level: int) -> None:
        title = " ".join(words.split())
        self._cut()
        self._stack = [entry for entry in self._stack if entry[0] < level] + [(level, title)]
        self._parts.append(f"{title}\n\n")

    def _cut(self) -> None:
        """End the block under the current headings."""
        lines = (
            line.strip(" |") if " | " in line else line.rstrip() for line in "".join(self._parts).split("\n")
        )
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
        if text or not self._stack:
            self._pieces.append(TextBlock(text, tuple(name for _, name in self._stack if name)))
        self._parts = []
