"""Hooks of schemathesis: half of the addresses name rows that are there, none the key that the tool itself uses."""

import json
import os
import random
from pathlib import Path
from uuid import UUID

import schemathesis

PLAN = json.loads(Path(os.environ["FUZZING_PLAN"]).read_text())
DICE = random.Random(20_260_101)


def _is_uuid(value):
    try:
        return bool(UUID(str(value)))
    except ValueError:
        return False


@schemathesis.hook
def before_call(context, case, kwargs):
    values = case.path_parameters
    if not values or not all(map(_is_uuid, values.values())):
        return
    kept = any(str(UUID(str(value))) in PLAN["kept"] for value in values.values())
    known = PLAN["places"].get(case.operation.path)
    if kept or (known and DICE.random() < 0.5):
        values.update(DICE.choice(known))
