"""Demo workflows that the engine runs."""

from typing import Any
from uuid import UUID

from workflows.models import Workflow
from workflows.services.publishing import publish
from workflows.services.runs import start_run
from workflows.services.workflow_files import import_workflow

ANSWER_QUESTION = """
schema: conclave.workflow/1
name: Answer a question
description: Search the documentation, draft an answer, and ask a person.
input:
  type: object
  required: [question]
  properties:
    question: {type: string, maxLength: 500}
steps:
  - id: search
    kind: retrieval
    collection: conclave-docs
    query: ${ input.question }
    top_k: 3
  - {id: draft, kind: agent, agent: guide, prompt: "${ input.question }"}
  - id: check
    kind: approval
    roles: [admin]
    prompt: "Is this answer right? ${ steps.draft.output.text }"
output:
  answer: ${ steps.draft.output.text }
"""
CONVERT_PRICE = """
schema: conclave.workflow/1
name: Convert a price
description: Convert a price with a rate, and round it.
input:
  type: object
  required: [price]
  properties:
    price: {type: string, maxLength: 20}
steps:
  - {id: convert, kind: tool, tool: calculator, input: {expression: "${ input.price } * 1.17"}}
  - {id: round, kind: tool, tool: calculator, input: {expression: "round(${ steps.convert.output }, 2)"}}
output:
  price: ${ steps.round.output }
"""
# The last run fails: its price is not a number.
SAMPLES: tuple[tuple[str, str, tuple[dict[str, Any], ...]], ...] = (
    ("answer-question", ANSWER_QUESTION, ({"question": "How does Conclave isolate tenants?"},)),
    ("convert-price", CONVERT_PRICE, ({"price": "19.90"}, {"price": "on request"})),
)


def make_sample_runs(user_id: UUID) -> None:
    """Publish the missing demo workflows and start their runs, which a worker carries out.

    Needs the scope of the tenant, with its agent and collection.
    """
    for slug, text, inputs in SAMPLES:
        if Workflow.objects.filter(slug=slug).exists():
            continue
        workflow, _ = import_workflow(text, slug=slug, user_id=user_id)
        publish(workflow, user_id=user_id)
        for input_data in inputs:
            start_run(workflow, input_data=input_data, user_id=user_id)
