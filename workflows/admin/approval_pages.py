"""Console page on which a person decides about an approval or delegates it."""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminExpandableTextareaWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from accounts.choices import MemberStatus
from accounts.models import Membership
from workflows.approval_forms import ApprovalForm, CommentForm, read_answer
from workflows.choices import DecisionChannel
from workflows.models import Approval
from workflows.services.approvals import (
    ApprovalClosedError,
    FormValuesError,
    NotApproverError,
    decide,
    delegate,
)
from workflows.services.approvers import waiting_for

WIDGETS = {
    forms.Textarea: UnfoldAdminExpandableTextareaWidget,
    forms.NumberInput: UnfoldAdminIntegerFieldWidget,
    forms.EmailInput: UnfoldAdminEmailInputWidget,
    forms.CheckboxInput: UnfoldBooleanWidget,
}


class DelegateForm(forms.Form):
    """Another active member."""

    member = forms.ModelChoiceField(queryset=None, widget=UnfoldAdminSelectWidget, label="Delegate to")

    def __init__(self, user_id, *args, **kwargs):
        super().__init__(*args, **kwargs)
        members = Membership.objects.filter(status=MemberStatus.ACTIVE).exclude(user_id=user_id)
        self.fields["member"].queryset = members.select_related("user").order_by("user__email")


class ApprovalPageMixin:
    """Page of an approval, at `<id>/decide/`."""

    def get_urls(self):
        view = self.admin_site.admin_view(self.decide_view)
        return [
            path("<uuid:object_id>/decide/", view, name="workflows_approval_decide"),
            *super().get_urls(),
        ]

    def decide_view(self, request, object_id):
        """Show an approval, and record the decision or delegation that was posted."""
        if not self.has_view_permission(request) or request.console.is_platform:
            raise PermissionDenied
        approval = Approval.objects.select_related("step__execution__workflow").filter(pk=object_id).first()
        if approval is None:
            raise Http404
        posted = request.POST if request.method == "POST" else None
        is_delegation = posted is not None and "delegate" in posted
        page = ApprovalPage(request, approval, posted, is_delegation=is_delegation)
        if posted is not None and page.submit():
            return HttpResponseRedirect(f"{reverse('admin:workflows_approval_changelist')}?waiting=me")
        context = {
            **self.admin_site.each_context(request),
            "title": "Approval",
            "opts": self.opts,
            "page": page,
        }
        return TemplateResponse(request, "console/approval.html", context)


class ApprovalPage:
    """Forms and rows of the page."""

    def __init__(self, request, approval, posted, *, is_delegation):
        self.request, self.approval, self.is_delegation = request, approval, is_delegation
        self.posted = posted
        answered = None if is_delegation else posted
        self.values = ApprovalForm(approval.form, answered)
        self.comment = CommentForm(answered)
        self.delegation = DelegateForm(request.user.pk, posted if is_delegation else None)
        for form in (self.values, self.comment):
            for field in form.fields.values():
                replace_widget(field)

    @property
    def is_open(self):
        """Whether the user can decide now."""
        return waiting_for(self.request.user.pk).filter(pk=self.approval.pk).exists()

    @property
    def decisions(self):
        """The decisions so far, oldest first."""
        return self.approval.decisions.select_related("user").order_by("id")

    @property
    def assignees(self):
        """The members who are asked by name."""
        return self.approval.assignees.select_related("user", "delegated_by", "delegated_to").order_by("id")

    def submit(self):
        """Record what was posted and return whether it is done."""
        try:
            return self._delegate() if self.is_delegation else self._decide()
        except NotApproverError as error:
            raise PermissionDenied from error
        except ApprovalClosedError as error:
            messages.error(self.request, error.message)
            return True
        except FormValuesError as error:
            self.values.add_value_errors(error)
        except ValidationError as error:
            self.delegation.add_error("member", error.messages)
        return False

    def _decide(self):
        answer = read_answer(self.posted.get("decision"), self.values, self.comment, DecisionChannel.CONSOLE)
        if answer is None:
            return False
        decide(self.approval.pk, answer, user_id=self._user_id)
        messages.success(self.request, f"You {answer.decision} it.")
        return True

    def _delegate(self):
        if not self.delegation.is_valid():
            return False
        member = self.delegation.cleaned_data["member"]
        delegate(self.approval.pk, user_id=self._user_id, to_user_id=member.user_id)
        messages.success(self.request, f"{member.user} decides instead of you.")
        return True

    @property
    def _user_id(self) -> UUID:
        return self.request.user.pk


def replace_widget(field):
    """Give a field the console's widget."""
    kind = type(field.widget)
    if isinstance(field, forms.ChoiceField):
        field.widget = UnfoldAdminSelectWidget(choices=field.choices)
    elif not isinstance(field, forms.DateField):
        field.widget = WIDGETS.get(kind, UnfoldAdminTextInputWidget)(attrs=field.widget.attrs)
    else:
        field.widget = UnfoldAdminTextInputWidget(attrs={"type": "date"})
    field.widget.is_required = field.required
