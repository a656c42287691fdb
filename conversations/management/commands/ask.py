"""`manage.py ask`: ask an agent a question."""

import json
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.management.base import BaseCommand, CommandError

from conversations.choices import MessageStatus
from conversations.models import Message
from conversations.runtime.loop import run_turn
from conversations.runtime.turns import Caller, TurnContext, load_turn
from conversations.services.conversations import begin_turn, find_agent, start_conversation
from tenants.services.lookup import get_tenant_by_slug

ACTOR = "system:ask"


class Command(BaseCommand):
    help = "Ask an agent a question and print the answer with citations. The conversation is stored."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("question", help="Question to ask.")
        parser.add_argument("--tenant", required=True, help="Slug of the tenant.")
        parser.add_argument("--agent", required=True, help="Slug or ID of the agent.")
        parser.add_argument("--json", action="store_true", help="Print the answer as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["question"].strip():
            raise CommandError("The question must not be empty.")
        try:
            answer = run_turn(self._begin(options))
        except ObjectDoesNotExist as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self._print(answer, as_json=options["json"])
        if answer.status == MessageStatus.FAILED:
            raise CommandError(f"{answer.error_code}: {answer.error_message}")

    def _begin(self, options: dict[str, Any]) -> TurnContext:
        tenant = get_tenant_by_slug(options["tenant"])
        caller = Caller(tenant.pk, None, ACTOR)
        with caller.scope():
            agent = find_agent(options["agent"])
            if agent is None:
                raise CommandError(f"Agent '{options['agent']}' not found.")
            conversation = start_conversation(agent, user_id=None)
            return load_turn(begin_turn(conversation.pk, content=options["question"], user_id=None), caller)

    def _print(self, answer: Message, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"content": answer.content, "citations": answer.citations}))
            return
        if answer.content:
            self.stdout.write(answer.content)
        for cited in answer.citations:
            page = f", page {cited['page']}" if cited["page"] else ""
            self.stdout.write(f"  [{cited['number']}] {cited['source']}{page}: {cited['context']}")
