"""The serializer field of secrets."""

from types import SimpleNamespace

import pytest
from rest_framework import serializers

from agents.models import Integration
from config.api.fields import MASK, SecretField
from config.encryption.fields import Ciphertext


class Form(serializers.Serializer):
    credentials = SecretField(allow_null=True, required=False)


class TextForm(serializers.Serializer):
    token = SecretField(text=True)


def integration(credentials):
    return Integration(name="x", platform="openai", credentials=credentials)


@pytest.mark.parametrize("held", [{"api_key": "sk-live"}, {}, Ciphertext(b"\x01 cannot be opened")])
def test_secret_that_is_set_reads_as_the_mask_without_decrypting(held):
    assert Form(integration(held)).data == {"credentials": MASK}


def test_secret_that_is_not_set_reads_as_null():
    assert Form(integration(None)).data == {"credentials": None}


@pytest.mark.parametrize(("held", "shown"), [(b"\x01", MASK), (None, None)])
def test_row_of_values_reads_alike(held, shown):
    assert Form({"credentials": held}).data == {"credentials": shown}


def test_nested_source_reads_alike():
    class Outer(serializers.Serializer):
        secret = SecretField(source="integration.credentials", allow_null=True)

    assert Outer(SimpleNamespace(integration=integration({"a": 1}))).data == {"secret": MASK}
    assert Outer(SimpleNamespace(integration=None)).data == {"secret": None}


@pytest.mark.parametrize("value", [{"api_key": "new"}, {"api_key": MASK}, [1], "text", None])
def test_new_value_goes_in(value):
    form = Form(integration({"old": 1}), data={"credentials": value})

    assert form.is_valid(), form.errors
    assert form.validated_data == {"credentials": value}


def test_returned_mask_changes_nothing():
    form = Form(integration({"old": 1}), data={"credentials": MASK})

    assert form.is_valid(), form.errors
    assert form.validated_data == {}


def test_mask_for_a_new_row_is_refused():
    form = Form(data={"credentials": MASK})

    assert not form.is_valid()
    assert form.errors["credentials"][0].code == "unset"


def test_mask_inside_a_nested_update_changes_nothing():
    class Outer(serializers.Serializer):
        inner = Form()

    form = Outer(SimpleNamespace(inner=integration({"old": 1})), data={"inner": {"credentials": MASK}})

    assert form.is_valid(), form.errors
    assert form.validated_data == {"inner": {}}


@pytest.mark.parametrize("value", [1, {"a": 1}, ["x"], True])
def test_text_secret_accepts_only_text(value):
    form = TextForm(data={"token": value})

    assert not form.is_valid()
    assert form.errors["token"][0].code == "not_text"
