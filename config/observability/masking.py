"""Secrets and personal data in log lines become what they are: `[token]`, `[e-mail]`.

One pattern looks at each text first; most have nothing to hide and are left alone.
"""

import re
from collections.abc import Mapping
from typing import Any

# A value under such a name is never written, whatever it looks like.
SECRET_NAMES = re.compile(
    r"(?i)(?:^|[_-])(?:password|passwd|secret|token|api[_-]?key|authorization|credentials?|cookie|private[_-]?key|pepper)$"
)
PATTERNS: dict[str, str] = {
    # Ids are no secrets; without this their digits would pass for numbers of telephones.
    "id": r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b",
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    "authorization": r"(?i:\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,})",
    "token": r"\bcvk_[a-z]+_[A-Za-z0-9_-]{8,}|\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{12,}|\bgh[pousr]_[A-Za-z0-9]{20,}"
    r"|\bxox[a-z]-[A-Za-z0-9-]{10,}|\bAKIA[A-Z0-9]{16}\b|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+",
    "password": r"(?<=://)[^\s/:@]*:[^\s/@]+(?=@)",
    "secret": r"(?i:(?:password|passwd|secret|token|api[_-]?key)[\"']?\s*[=:]\s*)[\"']?[^\s\"',;&)}\]]+",
    "e-mail": r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}",
    "IBAN": r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b",
    "card": r"\b\d(?:[ -]?\d){12,18}\b",
    "phone": r"(?<![\w.-])(?:\+|00)\d{1,3}[ ./()-]{0,2}(?:\d[ ./()-]{0,2}){6,12}\d\b",
}
GROUPS = {f"g{number}": name for number, name in enumerate(PATTERNS)}
ANY = re.compile(
    "|".join(f"(?P<g{number}>{each})" for number, each in enumerate(PATTERNS.values())), re.DOTALL
)
# What is never searched: the clock's and the library's own words.
UNSEARCHED = frozenset({"timestamp", "level", "logger", "request_id", "trace_id", "span_id", "code"})
DEEPEST = 6


def _is_card(digits: str) -> bool:
    """ISO/IEC 7812-1: Luhn's check digit."""
    total = 0
    for place, digit in enumerate(reversed([int(each) for each in digits if each.isdigit()])):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _named(match: re.Match[str]) -> str:
    kind = GROUPS[match.lastgroup or ""]
    if kind == "id" or (kind == "card" and not _is_card(match.group())):
        return match.group()
    if kind == "secret":
        return f"{re.split('[=:]', match.group(), maxsplit=1)[0]}=[secret]"
    return f"[{kind}]"


def mask(text: str) -> str:
    """The text without secrets and personal data."""
    return ANY.sub(_named, text)


def masked(value: Any, depth: int = 0) -> Any:
    """A value of a log line with every text in it masked; what lies too deep is left out."""
    if isinstance(value, str):
        return mask(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth > DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {key: _of(str(key), each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(each, depth + 1) for each in value]
    return mask(str(value))


def _of(name: str, value: Any, depth: int) -> Any:
    if SECRET_NAMES.search(name) and isinstance(value, str | bytes | Mapping | list):
        return "[secret]"
    return masked(value, depth)


def mask_event(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """structlog's processor; put it last before the renderer, when exceptions are text already."""
    return {name: value if name in UNSEARCHED else _of(name, value, 0) for name, value in event.items()}
