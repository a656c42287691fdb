"""Drawing of a graph of steps as SVG.

Steps are placed in layers below the steps that they need, in an order within each layer that avoids crossings
(Sugiyama's method). The drawing uses classes of the console's stylesheet, so it follows its theme.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 200, 48, 32, 44, 12
SWEEPS = 4
MAX_LABEL = 24
# More turning points than this are left out, and long edges become straight.
MAX_POINTS = 2000
PLAIN = "text-base-500 dark:text-base-400"
COLOURS = {
    "running": "text-blue-700 dark:text-blue-400",
    "ready": "text-blue-700 dark:text-blue-400",
    "waiting": "text-orange-700 dark:text-orange-400",
    "completed": "text-green-700 dark:text-green-400",
    "failed": "text-red-700 dark:text-red-400",
}


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A step in the drawing. `state` selects the colour and is part of the text."""

    id: str
    kind: str
    name: str = ""
    state: str = ""


@dataclass(slots=True)
class _Point:
    """A place in a layer: a step, or a turning point of a long edge."""

    layer: int
    above: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)
    position: float = 0


def compute_layers(needs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return the layer of each step: the length of the longest path to it. Cycles are cut."""
    layers: dict[str, int] = {}
    for start in needs:
        stack, entered = [start], set[str]()
        while stack:
            step = stack[-1]
            missing = [name for name in needs[step] if name in needs and name not in layers]
            waiting = [name for name in missing if name not in entered]
            if step in layers or not waiting:
                known = (layers[name] for name in needs[step] if name in layers)
                layers.setdefault(step, max(known, default=-1) + 1)
                stack.pop()
            else:
                entered.add(step)
                stack += waiting
    return layers


def draw_graph(nodes: Sequence[GraphNode], needs: Mapping[str, Sequence[str]], *, title: str) -> str:
    """Return the graph as an SVG element with a title and a description for screen readers."""
    known = {node.id: node for node in nodes}
    needs = {step: [name for name in needs.get(step, ()) if name in known] for step in known}
    points, edges = _place(compute_layers(needs), needs)
    widest = max((point.position for point in points.values()), default=0)
    width = round(widest + WIDTH + 2 * MARGIN)
    depth = max((point.layer for point in points.values()), default=0)
    height = (depth + 1) * (HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN
    lines = [_draw_edge([points[name] for name in edge]) for edge in edges]
    boxes = [_draw_node(node, points[node.id]) for node in nodes]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-size="13" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title><desc>{escape(describe_graph(nodes, needs))}</desc>"
        f'<g class="{PLAIN}" fill="none" stroke="currentColor" stroke-width="1.5">{"".join(lines)}</g>'
        f"{''.join(boxes)}</svg>"
    )


def describe_graph(nodes: Sequence[GraphNode], needs: Mapping[str, Sequence[str]]) -> str:
    """Return the graph as text: each step with its kind, state and the steps that it follows."""
    texts = []
    for node in nodes:
        state = f", {node.state}" if node.state else ""
        after = f" after {', '.join(needs[node.id])}" if needs.get(node.id) else ""
        texts.append(f"{node.id} ({node.kind}{state}){after}.")
    return " ".join(texts)


def _place(
    layers: Mapping[str, int], needs: Mapping[str, Sequence[str]]
) -> tuple[dict[str, _Point], list[list[str]]]:
    """Return the points by name, and each edge as the names of its points."""
    points = {step: _Point(layer) for step, layer in layers.items()}
    pairs = [(name, step) for step, names in needs.items() for name in names]
    turns = sum(max(layers[step] - layers[name] - 1, 0) for name, step in pairs)
    edges = []
    for name, step in pairs:
        inner = range(layers[name] + 1, layers[step]) if turns <= MAX_POINTS else range(0)
        # Steps have no colon in their ID.
        edge = [name, *(f"{name}:{step}:{layer}" for layer in inner), step]
        points |= {each: _Point(layer) for each, layer in zip(edge[1:-1], inner, strict=True)}
        for upper, lower in itertools.pairwise(edge):
            points[upper].below.append(lower)
            points[lower].above.append(upper)
        edges.append(edge)
    _arrange(points)
    return points, edges


def _arrange(points: dict[str, _Point]) -> None:
    """Order each layer by the mean position of the neighbours, and centre it."""
    rows: dict[int, list[str]] = {}
    for name, point in points.items():
        rows.setdefault(point.layer, []).append(name)
    ordered = [rows[layer] for layer in sorted(rows)]
    for row in ordered:
        _centre(points, row, 0)
    for sweep in range(SWEEPS):
        downwards = sweep % 2 == 0
        for row in ordered if downwards else reversed(ordered):
            means = {name: _mean(points, name, downwards=downwards) for name in row}
            row.sort(key=means.__getitem__)
            _centre(points, row, 0)
    widest = max((_width(points, row) for row in ordered), default=0)
    for row in ordered:
        _centre(points, row, (widest - _width(points, row)) / 2)


def _mean(points: dict[str, _Point], name: str, *, downwards: bool) -> float:
    point = points[name]
    near = point.above if downwards else point.below
    return sum(points[each].position for each in near) / len(near) if near else point.position


def _span(name: str) -> int:
    return GAP_X if ":" in name else WIDTH


def _width(points: dict[str, _Point], row: Sequence[str]) -> float:
    return sum(map(_span, row)) + GAP_X * (len(row) - 1)


def _centre(points: dict[str, _Point], row: Sequence[str], start: float) -> None:
    place = start
    for name in row:
        # The position is the left side of a step that has its centre there.
        points[name].position = place + (_span(name) - WIDTH) / 2
        place += _span(name) + GAP_X


def _top(point: _Point) -> int:
    return MARGIN + point.layer * (HEIGHT + GAP_Y)


def _draw_edge(edge: Sequence[_Point]) -> str:
    path = ""
    for upper, lower in itertools.pairwise(edge):
        x1, x2 = (round(point.position + MARGIN + WIDTH / 2) for point in (upper, lower))
        y1, y2 = _top(upper) + HEIGHT, _top(lower)
        middle = (y1 + y2) // 2
        path += f"M{x1} {y1}" if not path else f"V{y1}"
        path += f"C{x1} {middle} {x2} {middle} {x2} {y2}"
    x, y = round(edge[-1].position + MARGIN + WIDTH / 2), _top(edge[-1])
    return f'<path d="{path}"/><path d="M{x - 4} {y - 6}L{x} {y}L{x + 4} {y - 6}"/>'


def _draw_node(node: GraphNode, point: _Point) -> str:
    x, y = round(point.position + MARGIN), _top(point)
    label = node.name or node.id
    label = label if len(label) <= MAX_LABEL else f"{label[: MAX_LABEL - 1]}…"
    note = f"{node.kind}: {node.state}" if node.state else node.kind
    return (
        f'<g class="{COLOURS.get(node.state, PLAIN)}"><title>{escape(node.id)}</title>'
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="currentColor"'
        ' fill-opacity="0.08" stroke="currentColor" stroke-width="1.5"/>'
        f'<text x="{x + 12}" y="{y + 20}" fill="currentColor" font-weight="600">{escape(label)}</text>'
        f'<text x="{x + 12}" y="{y + 37}" fill="currentColor" font-size="11">{escape(note)}</text></g>'
    )
