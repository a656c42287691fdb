"""Numbers of spreadsheet cells in their number format: dates, percentages, decimals, units."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

# Formats that a workbook may use by number only.
BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 14: "yyyy-mm-dd", 15: "d-mmm-yy",
    16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss",
    22: "yyyy-mm-dd h:mm", 37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)", 39: "#,##0.00;(#,##0.00)",
    40: "#,##0.00;(#,##0.00)", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss", 49: "@",
}  # fmt: skip
MAX_FORMAT, MAX_DECIMALS = 255, 15
# The latest date of a spreadsheet is 9999-12-31.
MAX_SERIAL = 2_958_466
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|_.|\*.|\[\$([^\]-]*)[^\]]*\]|\[(?!h+\]|m+\]|s+\])[^\]]*\]')
_NUMBER = re.compile(r"[#0?][#0?,]*(?:\.[#0?]*)?,*|\.[#0?]+")
_TOKEN = re.compile(
    r"\0[^\0]*\0|\[h+\]|\[m+\]|\[s+\]|y+|m+|d+|h+|s+(?:\.0+)?|AM/PM|A/P|.", re.IGNORECASE | re.DOTALL
)


@lru_cache(maxsize=8192)
def format_number(value: float, code: str, *, is_1904: bool = False) -> str:
    """Return a number as a spreadsheet shows it; unknown formats give the plain number."""
    section = _choose_section(value, code[:MAX_FORMAT])
    if is_date_format(section):
        return _format_date(value, section, is_1904) or format_plain(value)
    template = _hide_literals(section)
    bare = _remove_literals(template)
    mask = _NUMBER.search(bare)
    if "E" in bare.upper() or "/" in bare or not bare:
        # An exponent, a fraction, "General" or only a literal.
        return template.strip("\0") if template and not bare else format_plain(value)
    return _format_masked(value, template, mask[0], signed=";" in code) if mask else format_plain(value)


def format_plain(value: float) -> str:
    """Return a number with at most 15 significant digits."""
    return f"{value:.15g}"


@lru_cache(maxsize=512)
def is_date_format(code: str) -> bool:
    """Return whether a format shows dates or times."""
    text = _remove_literals(_hide_literals(code)).lower()
    return any(letter in text for letter in "ymdhs") and "general" not in text


def _choose_section(value: float, code: str) -> str:
    """Return the part of a format for positive, negative or zero values."""
    sections = code.split(";")
    if value < 0 and len(sections) > 1:
        return sections[1]
    return sections[2] if value == 0 and len(sections) > 2 else sections[0]


@lru_cache(maxsize=512)
def _hide_literals(code: str) -> str:
    """Return a format with its literals between NUL characters, without colours and padding."""

    def replace(found: re.Match[str]) -> str:
        text = found[1] or found[2] or found[3] or ""
        return f"\0{text}\0" if text else ""

    return _LITERAL.sub(replace, code)


def _remove_literals(template: str) -> str:
    return re.sub(r"\0[^\0]*\0", "", template)


def _format_masked(value: float, template: str, mask: str, *, signed: bool) -> str:
    digits = mask.rstrip(",")
    whole, _, decimals = digits.partition(".")
    # Commas at the end of the mask divide by thousands.
    scaled = (
        abs(value) * (100 if "%" in _remove_literals(template) else 1) / 1000 ** (len(mask) - len(digits))
    )
    places = min(len(decimals), MAX_DECIMALS)
    text = f"{scaled:{',' if ',' in whole else ''}.{places}f}"
    optional = places - decimals.count("0")
    while optional > 0 and text.endswith("0"):
        text, optional = text[:-1], optional - 1
    sign = "-" if value < 0 and not signed else ""
    return (sign + template.replace(mask, text.rstrip("."), 1).replace("\0", "")).strip()


def _format_date(value: float, code: str, is_1904: bool) -> str:
    """Return a date or time; an empty string outside the calendar of spreadsheets."""
    if not 0 <= value < MAX_SERIAL:
        return ""
    days = value + (1462 if is_1904 else 0)
    # Spreadsheets count 1900 as a leap year.
    start = datetime(1899, 12, 31, tzinfo=UTC) if days < 60 else datetime(1899, 12, 30, tzinfo=UTC)
    moment = start + timedelta(milliseconds=round(days * 86_400_000))
    tokens = _TOKEN.findall(_hide_literals(code))
    half_day = any(token.upper() in ("AM/PM", "A/P") for token in tokens)
    parts = []
    for number, token in enumerate(tokens):
        if token.lower().startswith("m") and _means_minutes(tokens, number):
            parts.append(f"{moment.minute:02}" if len(token) > 1 else str(moment.minute))
        else:
            parts.append(_format_token(token, moment, value, half_day=half_day))
    return "".join(parts).strip()


def _means_minutes(tokens: list[str], number: int) -> bool:
    """Return whether `m` stands for minutes: after hours or before seconds."""
    names = ("y", "m", "d", "h", "s", "[")
    before = next((t for t in reversed(tokens[:number]) if t.lower().startswith(names)), "")
    after = next((t for t in tokens[number + 1 :] if t.lower().startswith(names)), "")
    return before.lower().startswith(("h", "[h")) or after.lower().startswith("s")


def _format_token(token: str, moment: datetime, value: float, *, half_day: bool) -> str:
    lower, size = token.lower(), len(token)
    if lower.startswith("\0"):
        return token.strip("\0")
    if lower.startswith("["):
        unit = {"h": 24, "m": 1440, "s": 86_400}[lower[1]]
        return str(int(value * unit + 1e-6))
    hour = (moment.hour % 12 or 12) if half_day else moment.hour
    numbers = {"d": moment.day, "m": moment.month, "h": hour, "s": moment.second}
    if lower[:1] == "y":
        return f"{moment:%y}" if size < 3 else f"{moment.year:04}"
    if lower in ("am/pm", "a/p"):
        return f"{moment:%p}"
    if lower[:1] in ("m", "d") and size > 2:
        names = {"m": ("%b", "%B"), "d": ("%a", "%A")}[lower[0]]
        return moment.strftime(names[size > 3])
    if lower[:1] in numbers:
        seconds, _, fraction = lower.partition(".")
        text = f"{numbers[lower[0]]:02}" if len(seconds) > 1 else str(numbers[lower[0]])
        return text + (f".{moment.microsecond // 1000:03}"[: len(fraction) + 1] if fraction else "")
    return token
