"""Office Math (OMML) as LaTeX."""

from collections.abc import Callable, Iterable
from typing import Any

MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_OPERATORS = {
    "∑": r"\sum",
    "∏": r"\prod",
    "∫": r"\int",
    "∬": r"\iint",
    "∮": r"\oint",
    "⋃": r"\bigcup",
    "⋂": r"\bigcap",
}
_ACCENTS = {
    "\u0302": r"\widehat",
    "\u0303": r"\tilde",
    "\u0304": r"\bar",
    "\u0305": r"\overline",
    "\u20d7": r"\vec",
    "\u0307": r"\dot",
    "\u0308": r"\ddot",
}


def format_equation(element: Any) -> str:
    """Return an `m:oMath` or `m:oMathPara` element as LaTeX between dollar signs."""
    text = " ".join(_format_children(element).split())
    return f"${text}$" if text else ""


def _format_children(element: Any) -> str:
    return "".join(map(_format, element.iterchildren(f"{MATH}*")))


def _format(element: Any) -> str:
    name = element.tag.removeprefix(MATH)
    if name == "t":
        return element.text or ""
    if name.endswith("Pr"):
        return ""
    formatter = _FORMATTERS.get(name)
    return formatter(element) if formatter else _format_children(element)


def _part(element: Any, name: str) -> str:
    child = element.find(MATH + name)
    return "" if child is None else _format_children(child)


def _parts(element: Any, name: str) -> Iterable[str]:
    return (_format_children(child) for child in element.iterchildren(MATH + name))


def _property(element: Any, properties: str, name: str, default: str) -> str:
    found = element.find(f"{MATH}{properties}/{MATH}{name}")
    return default if found is None else found.get(f"{MATH}val", default)


def _format_nary(element: Any) -> str:
    sign = _property(element, "naryPr", "chr", "∫")
    limits = _raise(element, "sub", "_") + _raise(element, "sup", "^")
    return f"{_OPERATORS.get(sign, sign)}{limits} {_part(element, 'e')}"


def _raise(element: Any, name: str, mark: str) -> str:
    text = _part(element, name)
    return f"{mark}{{{text}}}" if text else ""


def _format_delimiters(element: Any) -> str:
    separator = _property(element, "dPr", "sepChr", "|")
    inner = separator.join(_parts(element, "e"))
    return _property(element, "dPr", "begChr", "(") + inner + _property(element, "dPr", "endChr", ")")


def _format_matrix(element: Any) -> str:
    rows = (" & ".join(_parts(row, "e")) for row in element.iterchildren(f"{MATH}mr"))
    return r"\begin{matrix}" + r" \\ ".join(rows) + r"\end{matrix}"


def _format_accent(element: Any) -> str:
    sign = _property(element, "accPr", "chr", "\u0302")
    return f"{_ACCENTS.get(sign, sign)}{{{_part(element, 'e')}}}"


def _format_root(element: Any) -> str:
    degree = _part(element, "deg")
    return rf"\sqrt{f'[{degree}]' if degree else ''}{{{_part(element, 'e')}}}"


_FORMATTERS: dict[str, Callable[[Any], str]] = {
    "f": lambda each: rf"\frac{{{_part(each, 'num')}}}{{{_part(each, 'den')}}}",
    "sSup": lambda each: _part(each, "e") + _raise(each, "sup", "^"),
    "sSub": lambda each: _part(each, "e") + _raise(each, "sub", "_"),
    "sSubSup": lambda each: _part(each, "e") + _raise(each, "sub", "_") + _raise(each, "sup", "^"),
    "sPre": lambda each: _raise(each, "sub", "_") + _raise(each, "sup", "^") + _part(each, "e"),
    "limLow": lambda each: _part(each, "e") + _raise(each, "lim", "_"),
    "limUpp": lambda each: _part(each, "e") + _raise(each, "lim", "^"),
    "func": lambda each: f"{_part(each, 'fName')} {_part(each, 'e')}",
    "bar": lambda each: rf"\overline{{{_part(each, 'e')}}}",
    "eqArr": lambda each: r" \\ ".join(_parts(each, "e")),
    "rad": _format_root,
    "nary": _format_nary,
    "d": _format_delimiters,
    "m": _format_matrix,
    "acc": _format_accent,
}
