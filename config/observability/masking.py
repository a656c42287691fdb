"""Masks secrets and personal data in log records with their kind: `[token]`, `[e-mail]`.

Log text contains input from outside, so the cost is bounded: a text is truncated to `MAX_TEXT` characters
first, and no pattern scans the same run of characters from more than one starting point.
"""

import re
from collections.abc import Mapping
from typing import Any

# Longer texts are truncated before they are masked; long enough for the traceback of a deep call stack.
MAX_TEXT = 16_384
TRUNCATED = "… [truncated]"
# A truncated text ends at white space found this close to the limit, so that no secret is cut in half: a half
# may no longer match its pattern.
CUT_WINDOW = 1_024
# Values with such a name are never logged, whatever they look like.
SECRET_NAMES = re.compile(
    r"(?i)(?:^|[_-])(?:password|passwd|secret|token|api[_-]?key|authorization|credentials?|cookie|private[_-]?key|pepper)$"
)
PATTERNS: dict[str, str] = {
    # UUIDs are not secret. They are matched first so that their digits are not taken for phone numbers.
    "id": r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b",
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    "authorization": r"(?i:\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,})",
    # The first part of a JSON Web Token ends before "-eyJ"; otherwise each "eyJ" of a long run is read to its end.
    "token": r"\bcvk_[a-z]+_[A-Za-z0-9_-]{8,}|\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{12,}|\bgh[pousr]_[A-Za-z0-9]{20,}"
    r"|\bxox[a-z]-[A-Za-z0-9-]{10,}|\bAKIA[A-Z0-9]{16}\b|\beyJ(?:\w|-(?!eyJ)){8,2048}+\.[\w-]{8,}+\.[\w-]+",
    "password": r"(?<=://)[^\s/:@]*:[^\s/@]+(?=@)",
    "secret": r"(?i:(?:password|passwd|secret|token|api[_-]?key)[\"']?\s*[=:]\s*)[\"']?[^\s\"',;&)}\]]+",
    # Starts at the beginning of a run only; otherwise a long run without "@" takes quadratic time.
    "e-mail": r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]++@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}",
    "IBAN": r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b",
    "card": r"\b\d(?:[ -]?\d){12,18}\b",
    "phone": r"(?<![\w.-])(?:\+|00)\d{1,3}[ ./()-]{0,2}(?:\d[ ./()-]{0,2}){6,12}\d\b",
}
GROUPS = {f"g{number}": name for number, name in enumerate(PATTERNS)}
ANY = re.compile(
    "|".join(f"(?P<g{number}>{each})" for number, each in enumerate(PATTERNS.values())), re.DOTALL
)
# A text without any of these, in lower case, and without a match of `NUMBERS` has nothing to mask. Most texts are
# such, and the search takes a tenth of the time.
LITERALS = (
    *("-----begin", "bearer", "basic", "://", "@", "password", "passwd", "secret", "token"),
    *("apikey", "api_key", "api-key", "cvk_", "xox", "akia", "eyj", "sk-", "sk_", "pk-", "pk_", "rk-", "rk_"),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
)
NUMBERS = re.compile(r"[A-Z]{2}\d{2}|\d(?:[ -]?\d){12}|(?<![\w.-])(?:\+|00)\d")
# Fields that are never masked: their values come from this process.
UNSEARCHED = frozenset({"timestamp", "level", "logger", "request_id", "trace_id", "span_id", "code"})
DEEPEST = 6


def may_contain_secrets(text: str) -> bool:
    """Return False if no pattern can match in `text`."""
    folded = text.casefold()
    return any(each in folded for each in LITERALS) or NUMBERS.search(text) is not None


def _is_card(digits: str) -> bool:
    """Return whether the Luhn check digit is valid (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed([int(each) for each in digits if each.isdigit()])):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _replace_match(match: re.Match[str]) -> str:
    kind = GROUPS[match.lastgroup or ""]
    if kind == "id" or (kind == "card" and not _is_card(match.group())):
        return match.group()
    if kind == "secret":
        return f"{re.split('[=:]', match.group(), maxsplit=1)[0]}=[secret]"
    return f"[{kind}]"


def mask(text: str) -> str:
    """Return `text` with secrets and personal data masked, truncated to `MAX_TEXT` characters."""
    searched = text if len(text) <= MAX_TEXT else _truncate(text)
    masked = ANY.sub(_replace_match, searched) if may_contain_secrets(searched) else searched
    return masked if searched is text else masked + TRUNCATED


def _truncate(text: str) -> str:
    head = text[:MAX_TEXT]
    earliest = MAX_TEXT - CUT_WINDOW
    cut = max(head.rfind(" ", earliest), head.rfind("\n", earliest))
    return head[: cut if cut > 0 else earliest]


def mask_value(value: Any, depth: int = 0) -> Any:
    """Return `value` with every text in it masked; values nested deeper than `DEEPEST` become "…"."""
    if isinstance(value, str):
        return mask(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth > DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {key: _mask_field(str(key), each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [mask_value(each, depth + 1) for each in value]
    return mask(str(value))


def _mask_field(name: str, value: Any, depth: int) -> Any:
    if SECRET_NAMES.search(name) and isinstance(value, str | bytes | Mapping | list):
        return "[secret]"
    return mask_value(value, depth)


def mask_event(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Mask a structlog event; runs last before the renderer, after exceptions are formatted as text."""
    return {
        name: value if name in UNSEARCHED else _mask_field(name, value, 0) for name, value in event.items()
    }
