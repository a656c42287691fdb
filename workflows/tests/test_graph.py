"""Drawing of graphs of steps."""

import re
from xml.etree import ElementTree as ET

from workflows.language.graph import HEIGHT, WIDTH, GraphNode, compute_layers, draw_graph

SVG = "{http://www.w3.org/2000/svg}"


def nodes(*names, **states):
    return [GraphNode(name, "agent", state=states.get(name, "")) for name in names]


def boxes(svg):
    """Return the left upper corner of each step by its ID."""
    root = ET.fromstring(svg)
    found = {}
    for group in root.findall(f"{SVG}g"):
        title, rect = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
        if rect is not None:
            found[title.text] = (int(rect.get("x")), int(rect.get("y")))
    return found


def test_each_step_is_below_those_it_needs():
    needs = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": ["a", "d"]}
    assert compute_layers(needs) == {"a": 0, "b": 1, "c": 1, "d": 2, "e": 3}
    found = boxes(draw_graph(nodes(*needs), needs, title="Graph"))

    assert all(found[step][1] >= found[name][1] + HEIGHT for step in needs for name in needs[step])


def test_steps_do_not_overlap():
    needs = {f"s{n}": [f"s{m}" for m in range(max(0, n - 4), n - 1)] for n in range(40)}
    found = list(boxes(draw_graph(nodes(*needs), needs, title="Graph")).values())
    overlaps = [
        (one, two)
        for place, one in enumerate(found)
        for two in found[place + 1 :]
        if abs(one[0] - two[0]) < WIDTH and abs(one[1] - two[1]) < HEIGHT
    ]

    assert (len(found), overlaps) == (40, [])


def test_branches_do_not_cross():
    needs = {"a": [], "b": [], "x": ["b"], "y": ["a"]}
    found = boxes(draw_graph(nodes(*needs), needs, title="Graph"))

    assert (found["a"][0] < found["b"][0]) == (found["y"][0] < found["x"][0])


def test_states_are_text_and_colour():
    svg = draw_graph(nodes("a", "b", a="failed"), {"a": [], "b": ["a"]}, title="Run")
    root = ET.fromstring(svg)

    assert root.find(f"{SVG}title").text == "Run"
    assert root.find(f"{SVG}desc").text == "a (agent, failed). b (agent) after a."
    assert "text-red-700" in svg
    assert "agent: failed" in svg


def test_texts_are_escaped():
    evil = '"><script>alert(1)</script>'
    svg = draw_graph([GraphNode(evil, evil, evil, evil)], {evil: []}, title=evil)

    assert "<script" not in svg
    ET.fromstring(svg)


def test_circles_and_unknown_steps_are_drawn():
    needs = {"a": ["c"], "b": ["a", "missing"], "c": ["b"]}

    assert set(boxes(draw_graph(nodes(*needs), needs, title="Graph"))) == {"a", "b", "c"}
    assert boxes(draw_graph([], {}, title="Empty")) == {}


def test_a_dense_graph_of_500_steps_is_drawn():
    needs = {f"s{n}": [f"s{m}" for m in range(max(0, n - 60), n)] for n in range(500)}
    svg = draw_graph(nodes(*needs), needs, title="Graph")

    assert len(re.findall("<rect", svg)) == 500
