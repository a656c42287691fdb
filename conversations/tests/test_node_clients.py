"""The npm packages `openai` and `ai` against a live server, where Node.js and the packages are installed."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from agents.testing import call_tool, say

SCRIPT = Path(__file__).parent / "node" / "clients.cjs"
PACKAGES = ("openai", "ai", "@ai-sdk/openai")
TIMEOUT = 120
WEATHER = call_tool("weather", city="Emden")


def find_missing():
    """Return why the script cannot run, or an empty string. Packages are found through NODE_PATH."""
    if shutil.which("node") is None:
        return "Node.js is not installed"
    lookup = "".join(f"require.resolve({name!r});" for name in PACKAGES)
    found = subprocess.run(["node", "-e", lookup], cwd=SCRIPT.parent, capture_output=True, check=False)
    return "" if found.returncode == 0 else f"NODE_PATH has no npm packages {', '.join(PACKAGES)}"


def test_node_clients(wired):
    if reason := find_missing():
        pytest.skip(reason)
    wired.script(
        *[say("At noon.")] * 3,
        say("At noon."),
        WEATHER,
        say("It rains."),
        say("At noon."),
        WEATHER,
        say("It rains."),
    )
    done = subprocess.run(
        ["node", SCRIPT, f"{wired.url}/v1", wired.key.secret],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["openai"] == {
        "whole": "At noon.",
        "streamed": "At noon.",
        "stored": "At noon.",
        "refused": [400, "background_music"],
    }
    answer = {"streamed": "At noon.", "tool": "It rains.", "steps": 2}
    assert found["ai"] == {"chat": answer, "responses": answer}
