"""A program with a CrewAI flow that asks a person: `python -m workflows.tests.crew_program`.

The arguments are the tenant, the user, the master flow and, to continue, the answer. Without an answer, the program
runs the flow to its question, prints the question and kills itself. With one, it prints the final state.
"""

import json
import os
import signal
import sys
from uuid import UUID

import django


def main(tenant_id: str, user_id: str, flow_id: str, *answers: str) -> None:
    """Run the flow to its question, or from there to its end."""
    django.setup()
    from workflows.bridges.crewai import MasterFlowPersistence

    persistence = MasterFlowPersistence(tenant_id=UUID(tenant_id), user_id=UUID(user_id))
    flow_class = build_flow()
    if answers:
        flow = flow_class.from_pending(flow_id, persistence)
        flow.resume(answers[0])
        print(json.dumps(dict(flow.state)))
        return
    pending = flow_class(persistence=persistence).kickoff(inputs={"id": flow_id, "amount": 5})
    print(json.dumps({"message": pending.context.message}), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def build_flow():
    """Return the class of a flow that checks a refund, asks a person and pays."""
    from crewai.flow.async_feedback.types import HumanFeedbackPending
    from crewai.flow.flow import Flow, listen, start
    from crewai.flow.human_feedback import human_feedback

    class Inbox:
        """Asks people elsewhere, so the flow stops."""

        def request_feedback(self, context, flow):
            raise HumanFeedbackPending(context=context)

    class RefundFlow(Flow):
        @start()
        def check(self):
            self.state["visited"] = ["check"]

        @listen(check)
        @human_feedback(message="Pay the refund?", provider=Inbox())
        def ask(self):
            self.state["visited"].append("ask")
            return self.state["amount"]

        @listen(ask)
        def pay(self, result):
            self.state["visited"].append("pay")
            self.state["decision"] = result.feedback

    return RefundFlow


if __name__ == "__main__":
    main(*sys.argv[1:])
