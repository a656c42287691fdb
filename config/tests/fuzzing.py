"""Schemathesis hooks that make most requests refer to existing rows."""

import json
import os
import random
import re
from pathlib import Path
from uuid import UUID, uuid4

import schemathesis

from config.api.slugs import SLUG_PATTERN

PLAN = json.loads(Path(os.environ["FUZZING_PLAN"]).read_text())
# Touched before each request: the test stops the run when this file stays unchanged.
PROGRESS = Path(os.environ["FUZZING_PLAN"]).with_name("progress")
DICE = random.Random(20_260_101)
REPEATED = "Idempotency-Key"


def _is_uuid(value):
    try:
        return bool(UUID(str(value)))
    except ValueError:
        return False


def _names_row(value):
    """Return whether a value is an id or a slug."""
    return _is_uuid(value) or re.fullmatch(SLUG_PATTERN, str(value)) is not None


def _lead_address(case):
    values = case.path_parameters
    if not values or not all(map(_names_row, values.values())):
        return
    kept = any(_is_uuid(value) and str(UUID(str(value))) in PLAN["kept"] for value in values.values())
    known = PLAN["places"].get(case.operation.path)
    # PUT and PATCH have the fewest cases, so most of them name an existing row.
    if kept or (known and DICE.random() < (0.9 if case.method in ("PUT", "PATCH") else 0.7)):
        values.update(DICE.choice(known))


def _lead_references(body):
    for name, known in PLAN["references"].items():
        if _names_row(body.get(name) or "") and DICE.random() < 0.5:
            body[name] = DICE.choice(known)


def _lead_assignment(body):
    """Use an existing role and user with a consistent scope."""
    if not {"user", "role"} <= body.keys() or DICE.random() < 0.5:
        return
    for name in ("user", "role"):
        body[name] = DICE.choice(PLAN["references"][name])
    body["scope"] = "engagement"
    body["engagement"] = DICE.choice(PLAN["references"]["engagement"])


def _lead_search(body):
    """Use existing collections."""
    if "collections" in body and DICE.random() < 0.5:
        body["collections"] = [DICE.choice(PLAN["references"]["collection"])]


def _lead_model(body):
    """Use an installed embedding model, which the schema cannot list."""
    if "embedding_model" in body and DICE.random() < 0.5:
        body["embedding_model"] = "lexical-hash-384"


def _lead_row(case):
    """POST: the body of an existing row, or of two mixed, with some generated fields. Else: the row's own body."""
    if case.method in ("PUT", "PATCH"):
        _lead_replacement(case)
        return
    rows = list(PLAN["bodies"].get(case.operation.path, {}).values())
    if case.method != "POST" or not rows or DICE.random() < 0.3:
        return
    sent = case.body
    case.body = {name: DICE.choice(rows).get(name, value) for name, value in DICE.choice(rows).items()}
    for name in DICE.sample(sorted(sent), min(2, len(sent))):
        case.body[name] = sent[name]


def _lead_replacement(case):
    """The body of the row that the address names; with two generated fields in three cases of ten."""
    rows = PLAN["bodies"].get(case.operation.path.partition("{id}")[0], {})
    row = rows.get(str((case.path_parameters or {}).get("id")))
    if row is None:
        return
    sent = case.body
    case.body = dict(row) if case.method == "PUT" else {name: row[name] for name in sent if name in row}
    if DICE.random() < 0.3:
        for name in DICE.sample(sorted(sent), min(2, len(sent))):
            case.body[name] = sent[name]


@schemathesis.hook
def before_call(context, case, kwargs):
    PROGRESS.touch()
    _lead_address(case)
    if isinstance(case.body, dict):
        _lead_row(case)
        _lead_references(case.body)
        _lead_assignment(case.body)
        _lead_search(case.body)
        _lead_model(case.body)
    if REPEATED in (case.headers or {}) and DICE.random() < 0.5:
        case.headers[REPEATED] = uuid4().hex
