"""Sign-in form: allauth's form with the console's style and a rate limit."""

from allauth.account.forms import LoginForm
from django import forms
from unfold.widgets import BASE_INPUT_CLASSES

from accounts.services.signin import TooManyAttemptsError, confirm_email_address, count_attempt
from config.middleware import client_ip


class SignInForm(LoginForm):
    """E-mail and password form with a limit of five attempts per minute for an IP address and e-mail."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for name in ("login", "password"):
            self.fields[name].widget.attrs |= {"class": " ".join(BASE_INPUT_CLASSES), "placeholder": ""}
        self.fields["login"].label = "E-mail"
        self.fields["password"].help_text = ""

    def clean(self):
        if self.errors:
            return self.cleaned_data
        try:
            count_attempt(self.cleaned_data["login"], client_ip(self.request))
        except TooManyAttemptsError as refusal:
            raise forms.ValidationError(str(refusal), code="too_many_attempts") from None
        cleaned = super().clean()
        if self.user is not None:
            confirm_email_address(self.user)
        return cleaned
