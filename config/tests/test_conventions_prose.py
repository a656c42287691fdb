"""Phrases that read as translated stay out of code, documentation and templates.

`ALLOWED` counts what is left by folder and may only shrink: a test fails when a folder has more, and also when it
has fewer, so that every improvement is recorded. A folder without an entry has none.
"""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
PHRASES = re.compile(
    r"\b(anew|whoever|of its own|of their own|that are there|comes? to nothing|came to|in words|strangers?"
    r"|takes? leave|wears?|wearing|hats?|the house|spelled|spells|made up|whose rows|lets? go|for nothing|at work"
    r"|beside (?:it|them|its|their)|a person's own|by itself|as it is|(?:so )?that nobody|what is there"
    r"|(?:stands?|lies?) (?:between|beside|above|below|before|after|apart)|stands? in|letters? in letters?|nobody's"
    # "There is no ..." and "is no longer" are idiomatic; "the value is no text" is not.
    r"|(?<!there )(?:is|are) no (?!longer|more)\w+|says? not|exists? already|is known already|already there"
    r"|told|somebody|everybody|anybody|nobody else|who may|in capitals or not|the like|free data"
    r"|(?:find|know) (?:it|them) by|goes on|all of it or nothing|whose \w+ it (?:is|was)|battle ?ground|worth telling"
    r"|what was (?:said|asked|brought|decided|found)|in all:|what it needs to be)\b"
    # Docstrings that begin with a relative clause instead of a verb or a noun.
    r'|"""(?:Raises:|(?:What|That|Who|Where|Why)\b)',
    re.IGNORECASE,
)
READ = (".py", ".md", ".html", ".sh", ".toml")
# Generated or fixed text: migrations, lock files, the word lists themselves.
LEFT_OUT = re.compile(r"/migrations/|^requirements|^config/tests/test_conventions_(names|prose)\.py$")
ALLOWED = {}


def find_phrases(text):
    """Return the phrases of the list that occur in `text`, in lower case."""
    return [match.group().lower() for match in PHRASES.finditer(" ".join(text.split()))]


def count_phrases():
    """Return the number of phrases in tracked files, by top-level folder."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = Counter()
    for name in tracked.splitlines():
        if name.endswith(READ) and not LEFT_OUT.search(name) and (ROOT / name).is_file():
            found[name.split("/")[0]] += len(find_phrases((ROOT / name).read_text()))
    return {folder: number for folder, number in sorted(found.items()) if number}


def test_phrases_only_become_fewer():
    assert count_phrases() == ALLOWED


@pytest.mark.parametrize(
    "text",
    [
        "It wears a hat.",
        "each of its\n    own",
        "Checked anew",
        '"""Raises:\n    Forbidden: x',
        '"""What is stored."""',
        "The value is no text.",
        "This name exists already.",
    ],
)
def test_phrase_is_found(text):
    assert find_phrases(text)


@pytest.mark.parametrize(
    "text", ["There is no default.", "It is no longer used.", "Retold", '"""Whatever"""']
)
def test_idiomatic_text_is_accepted(text):
    assert not find_phrases(text)
