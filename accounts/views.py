"""Pages on which invited people answer invitations."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.forms import SetPasswordMixin
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from accounts.models import User
from accounts.services.invitations import (
    CLOSED,
    InvitationError,
    OpenInvitation,
    accept_invitation,
    decline_invitation,
    find_invitation,
    is_registered,
    list_open_invitations,
    sign_up_invited,
)
from config.api.credentials import count_hit
from config.middleware import client_ip

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
VIEWS_PER_MINUTE = 30
ACCEPT, DECLINE = "accept", "decline"


class SignUpForm(SetPasswordMixin, forms.Form):
    """Form of a new account for the invited address."""

    first_name = forms.CharField(max_length=100, required=False)
    last_name = forms.CharField(max_length=100, required=False)
    password, password_again = SetPasswordMixin.create_password_fields(label2="Password again")
    password.help_text, password_again.help_text = "At least 8 characters.", ""

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        names = {name: cleaned.get(name, "") for name in ("first_name", "last_name")}
        self.validate_passwords("password", "password_again")
        self.validate_password_for_user(User(email=self.email, **names), "password")
        return cleaned


@method_decorator(never_cache, name="dispatch")
class InvitationView(View):
    """The page behind the link of an invitation. Opening it changes nothing."""

    http_method_names = ["get", "head", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if count_hit(f"invitation:{client_ip(request)}", VIEWS_PER_MINUTE).exceeded:
            return _closed(request, "Too many requests. Try again in a minute.", 429)
        self.offer = find_invitation(kwargs["token"])
        if self.offer is None:
            return _closed(request, CLOSED, 404)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return self._show(request)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        if request.POST.get("action") != ACCEPT or request.user.is_authenticated:
            return _answer(request, self.offer)
        if is_registered(self.offer.email):
            return self._show(request)
        form = SignUpForm(request.POST, email=self.offer.email)
        if not form.is_valid():
            return self._show(request, form)
        values = {name: form.cleaned_data[name] for name in ("first_name", "last_name", "password")}
        try:
            user = sign_up_invited(self.offer, **values)
        except InvitationError as error:
            return _closed(request, error.message, 409)
        except IntegrityError:
            # The form was sent twice: the page now asks to sign in.
            return self._show(request)
        login(request, user, backend=BACKEND)
        return _answer(request, self.offer)

    def _show(self, request: HttpRequest, form: SignUpForm | None = None) -> HttpResponse:
        offer, user = self.offer, request.user
        context: dict[str, Any] = {"offer": offer}
        if user.is_authenticated:
            context["state"] = "answer" if user.email == offer.email else "other"
        elif is_registered(offer.email):
            context["state"] = "sign_in"
        else:
            context |= {"state": "sign_up", "form": form or SignUpForm(email=offer.email)}
        return render(request, "accounts/invitation.html", context)


@method_decorator(never_cache, name="dispatch")
class MyInvitationsView(LoginRequiredMixin, View):
    """The open invitations to the address of the signed-in user."""

    http_method_names = ["get", "head", "post"]

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "accounts/invitations.html", {"offers": list_open_invitations(request.user)})

    def post(self, request: HttpRequest) -> HttpResponse:
        wanted = request.POST.get("invitation", "")
        for offer in list_open_invitations(request.user):
            if str(offer.id) == wanted:
                return _answer(request, offer)
        raise Http404


def _answer(request: HttpRequest, offer: OpenInvitation) -> HttpResponse:
    """Accept or decline the invitation as the form says."""
    action = request.POST.get("action")
    if action not in (ACCEPT, DECLINE):
        return _closed(request, "Accept or decline the invitation.", 400)
    try:
        if action == DECLINE:
            decline_invitation(offer)
            messages.success(request, f"You declined the invitation to {offer.organisation}.")
            return redirect("my-invitations" if request.user.is_authenticated else "account_login")
        accept_invitation(offer, user=request.user)
    except InvitationError as error:
        return _closed(request, error.message, 409)
    messages.success(request, f"You are now a member of {offer.organisation}.")
    return redirect("admin:index")


def _closed(request: HttpRequest, reason: str, status: int) -> HttpResponse:
    return render(request, "accounts/invitation_closed.html", {"reason": reason}, status=status)
