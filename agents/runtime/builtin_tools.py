"""Built-in tools without database access: calculator, clock and reader of public web pages."""

import ast
import asyncio
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.utils import timezone

from config.http.fetch import FetchError, fetch_page

MAX_LENGTH = 500
MAX_NODES = 200
# Maximum bits of an integer: about a thousand decimal digits, cheap to multiply and print.
MAX_BITS = 3_400
BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
UNARY: dict[type, Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "ceil": math.ceil,
    "cos": math.cos,
    "exp": math.exp,
    "floor": math.floor,
    "log": math.log,
    "log10": math.log10,
    "log2": math.log2,
    "max": max,
    "min": min,
    "round": lambda value, digits=0: round(float(value), max(-300, min(int(digits), 300))),
    "sin": math.sin,
    "sqrt": math.sqrt,
    "tan": math.tan,
}
MAX_CHARACTERS = 20_000
READABLE_TYPES = (
    "text/",
    "application/json",
    "application/xml",
    "application/xhtml+xml",
    "application/ld+json",
)
# Title of a page that has none: the parser derives it from the file name.
UNTITLED = "page"
FETCH_HEADERS = {"User-Agent": "Conclave-Agent/1", "Accept": "text/*, application/json;q=0.9"}
CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau}


class ToolError(ValueError):
    """Raised when a tool rejects its arguments; the message is for the model."""


def calculate(expression: str) -> int | float:
    """Evaluate an arithmetic expression.

    Supports numbers, `+ - * / // % **`, parentheses, `FUNCTIONS` and `CONSTANTS`.

    Raises:
        ToolError: for anything else and for integers of more than `MAX_BITS` bits.
    """
    if len(expression) > MAX_LENGTH:
        raise ToolError(f"The expression must have at most {MAX_LENGTH} characters.")
    try:
        tree = ast.parse(expression.strip().replace("^", "**"), mode="eval")
        if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
            raise ToolError("The expression is too complex.")
        value = _evaluate(tree.body)
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ToolError("Invalid arithmetic expression.") from error
    except ZeroDivisionError as error:
        raise ToolError("Division by zero.") from error
    except (OverflowError, TypeError, ValueError) as error:
        if isinstance(error, ToolError):
            raise
        raise ToolError("The result is not a representable real number.") from error
    if isinstance(value, float) and not math.isfinite(value):
        raise ToolError("The result is too large.")
    return value


def _evaluate(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _check_bounds(number)
        case ast.Name(id=name) if name in CONSTANTS:
            return CONSTANTS[name]
        case ast.UnaryOp(op=sign, operand=inner) if type(sign) in UNARY:
            return UNARY[type(sign)](_evaluate(inner))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in BINARY:
            first, second = _evaluate(left), _evaluate(right)
            if isinstance(sign, ast.Pow):
                _check_power(first, second)
            return _check_bounds(BINARY[type(sign)](first, second))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            return _check_bounds(FUNCTIONS[name](*[_evaluate(each) for each in args]))
    raise ToolError("Only numbers, + - * / // % **, parentheses and supported functions are allowed.")


def _check_bounds(value: Any) -> Any:
    if isinstance(value, complex):
        raise ToolError("The result is not a representable real number.")
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ToolError("The number is too large.")
    return value


def _check_power(base: Any, exponent: Any) -> None:
    """Reject integer powers whose result would be too large to compute quickly."""
    whole = isinstance(base, int) and isinstance(exponent, int) and abs(base) > 1
    if whole and abs(exponent) * base.bit_length() > MAX_BITS:
        raise ToolError("The number is too large.")


def current_time(zone: str = "UTC", moment: datetime | None = None) -> dict[str, str]:
    """Return date, time and weekday in an IANA time zone.

    Raises:
        ToolError: if the time zone is unknown.
    """
    try:
        local = (moment or timezone.now()).astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ToolError("Unknown time zone. Use an IANA name such as Europe/Berlin.") from error
    return {"time": local.isoformat(timespec="seconds"), "zone": zone, "weekday": local.strftime("%A")}


@dataclass(frozen=True, slots=True)
class PageText:
    """A fetched page: final URL, status, content type and text, truncated to `MAX_CHARACTERS`."""

    url: str
    status: int
    content_type: str
    text: str
    truncated: bool


async def read_page(url: str) -> PageText:
    """Fetch the text of the page at `url`.

    Raises:
        ToolError: if the URL is not allowed or the page has no readable text.
    """
    limits = {"max_bytes": settings.FETCH_MAX_BYTES, "seconds": settings.FETCH_SECONDS}
    try:
        async with fetch_page(url, headers=FETCH_HEADERS, **limits) as page:
            kind = page.media_type
            if not kind.startswith(READABLE_TYPES) and not kind.endswith(("+json", "+xml")):
                raise ToolError(
                    f"Unsupported content type: {kind[:100] or 'none'}. Only text can be fetched."
                )
            body = b"".join([piece async for piece in page.chunks])
    except FetchError as error:
        raise ToolError(str(error)) from error
    text = await _extract_text(body, kind, page.charset)
    return PageText(page.url, page.status, kind, text[:MAX_CHARACTERS], len(text) > MAX_CHARACTERS)


async def _extract_text(body: bytes, kind: str, charset: str | None) -> str:
    if "html" in kind:
        return await asyncio.to_thread(_parse_html, body)
    try:
        return body.decode(charset or "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _parse_html(body: bytes) -> str:
    """Parse a page in the sandbox: a small one can keep Python's parser busy for minutes."""
    from knowledge.parsing import ParseError
    from knowledge.services.ingestion import parse_bytes

    try:
        page = parse_bytes(body, f"{UNTITLED}.html", seconds=settings.FETCH_SECONDS)
    except ParseError as error:
        raise ToolError(f"The page cannot be read: {error}") from None
    return page.text if page.title == UNTITLED else f"{page.title}\n\n{page.text}"
