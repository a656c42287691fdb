"""Splits text into sentences, list items, headings, table rows and code blocks.

A sentence ends at `. ! ? …` before white space and a word that can begin a sentence, unless the mark belongs to an
abbreviation, an initial or a number, and at the unambiguous marks of other scripts, such as `。`, `؟` and `।`. Thai and
Lao have no marks; long text is split at spaces between words. A blank line, a list item, a heading, a table row and a
code block are separate units, so hard-wrapped prose is joined and lists are not.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple


class Span(NamedTuple):
    """A stripped range of characters: `text == source[start:end]`."""

    start: int
    end: int
    text: str


_ABBREVIATIONS = frozenset(
    (  # noqa: SIM905
        "mr mrs ms dr prof sr jr st mt rev hon gen col capt lt sgt e.g i.e eg ie vs cf al approx ca "
        "fig figs eq eqs sec ch vol vols ed eds pp p no nos art inc ltd co corp dept est resp bzw z.b "
        "usw u.a d.h m.e nr str abb jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu "
        "fri a.m p.m u.s u.k ph.d viz incl excl "
        # German, Dutch, Danish, Norwegian and Swedish.
        "ggf vgl bspw evtl inkl zzgl tel mio mrd geb dipl ing hr z.t z.zt s.o s.u i.d.r v.a bijv d.w.z dhr mevr blz "
        "o.a t.a.v m.b.t f.eks bl.a dvs kl evt t.ex "
        # French, Italian, Portuguese, Romanian and Spanish.
        "mme mlle p.ex env sra srta dra pág págs núm avda p.ej aprox ee.uu sig dott avv pag pagg dl dna "
        # Czech, Finnish, Greek, Hungarian, Polish, Russian, Turkish and Ukrainian.
        "např tj tzv tzn tzw mj np godz m.in inż mgr ul esim ks klo nro kb ún ill π.χ δηλ σελ αρ örn mah cad "
        "ул рис табл т.е т.к т.н см ср руб тыс млн млрд проф акад вул грн тис див"
    ).split()
)
_NEVER_LAST = _ABBREVIATIONS - {
    "co",
    "inc",
    "ltd",
    "corp",
    "a.m",
    "p.m",
    "al",
    "est",
    "ed",
    "no",
    "usw",
    "u.s",
    "u.k",
}
# A run of marks is matched from its start only; otherwise a long run takes quadratic time.
_END = re.compile(
    r"((?<![.!?…])[.!?…]++[)\]\"'»”’*_`]*)(\s+)"
    # Marks of Chinese, Japanese, Arabic, Urdu, Armenian, Indic, Tibetan, Burmese, Khmer and Ethiopic text.
    r"|((?<![。！？｡؟۔։।॥།༎။។៕።፧])[。！？｡؟۔։।॥།༎။។៕።፧]++[」』”’)»]*)(\s*)"
)
# A space between Thai or Lao letters, which may separate sentences.
_THAI_SPACE = re.compile(r"(?<=[\u0e01-\u0e4e\u0e81-\u0ecd])\s++(?=[\u0e01-\u0e4e\u0e81-\u0ecd])")
_MIN_THAI = 40
_GERMAN_MONTHS = re.compile(r"(?:Jan|Jän|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez)")
_LAST_WORD = re.compile(r"[(\[\"'“]*([^\W\d_](?:[\w.]*\w)?)$")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_ALONE = re.compile(r"\s*(#{1,6}\s|\|.*\||>>>\s|([=\-~^*_+#\"])\2{2,}\s*$)")
_ITEM = re.compile(r"\s*([-*+•–·]\s+|\(?\w{1,3}[.)]\s+|\[[ x]\]\s)")
# The longest abbreviation is much shorter; a limit keeps the search for the last word linear.
_MAX_WORD = 40
_QUOTES = ('"""', "'''")
_DOCSTRING = re.compile(r"\s*[rRuUbB]{0,2}(\"{3}|'{3})")
_TABLE_ROW = re.compile(r".*\S\s\|\s\S")


def split_sentences(text: str) -> list[Span]:
    """Return the sentences in order; together they contain all non-whitespace characters."""
    return [span for start, end in _blocks(text) for span in _sentences(text, start, end)]


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Yield paragraphs, list items, headings, table rows and fenced blocks as (start, end)."""
    position, begin, fence, indented, before_code = 0, 0, "", False, False
    for line in text.splitlines(keepends=True):
        start, position = position, position + len(line)
        mark = _FENCE.match(line)
        if fence:
            fence = "" if mark and mark[1].startswith(fence) else fence
            if not fence:
                yield begin, position
                begin = position
            continue
        deep = line.startswith(("    ", "\t"))
        if mark or not line.strip() or _begins_block(line) or (deep and not indented and before_code):
            yield begin, start
            begin = start
        if (not mark and _stands_alone(line)) or line.rstrip().endswith(_QUOTES):
            yield begin, position
            begin = position
        fence, indented, before_code = mark[1] if mark else "", deep, line.rstrip().endswith(":")
    yield begin, position


def _begins_block(line: str) -> bool:
    return bool(_ITEM.match(line) or _DOCSTRING.match(line)) or _stands_alone(line)


def _stands_alone(line: str) -> bool:
    return bool(_ALONE.match(line) or _TABLE_ROW.match(line))


def _sentences(text: str, start: int, end: int) -> Iterator[Span]:
    if _FENCE.match(text, start, end):
        yield from _span(text, start, end)
        return
    begin = start
    for mark in _END.finditer(text, start, end):
        stop = mark.end(1) if mark[1] else mark.end(3)
        if mark[3] or _ends_sentence(text, begin, mark):
            yield from _clauses(text, begin, stop)
            begin = stop
    yield from _clauses(text, begin, end)


def _clauses(text: str, start: int, end: int) -> Iterator[Span]:
    """Split Thai and Lao text at spaces into parts of at least `_MIN_THAI` characters."""
    if end - start >= 2 * _MIN_THAI:
        for space in _THAI_SPACE.finditer(text, start, end):
            if space.start() - start >= _MIN_THAI <= end - space.end():
                yield from _span(text, start, space.start())
                start = space.end()
    yield from _span(text, start, end)


def _ends_sentence(text: str, begin: int, mark: re.Match[str]) -> bool:
    following = text[mark.end() : mark.end() + 1]
    if not mark[1].startswith(".") or mark[1].startswith(".."):
        return not (following.islower() and mark[1].startswith((".", "…")))
    if following.islower():
        return False
    word = _LAST_WORD.search(text, max(begin, mark.start() - _MAX_WORD), mark.start())
    if text[mark.start() - 1 : mark.start()].isdecimal() and _GERMAN_MONTHS.match(text, mark.end()):
        return False
    if not word:
        return mark.start() > begin and not _ITEM.fullmatch(text, begin, mark.start() + 2)
    name = word[1].lower()
    initial = len(word[1]) == 1 and word[1].isupper()
    return not (initial or name in _NEVER_LAST or (name == "no" and following.isdigit()))


def _span(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield the stripped span unless it is empty."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    if stripped := piece.strip():
        yield Span(start, start + len(stripped), stripped)
