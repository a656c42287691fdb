"""A layered layout for diagrams of tables: parents left, children right, few crossings, no libraries.

The steps are those of Sugiyama, Tagawa and Toda (1981): break cycles, put nodes in layers, cut long edges
with dummies, order the layers by barycentres, then place each layer as near to its neighbours as its order
allows. Every step is deterministic.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

GAP_X = 64
GAP_Y = 22
DUMMY = 8
SWEEPS = 12
# Boxes on top of each other where no arrow says more.
ROWS = 3


@dataclass
class Node:
    """A box; `rows` maps a column to its middle's height in the box.

    A `satellite` is drawn again beside each layer that refers to it, so that its arrows stay short.
    """

    name: str
    width: float
    height: float
    rows: dict[str, float] = field(default_factory=dict)
    header: float = 12
    dummy: bool = False
    satellite: bool = False
    layer: int = 0
    x: float = 0
    y: float = 0

    @property
    def label(self) -> str:
        """The name without what tells its copies apart."""
        return self.name.split("@")[0]


@dataclass
class Edge:
    """A foreign key of `child`.

    `path` is filled in: points from the left end to the right end, by turns straight on and over a gap.
    """

    child: str
    parent: str
    column: str
    style: str
    path: list[tuple[float, float]] = field(default_factory=list)
    parent_left: bool = True


@dataclass
class Layout:
    """Places `nodes` and routes `edges`; `width` and `height` are those of the whole."""

    nodes: dict[str, Node]
    edges: list[Edge]
    width: float = 0
    height: float = 0

    def __post_init__(self) -> None:
        self.edges = [edge for edge in self.edges if edge.child != edge.parent]
        self._links: list[tuple[Edge, list[str]]] = []
        self._layer()
        self._cut()
        self._order()
        self._place()
        self._route()

    def _layer(self) -> None:
        main = {name: node for name, node in self.nodes.items() if not node.satellite}
        pairs = {(edge.parent, edge.child) for edge in self.edges if edge.parent in main}
        forward = acyclic(pairs, main)
        for edge in self.edges:
            edge.parent_left = edge.parent not in main or (edge.parent, edge.child) in forward
        parents: dict[str, set[str]] = {name: set() for name in main}
        children: dict[str, set[str]] = {name: set() for name in main}
        for left, right in forward | {(c, p) for p, c in pairs if (p, c) not in forward}:
            parents[right].add(left)
            children[left].add(right)
        depth: dict[str, int] = {}

        def deep(name: str) -> int:
            if name not in depth:
                depth[name] = max((deep(each) + 1 for each in parents[name]), default=0)
            return depth[name]

        for name, node in main.items():
            node.layer = deep(name)
        for name, node in sorted(main.items(), key=lambda item: -item[1].layer):
            if not parents[name] and children[name]:
                node.layer = min(self.nodes[each].layer for each in children[name]) - 1
        self._spread([name for name in main if not parents[name] and not children[name]], main)
        self._copy_satellites(main)

    def _copy_satellites(self, main: dict[str, Node]) -> None:
        beside = {edge.child: main[edge.child].layer for edge in self.edges if edge.parent not in main}
        if 0 in beside.values():
            for node in main.values():
                node.layer += 1
        made: dict[str, Node] = {}
        for edge in self.edges:
            if edge.parent not in main:
                layer = main[edge.child].layer - 1
                copy = replace(self.nodes[edge.parent], name=f"{edge.parent}@{layer}", layer=layer)
                edge.parent = made.setdefault(copy.name, copy).name
        self.nodes = main | made

    def _spread(self, alone: list[str], main: dict[str, Node]) -> None:
        """Tables without arrows go where there is room."""
        linked = [node.layer for name, node in main.items() if name not in alone]
        count = max(linked, default=max(1, -(-len(alone) // ROWS) - 1)) + 1
        heights = [0.0] * count
        for name, node in main.items():
            if name not in alone:
                heights[node.layer] += node.height + GAP_Y
        for name in alone:
            layer = heights.index(min(heights))
            self.nodes[name].layer = layer
            heights[layer] += self.nodes[name].height + GAP_Y

    def _cut(self) -> None:
        for edge in self.edges:
            left, right = (edge.parent, edge.child) if edge.parent_left else (edge.child, edge.parent)
            chain = [left]
            for layer in range(self.nodes[left].layer + 1, self.nodes[right].layer):
                # Arrows from one table to the same parent share their way.
                name = f"~{left}~{right}~{layer}~{edge.style}"
                self.nodes.setdefault(name, Node(name, 0, DUMMY, header=DUMMY / 2, dummy=True, layer=layer))
                chain.append(name)
            self._links.append((edge, [*chain, right]))

    def _order(self) -> None:
        count = max((node.layer for node in self.nodes.values()), default=0) + 1
        self.layers = [[name for name, node in self.nodes.items() if node.layer == n] for n in range(count)]
        self.links = sorted({pair for _, chain in self._links for pair in pairwise(chain)})
        best, fewest = [list(layer) for layer in self.layers], self._crossings()
        for sweep in range(SWEEPS):
            downwards = sweep % 2 == 0
            for layer in self.layers if downwards else reversed(self.layers):
                self._sort(layer, downwards)
            if (crossings := self._crossings()) < fewest:
                best, fewest = [list(layer) for layer in self.layers], crossings
        self.layers = best

    def _sort(self, layer: list[str], downwards: bool) -> None:
        places = {name: n for each in self.layers for n, name in enumerate(each)}
        near: dict[str, list[int]] = {name: [] for name in layer}
        for left, right in self.links:
            mine, other = (right, left) if downwards else (left, right)
            if mine in near:
                near[mine].append(places[other])
        layer.sort(key=lambda name: sum(near[name]) / len(near[name]) if near[name] else places[name])

    def _crossings(self) -> int:
        places = {name: n for layer in self.layers for n, name in enumerate(layer)}
        ends = [(self.nodes[a].layer, places[a], places[b]) for a, b in self.links]
        return sum(
            1
            for n, (layer, a, b) in enumerate(ends)
            for other, c, d in ends[n + 1 :]
            if layer == other and (a - c) * (b - d) < 0
        )

    def _place(self) -> None:
        for layer in self.layers:
            y = 0.0
            for name in layer:
                self.nodes[name].y = y
                y += self.nodes[name].height + GAP_Y
        for sweep in range(SWEEPS):
            for layer in self.layers if sweep % 2 == 0 else reversed(self.layers):
                self._settle(layer)
        for layer in self.layers:
            self._gather(layer)
        self._squeeze()
        x = 0.0
        self.rights = []
        for layer in self.layers:
            width = max((self.nodes[name].width for name in layer), default=0)
            for name in layer:
                node = self.nodes[name]
                node.x, node.width = x, width if node.dummy else node.width
            self.rights.append(x + width)
            x += width + GAP_X
        top = min((node.y for node in self.nodes.values()), default=0)
        for node in self.nodes.values():
            node.y -= top
        self.width = x - GAP_X
        self.height = max((node.y + node.height for node in self.nodes.values()), default=0)

    def _gather(self, layer: list[str]) -> None:
        """Boxes without arrows move up to the box above them, or down to the one below."""
        linked = [at for at, name in enumerate(layer) if next(iter(self._pulls(name)), None) is not None]
        if not linked:
            return
        for at in range(linked[-1] + 1, len(layer)):
            above = self.nodes[layer[at - 1]]
            self.nodes[layer[at]].y = above.y + above.height + GAP_Y
        for at in reversed(range(linked[-1])):
            if at not in linked:
                node = self.nodes[layer[at]]
                node.y = self.nodes[layer[at + 1]].y - GAP_Y - node.height

    def _squeeze(self) -> None:
        """Take out what is empty from left to right."""
        reach, shift = min((node.y for node in self.nodes.values()), default=0.0), 0.0
        for node in sorted(self.nodes.values(), key=lambda node: node.y):
            shift += max(0.0, node.y - reach - GAP_Y)
            reach = max(reach, node.y + node.height)
            node.y -= shift

    def _settle(self, layer: list[str]) -> None:
        wished, offset = [], 0.0
        offsets = []
        for name in layer:
            node = self.nodes[name]
            pulls = list(self._pulls(name))
            wish = sum(pulls) / len(pulls) if pulls else node.y
            wished.append(wish - offset)
            offsets.append(offset)
            offset += node.height + GAP_Y
        for name, level, place in zip(layer, isotonic(wished), offsets, strict=True):
            self.nodes[name].y = level + place

    def _pulls(self, name: str) -> Iterable[float]:
        """Where each neighbour would like the top of `name` to be."""
        for edge, chain in self._links:
            if name not in chain:
                continue
            at = chain.index(name)
            own = self._port(edge, name)
            for other in chain[max(at - 1, 0) : at] + chain[at + 1 : at + 2]:
                yield self.nodes[other].y + self._port(edge, other) - own

    def _port(self, edge: Edge, name: str) -> float:
        node = self.nodes[name]
        return node.rows.get(edge.column, node.header) if name == edge.child else node.header

    def _route(self) -> None:
        for edge, chain in self._links:
            first, last = self.nodes[chain[0]], self.nodes[chain[-1]]
            height = first.y + self._port(edge, chain[0])
            # Straight to the layer's edge first: a wider box may stand below or above.
            edge.path = [(first.x + first.width, height), (self.rights[first.layer], height)]
            for name in chain[1:-1]:
                node = self.nodes[name]
                edge.path += [(node.x, node.y + node.header), (node.x + node.width, node.y + node.header)]
            edge.path.append((last.x, last.y + self._port(edge, chain[-1])))


def acyclic(pairs: set[tuple[str, str]], names: Iterable[str]) -> set[tuple[str, str]]:
    """`pairs` without those that close a circle, looked for in the order of `names`."""
    kept: set[tuple[str, str]] = set()
    state: dict[str, int] = {}
    after: dict[str, list[str]] = {}
    for left, right in sorted(pairs):
        after.setdefault(left, []).append(right)

    def visit(name: str) -> None:
        state[name] = 1
        for other in after.get(name, []):
            if state.get(other) == 1:
                continue
            kept.add((name, other))
            if other not in state:
                visit(other)
        state[name] = 2

    for name in names:
        if name not in state:
            visit(name)
    return kept


def isotonic(values: list[float]) -> list[float]:
    """The ascending numbers nearest to `values` by least squares (pool adjacent violators)."""
    pools: list[tuple[float, int]] = []
    for value in values:
        mean, count = value, 1
        while pools and pools[-1][0] > mean:
            other, more = pools.pop()
            mean, count = (mean * count + other * more) / (count + more), count + more
        pools.append((mean, count))
    return [mean for mean, count in pools for _ in range(count)]
