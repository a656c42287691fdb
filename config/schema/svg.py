"""Draws a diagram as SVG: boxes with key columns, arrows from a foreign key to what it refers to."""

from html import escape

from config.schema.catalogue import Key
from config.schema.diagrams import Box, Diagram, Line
from config.schema.layout import Edge, Layout, Node

FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
LETTER = 6.9
ROW = 18
HEAD = 24
MARGIN = 20
LEGEND = 58
# A legend of all kinds fits.
LEAST = 740
FILLS = {
    "tenant": ("#1d4ed8", "#eff6ff"),
    "user": ("#7c3aed", "#f5f3ff"),
    "global": ("#047857", "#ecfdf5"),
    "library": ("#57534e", "#fafaf9"),
    "outside": ("#64748b", "#f8fafc"),
}
DASHES = {"CASCADE": "", "SET NULL": "6 4", "NO ACTION": "2 3", "RESTRICT": "2 3"}
KIND_WORDS = {
    "tenant": "one tenant's rows",
    "user": "one person's rows",
    "global": "the platform's rows",
    "library": "a library's table",
    "outside": "in another diagram",
}
COMPOSITE, PLAIN = "#334155", "#b45309"


def draw(diagram: Diagram) -> str:
    """The whole picture, on a white ground, without any reference to the outside."""
    keys = {(key.table, key.target, key.column): key for key in diagram.keys}
    nodes = {name: _node(box, diagram.prefix) for name, box in diagram.boxes.items()}
    layout = Layout(nodes, [_edge(key) for key in keys.values()])
    width = max(layout.width, LEAST) + 2 * MARGIN
    height = layout.height + 2 * MARGIN + LEGEND
    left = MARGIN + (width - 2 * MARGIN - layout.width) / 2
    shown = [node for node in layout.nodes.values() if not node.dummy]
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONT}" font-size="11.5">',
        f"<title>{escape(diagram.app)}: {escape(diagram.title)}</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        _markers(),
        f'<g transform="translate({left:.1f} {MARGIN})">',
        *(_arrow(edge, keys) for edge in layout.edges),
        *(_box(diagram.boxes[node.label], node, diagram.prefix) for node in shown),
        "</g>",
        _legend(diagram, height - LEGEND + 4),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _node(box: Box, prefix: str) -> Node:
    name = box.table.removeprefix(prefix)
    texts = [f"{line.column}  {_type(line)}".rstrip() for line in box.lines]
    width = max(
        [(len(name) + 2 * box.partitioned) * LETTER * 1.04, *((len(text) + 4) * LETTER for text in texts)]
    )
    rows = {line.column: HEAD + ROW * n + ROW / 2 for n, line in enumerate(box.lines)}
    height = HEAD + ROW * (len(box.lines) + bool(box.more)) + (4 if box.lines else 0)
    return Node(box.table, round(width + 22), height, rows, header=HEAD / 2, satellite=box.kind == "outside")


def _edge(key: Key) -> Edge:
    return Edge(key.table, key.target, key.column, f"{key.rule}{key.is_composite}")


def _markers() -> str:
    marker = (
        '<marker id="{0}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8"'
        ' orient="auto-start-reverse"><path d="M0 0 10 5 0 10z" fill="{1}"/></marker>'
    )
    return f"<defs>{marker.format('composite', COMPOSITE)}{marker.format('plain', PLAIN)}</defs>"


def _arrow(edge: Edge, keys: dict[tuple[str, str, str], Key]) -> str:
    key = keys[edge.child, edge.parent.split("@")[0], edge.column]
    points = edge.path
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for n, (x, y) in enumerate(points[1:]):
        before_x, before_y = points[n]
        if n % 2 == 0:
            path += f" L{x:.1f} {y:.1f}"
        else:
            middle = (before_x + x) / 2
            path += f" C{middle:.1f} {before_y:.1f} {middle:.1f} {y:.1f} {x:.1f} {y:.1f}"
    end = "start" if edge.parent_left else "end"
    kind, colour = ("composite", COMPOSITE) if key.is_composite else ("plain", PLAIN)
    dashes = f' stroke-dasharray="{DASHES[key.rule]}"' if DASHES.get(key.rule) else ""
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.2"{dashes} marker-{end}="url(#{kind})">'
        f"<title>{escape(key.table)}.{escape(key.column)} → {escape(key.target)}, {key.rule}</title></path>"
    )


def _box(box: Box, node: Node, prefix: str) -> str:
    dark, light = FILLS[box.kind]
    x, y, width, height = node.x, node.y, node.width, node.height
    small = box.kind == "outside"
    fill = light if small or box.lines else dark
    border = ' stroke-dasharray="3 2"' if small else ""
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.0f}" height="{height:.0f}"'
    parts = [f'<g><rect {place} rx="5" fill="{fill}" stroke="{dark}"{border}/>']
    if box.lines:
        around = f"v{5 - HEAD} q0 -5 5 -5 h{width - 10:.0f} q5 0 5 5 v{HEAD - 5} z"
        parts.append(f'<path d="M{x:.1f} {y + HEAD:.1f} {around}" fill="{dark}"/>')
    name = box.table.removeprefix(prefix) + (" ▤" if box.partitioned else "")
    colour = dark if small else "#ffffff"
    parts.append(_text(x + 10, y + 16, name, colour, "" if small else ' font-weight="600"'))
    parts += [_line(line, x, y + node.rows[line.column] + 4, width) for line in box.lines]
    if box.more:
        parts.append(_text(x + 38, y + height - 9, f"and {box.more} more", "#64748b", ' font-style="italic"'))
    return "".join(parts) + "</g>"


def _type(line: Line) -> str:
    # Nearly all keys are UUIDs; saying so in each row makes the boxes wide.
    return "" if line.type == "uuid" else line.type


def _line(line: Line, x: float, y: float, width: float) -> str:
    return (
        _text(x + 10, y, line.mark, "#b45309" if line.mark == "PK" else "#475569", ' font-size="9.5"')
        + _text(x + 32, y, line.column, "#0f172a")
        + _text(x + width - 8, y, _type(line), "#64748b", ' text-anchor="end" font-size="10.5"')
    )


def _text(x: float, y: float, text: str, colour: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}"{more}>{escape(text)}</text>'


def _legend(diagram: Diagram, y: float) -> str:
    parts, x = [], float(MARGIN)
    kinds = {box.kind for box in diagram.boxes.values()}
    for kind in [kind for kind in FILLS if kind in kinds]:
        dark, light = FILLS[kind]
        fill = light if kind == "outside" else dark
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="12" height="12" rx="2" fill="{fill}" stroke="{dark}"/>'
        )
        parts.append(_text(x + 18, y + 10, KIND_WORDS[kind], "#334155"))
        x += 18 + len(KIND_WORDS[kind]) * LETTER + 22
    if any(box.partitioned for box in diagram.boxes.values()):
        parts.append(_text(x, y + 10, "▤ partitioned", "#334155"))
    x, y = float(MARGIN), y + 24
    styles = sorted(
        {(key.rule, key.is_composite) for key in diagram.keys}, key=lambda style: (not style[1], style[0])
    )
    for rule, composite in styles:
        colour = COMPOSITE if composite else PLAIN
        dashes = f' stroke-dasharray="{DASHES[rule]}"' if DASHES.get(rule) else ""
        parts.append(f'<path d="M{x:.1f} {y + 6:.1f} h30" stroke="{colour}" stroke-width="1.2"{dashes}/>')
        word = f"{rule.lower()}{'' if composite else ', plain key'}"
        parts.append(_text(x + 36, y + 10, word, "#334155"))
        x += 36 + len(word) * LETTER + 22
    return "<g>" + "".join(parts) + "</g>"
