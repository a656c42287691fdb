"""A program with a LangGraph graph that asks a person: `python -m workflows.tests.graph_program`.

The arguments are the tenant, the user, the thread and, to continue, the answer. Without an answer, the program runs the
graph to its interrupt, prints the question and kills itself. With one, it prints the final state.
"""

import asyncio
import json
import os
import signal
import sys
from operator import add
from typing import Annotated, TypedDict
from uuid import UUID

import django


class Refund(TypedDict):
    """State of the graph; `visited` names the nodes that have run."""

    amount: int
    decision: str
    visited: Annotated[list[str], add]


def main(tenant_id: str, user_id: str, thread_id: str, *answers: str) -> None:
    """Run the graph to its interrupt, or from there to its end."""
    django.setup()
    from langgraph.types import Command

    from workflows.bridges.langgraph import TenantCheckpointSaver

    graph = build_graph(TenantCheckpointSaver(UUID(tenant_id), UUID(user_id)))
    config = {"configurable": {"thread_id": thread_id}}
    if answers:
        print(json.dumps(asyncio.run(graph.ainvoke(Command(resume=answers[0]), config))))
        return
    state = graph.invoke({"amount": 5, "visited": []}, config)
    print(json.dumps(state["__interrupt__"][0].value), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def build_graph(checkpointer):
    """Return a graph that checks a refund, asks a person and pays."""
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import interrupt

    def check(state: Refund):
        return {"visited": ["check"]}

    def ask(state: Refund):
        return {"decision": interrupt({"refund": state["amount"]}), "visited": ["ask"]}

    def pay(state: Refund):
        return {"visited": ["pay"]}

    graph = StateGraph(Refund)
    for name, node in {"check": check, "ask": ask, "pay": pay}.items():
        graph.add_node(name, node)
    for edge in ((START, "check"), ("check", "ask"), ("ask", "pay"), ("pay", END)):
        graph.add_edge(*edge)
    return graph.compile(checkpointer=checkpointer)


if __name__ == "__main__":
    main(*sys.argv[1:])
