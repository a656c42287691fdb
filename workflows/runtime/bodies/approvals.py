"""Bodies of the steps that wait for people: approvals and forms."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from conversations.runtime.structured_output import validate_schema
from workflows.choices import RejectionRule, StepKind
from workflows.language.values import to_seconds
from workflows.models.approvals import MAX_REQUIRED
from workflows.runtime.step_bodies import StepContext, StepError, Wait, register_body
from workflows.services.approvals import ApprovalRequest, request_approval
from workflows.services.approvers import Approvers, UnknownApproverError, find_approvers

MAX_PROMPT = 10_000


@register_body(StepKind.APPROVAL)
@register_body(StepKind.FORM)
def wait_for_people(context: StepContext) -> Wait:
    """Wait for the decision of people, who are asked in the transaction that stores the wait."""
    with context.scope():
        request = read_request(context.config)

    def begin() -> None:
        request_approval(context.step_execution_id, request)

    return Wait(begin=begin)


def read_request(config: Mapping[str, Any]) -> ApprovalRequest:
    """Return the request of a step.

    Raises:
        StepError: a person, a form, a duration or the number of people is not valid.
    """
    names = [*_read_list(config.get("assignees")), *_read_list(config.get("roles"))]
    escalate_to = tuple(_read_list(config.get("escalate_to")))
    form, required = config.get("form") or None, int(config.get("required") or 1)
    try:
        approvers = find_approvers(names)
        find_approvers(escalate_to)
    except UnknownApproverError as error:
        raise StepError("unknown_approver", str(error), retryable=False) from error
    if form is not None and (problem := validate_schema(form)):
        raise StepError("invalid_form", problem, retryable=False)
    _check_number(required, approvers)
    times = {name: read_duration(config.get(name), name) for name in ("due", "remind", "expires")}
    return ApprovalRequest(
        prompt=str(config.get("prompt") or "")[:MAX_PROMPT],
        approvers=approvers,
        required=required,
        form=form,
        on_reject=RejectionRule(config.get("on_reject") or RejectionRule.FAIL),
        escalate_to=escalate_to,
        # Without a due time, the first reminder escalates.
        due=times["due"] or (times["remind"] if escalate_to else None),
        remind=times["remind"],
        expires=times["expires"],
    )


def _check_number(required: int, approvers: Approvers) -> None:
    asked = MAX_REQUIRED if approvers.roles or not approvers.user_ids else len(approvers.user_ids)
    if not 1 <= required <= asked:
        message = f"required is {required}, but {asked} people can decide."
        raise StepError("invalid_approval", message, retryable=False)


def _read_list(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    return [str(each) for each in value] if isinstance(value, list | tuple) else [str(value)]


def read_duration(value: Any, name: str) -> timedelta | None:
    """Return a duration given in seconds or by ISO 8601, such as `P3D`.

    Raises:
        StepError: it is not a positive duration.
    """
    if value is None or value == "":
        return None
    try:
        return timedelta(seconds=to_seconds(value))
    except ValueError as error:
        message = f"{name} is not a positive duration: {value}."
        raise StepError("invalid_duration", message, retryable=False) from error
