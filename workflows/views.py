"""The page behind the link of an approval."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from config.api.credentials import count_hit
from config.middleware import client_ip
from workflows.approval_forms import ApprovalForm, CommentForm, read_answer, style_inputs
from workflows.choices import DecisionChannel
from workflows.services.approval_links import LinkClosedError, decide_by_link, find_link, load_page
from workflows.services.approvals import FormValuesError

VIEWS_PER_MINUTE = 30
CLOSED = "This link is not valid. Sign in to see the approvals that wait for you."


@method_decorator(never_cache, name="dispatch")
class ApprovalLinkView(View):
    """The page of a link. Opening it changes nothing."""

    http_method_names = ["get", "head", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if count_hit(f"approval:{client_ip(request)}", VIEWS_PER_MINUTE).exceeded:
            return _closed(request, "Too many requests. Try again in a minute.", 429)
        self.link = find_link(kwargs["token"])
        self.page = load_page(self.link) if self.link else None
        if self.page is None:
            return _closed(request, CLOSED, 404)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return self._show(request, ApprovalForm(self.page.approval.form), CommentForm())

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        comment, values = CommentForm(request.POST), ApprovalForm(self.page.approval.form, request.POST)
        answer = read_answer(request.POST.get("decision"), values, comment, DecisionChannel.LINK)
        if answer is None:
            return self._show(request, values, comment, status=400)
        try:
            decide_by_link(self.link, answer)
        except LinkClosedError:
            return _closed(request, CLOSED, 404)
        except FormValuesError as error:
            values.add_value_errors(error)
            return self._show(request, values, comment, status=400)
        return render(request, "workflows/approval_done.html", {"decision": answer.decision.label.lower()})

    def _show(
        self, request: HttpRequest, values: ApprovalForm, comment: CommentForm, status: int = 200
    ) -> HttpResponse:
        context = {"page": self.page, "values": style_inputs(values), "comment": style_inputs(comment)}
        return render(request, "workflows/approval.html", context, status=status)


def _closed(request: HttpRequest, reason: str, status: int) -> HttpResponse:
    return render(request, "workflows/approval_closed.html", {"reason": reason}, status=status)
