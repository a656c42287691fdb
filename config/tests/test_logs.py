"""Log lines contain no secrets and no personal data."""

import io
import json
import logging
import logging.config
import time

import pytest
import structlog

from config.observability import masking
from config.observability.masking import MAX_TEXT, TRUNCATED, mask
from config.settings.logs import logging_settings

HIDDEN = {
    "cvk_live_Qc3CTe9aBcDeFgHiJkLmNoP": "[token]",
    "sk-proj-abcdefghijklmnop1234": "[token]",
    "Bearer abcdef0123456789.xyz": "[authorization]",
    "anna.schmidt+bills@example.co.uk": "[e-mail]",
    "4111 1111 1111 1111": "[card]",
    "DE89 3704 0044 0532 0130 00": "[IBAN]",
    "+49 (421) 555-01 23": "[phone]",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQ==\n-----END PRIVATE KEY-----": "[private key]",
}
PLAIN = (
    "took 1234567890123456 rows",
    "00000000-0000-7000-8000-00000000000a",
    "2026-11-24T10:44:36.741868Z",
    "prompt_tokens=1200 total_tokens=3400",
    "GET /api/v1/conversations/?limit=50",
    "version 3.11.7 on port 8000",
)


@pytest.fixture(params=[True, False], ids=["JSON", "text"])
def written(request):
    """Configure logging to a buffer and return it."""
    before = logging.root.handlers[:], logging.root.level
    buffer = io.StringIO()
    settings = logging_settings("INFO", as_json=request.param)
    settings["handlers"]["console"]["stream"] = buffer
    logging.config.dictConfig(settings)
    yield buffer
    logging.root.handlers[:], logging.root.level = before[0], before[1]


@pytest.mark.parametrize(("secret", "name"), HIDDEN.items(), ids=HIDDEN.values())
def test_secrets_become_what_they_are(secret, name):
    assert mask(f"said {secret} to all") == f"said {name} to all"


@pytest.mark.parametrize("text", [*HIDDEN, *PLAIN, *(f"x{each.upper()}, {each}=1" for each in HIDDEN)])
def test_text_with_a_match_is_searched(text):
    assert mask(text) == masking.ANY.sub(masking._replace_match, text)


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_secret_stays(text):
    assert mask(text) == text


@pytest.mark.parametrize(
    "text",
    ["postgres://web:hunter2@db/x", "password=hunter2", '{"api_key": "hunter2"}', "token: hunter2 sent"],
)
def test_values_behind_telling_names_are_hidden(text):
    assert "hunter2" not in mask(text)


@pytest.mark.parametrize("secret", HIDDEN)
def test_real_log_call_leaks_nothing(written, secret):
    structlog.get_logger("house").info(
        "said", what=secret, deep={"list": [f"x {secret}"]}, password="hunter2"
    )
    logging.getLogger("foreign").warning("said %s", secret)
    try:
        raise ValueError(f"cannot use {secret}")
    except ValueError:
        logging.getLogger("foreign").exception("failed")
        structlog.get_logger("house").exception("failed", object=ValueError(secret))
    said = written.getvalue()
    assert said.count("failed") >= 2
    for piece in (secret, secret.replace("\n", "\\n"), "MIIEvQ", "hunter2"):
        assert piece not in said


def test_lines_say_which_request(written):
    with structlog.contextvars.bound_contextvars(request_id="r-1", tenant_id="t-1"):
        logging.getLogger("foreign").warning("slow")
    said = written.getvalue()
    if said.startswith("{"):
        assert json.loads(said)["tenant_id"] == "t-1"
    assert "r-1" in said
    assert "t-1" in said


def test_masking_a_line_takes_less_than_a_millisecond():
    line = "HTTP GET /api/v1/conversations/ answered 200 in 12 ms for a tenant with many words to say " * 3
    began = time.process_time()
    for _ in range(1000):
        mask(line)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "text", [*"A0 .-_@:+%=/\n", "a@", "a.", "eyJ-", "bearer ", "-----BEGIN ", "://a:", "1-"]
)
def test_masking_takes_linear_time(text):
    """An unbounded pattern takes seconds for these; the limit of 50 ms is generous by a factor of five."""
    line = (text * 100_000)[:100_000]
    fastest = min(_seconds_to_mask(line) for _ in range(5))
    assert fastest < 0.05


def _seconds_to_mask(line):
    started = time.thread_time()
    mask(line)
    return time.thread_time() - started


def test_long_texts_are_truncated_between_words():
    secret = "sk-proj-abcdefghijklmnop1234"
    text = "x" * (MAX_TEXT - 10) + " " + secret
    assert mask(text) == "x" * (MAX_TEXT - 10) + TRUNCATED
    assert len(mask("y" * 2 * MAX_TEXT)) < MAX_TEXT
