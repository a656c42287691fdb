"""Text of charts and SmartArt diagrams, which Office files store in separate parts."""

from collections.abc import Iterator
from typing import Any

MAX_POINTS = 1000
CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"


def format_chart(root: Any) -> str:
    """Return titles, then one row per category: `category | value | value`. Empty if the chart stores no data."""
    title = read_chart_title(root)
    series = [_read_series(each) for each in root.iter(f"{CHART}ser")]
    series = [each for each in series if each[2]]
    if not series:
        return title
    lines = [title or "Chart"]
    categories = max((each[1] for each in series), key=len)
    lines.append(" | ".join(["Category", *(name or "Value" for name, _, _ in series)]))
    rows = sorted({index for _, _, values in series for index in values} | set(categories))
    for index in rows[:MAX_POINTS]:
        values = (values.get(index, "") for _, _, values in series)
        lines.append(" | ".join([categories.get(index, str(index + 1)), *values]))
    return "\n".join(lines)


def read_chart_title(root: Any) -> str:
    """Return the titles of a chart and its axes in one line, or an empty string."""
    titles = [text for title in root.iter(f"{CHART}title") if (text := _join_text(title))]
    return f"Chart: {' | '.join(titles)}" if titles else ""


def _read_series(element: Any) -> tuple[str, dict[int, str], dict[int, str]]:
    """Return name, categories and values of a series; both by index."""
    name = " ".join(_read_points(element.find(f"{CHART}tx")).values())
    categories, values = (
        {index: text for tag in tags for index, text in _read_points(element.find(CHART + tag)).items()}
        for tags in (("xVal", "cat"), ("yVal", "val"))
    )
    return name, categories, values


def _read_points(element: Any) -> dict[int, str]:
    """Return the stored points; of several levels of categories, all of them."""
    points: dict[int, str] = {}
    if element is None:
        return points
    for number, point in enumerate(element.iter(f"{CHART}pt")):
        index, value = point.get("idx") or "", point.findtext(f"{CHART}v")
        position = int(index) if index.isdecimal() and len(index) < 7 else number
        if value:
            points[position] = " ".join([value.strip(), *filter(None, [points.get(position)])])
    literal = element.findtext(f"{CHART}v")
    return points or ({0: literal} if literal else {})


def format_diagram(root: Any) -> str:
    """Return the texts of a SmartArt diagram, one per line."""
    texts = (_join_text(point) for point in root.iter(f"{DIAGRAM}pt"))
    return "\n".join(f"- {text}" for text in texts if text)


def _join_text(element: Any) -> str:
    return " ".join(" ".join(_paragraphs(element)).split())


def _paragraphs(element: Any) -> Iterator[str]:
    for paragraph in element.iter(f"{DRAWING}p"):
        yield "".join(text.text or "" for text in paragraph.iter(f"{DRAWING}t"))
