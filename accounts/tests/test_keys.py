"""Tests of the generation and format of API keys."""

import hmac

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from accounts.keys import ALPHABET, LENGTH, digest, generate_key, is_well_formed


def test_minted_key_is_well_formed_and_unique():
    keys = {generate_key().secret for _ in range(200)}

    assert len(keys) == 200
    assert all(is_well_formed(key) and len(key) == LENGTH for key in keys)


def test_prefix_is_shown_and_fits_its_column():
    key = generate_key()

    assert key.secret.startswith(key.prefix)
    assert 9 < len(key.prefix) <= 20


def test_repr_does_not_show_the_secret():
    key = generate_key()

    assert key.secret not in repr(key)
    assert repr(key.digest) not in repr(key)


@given(position=st.integers(0, LENGTH - 1), replacement=st.sampled_from(ALPHABET))
def test_any_changed_character_is_refused(position, replacement):
    secret = generate_key().secret
    changed = secret[:position] + replacement + secret[position + 1 :]

    assert is_well_formed(changed) is (changed == secret)


@given(first=st.integers(9, LENGTH - 2))
def test_swapped_neighbours_are_refused(first):
    secret = generate_key().secret
    changed = secret[:first] + secret[first + 1] + secret[first] + secret[first + 2 :]

    assert is_well_formed(changed) is (changed == secret)


@given(st.text(max_size=80))
def test_arbitrary_text_is_refused(text):
    assert not is_well_formed(text)
    assert not is_well_formed("cvk_live_" + text)


@pytest.mark.parametrize(
    "text", ["", "cvk_live_", "\x00" * LENGTH, "cvk_live_" + "é" * 49, "cvk_live_" + "٣" * 49]
)
def test_awkward_texts_are_refused(text):
    assert not is_well_formed(text)


@override_settings(API_KEY_PEPPER=b"one")
def test_digest_is_hmac_sha256_with_the_pepper():
    assert digest("cvk_live_x") == hmac.new(b"one", b"cvk_live_x", "sha256").digest()


def test_digest_depends_on_the_pepper():
    with override_settings(API_KEY_PEPPER=b"one"):
        first = digest("cvk_live_x")
    with override_settings(API_KEY_PEPPER=b"two"):
        assert digest("cvk_live_x") != first


def test_minted_digest_is_the_digest_of_its_secret():
    key = generate_key()

    assert key.digest == digest(key.secret)
    assert len(key.digest) == 32
