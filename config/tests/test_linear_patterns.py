"""Regular expressions take linear time or have bounded input.

Each one in the source is listed here with its bound, so a new one fails the test until it is listed.
"""

import contextlib
import re
import time

import pytest
from rest_framework.exceptions import ParseError

from agents.runtime.answer_types import _compile_patterns
from agents.runtime.builtin_tools import ToolError, calculate
from config.api.parsers import parse_json
from config.api.scope_fields import scope_pattern
from config.middleware import MAX_URI_BYTES
from config.observability.masking import MAX_TEXT, mask_value
from config.testing.source_patterns import (
    build_pumped_texts,
    find_uses,
    list_pattern_places,
)
from knowledge.parsing import ParseError as DocumentError
from knowledge.parsing import parse_bytes
from knowledge.parsing.number_formats import MAX_FORMAT
from knowledge.question_words import _get_pattern
from knowledge.terms import _compile_phrases

LENGTH = 100_000
# Seconds for one text of `LENGTH` characters; a quadratic pattern takes from 10 seconds to minutes.
LIMIT = 0.5
LINEAR = [
    "agents.choices:MCP_TOOL",
    "agents.runtime.answer_types:_NUMBER",
    "agents.runtime.extractive:_LETTER",
    "agents.runtime.extractive:_OUTLINE",
    "agents.runtime.extractive:_UNSPACED",
    "agents.runtime.extractive:_WRAPPING",
    "agents.runtime.question_matching:_KANA",
    "agents.runtime.question_matching:_NAME",
    "agents.runtime.tables:_ROW",
    "agents.runtime.tables:_SEPARATOR",
    "agents.services.prompts:VARIABLE",
    "config.admin.template_loader:INLINE_BLOCK",
    "config.admin.template_loader:PAGE_STATE",
    "config.admin.template_loader:STYLE_ATTRIBUTE",
    "config.api.filters:NAMING",
    "config.api.prepared_queries:inline_constants",
    "config.encryption.keyring:KEK_ID",
    "config.encryption.keyring:keks",
    "config.http.requests:HEADER_NAME",
    "config.http.requests:HEADER_VALUE",
    "config.middleware:REQUEST_ID_PATTERN",
    "config.middleware:ZERO_WEIGHT",
    "config.observability.masking:NUMBERS",
    "config.observability.masking:_replace_match",
    "config.tenancy.checks:ID_LIST",
    "config.tenancy.checks:SECRET",
    "conversations.api.wire_operations:_build_parameters",
    "conversations.api.wire_operations:add_wire_operations",
    "conversations.runtime.citation_support:_MARKERS",
    "conversations.runtime.citation_support:_NUMBER",
    "conversations.runtime.citations:CITATION_MARKER",
    "conversations.runtime.citations:PARTIAL_MARKER",
    "conversations.runtime.citations:PassageText",
    "conversations.runtime.citations:REMOVED_MARKER",
    "conversations.runtime.mcp_tools:INVALID_NAME_CHARACTERS",
    "conversations.runtime.query_rewriting:LIST_MARKER",
    "conversations.runtime.reranking:NUMBER",
    "conversations.services.export:_MARKUP",
    "conversations.services.export:_RUN",
    "conversations.services.extractive_summary:_DECISION",
    "conversations.services.extractive_summary:_OPEN_POINT",
    "conversations.services.meeting_state:BULLET",
    "knowledge.chunking:_TABLE_ROW",
    "knowledge.chunking:_WORD",
    "knowledge.connectors.configs:BUCKET",
    "knowledge.connectors.configs:GIT_REF",
    "knowledge.connectors.configs:HOST",
    "knowledge.connectors.imap:BYTES",
    "knowledge.connectors.imap:SIZE",
    "knowledge.connectors.links:ATTRIBUTE",
    "knowledge.connectors.links:TAG",
    "knowledge.enrichment:_CODE",
    "knowledge.enrichment:_ENTITIES",
    "knowledge.enrichment:_ITEM",
    "knowledge.enrichment:_NAME",
    "knowledge.enrichment:_TABLE",
    "knowledge.parsing.contacts:ContentLine",
    "knowledge.parsing.contacts:_LINE",
    "knowledge.parsing.contacts:_TYPE",
    "knowledge.parsing.contacts:_format_time",
    "knowledge.parsing.document:_CONTROL",
    "knowledge.parsing.document:_INVISIBLE",
    "knowledge.parsing.latex:_LatexReader",
    "knowledge.parsing.latex:_OPTION",
    "knowledge.parsing.latex:_TOKEN",
    "knowledge.parsing.markup:_ATX",
    "knowledge.parsing.markup:_FENCE",
    "knowledge.parsing.markup:_UNDERLINE",
    "knowledge.parsing.markup:_front_matter",
    "knowledge.parsing.markup:_markdown_headings",
    "knowledge.parsing.ocr:_SPACE_BETWEEN_CHARACTERS",
    "knowledge.parsing.office_package:_STRICT_NAME",
    "knowledge.parsing.pdf:_COMPLEX",
    "knowledge.parsing.pdf:_MEANINGLESS",
    "knowledge.parsing.pdf:_MIXED",
    "knowledge.parsing.pdf:list_page_labels",
    "knowledge.parsing.pdf_layout:_MARK",
    "knowledge.parsing.pdf_scan:is_unmapped",
    "knowledge.parsing.pdf_text:RIGHT_TO_LEFT",
    "knowledge.parsing.pdf_text:_BRAHMIC",
    "knowledge.parsing.rtf:_TOKEN",
    "knowledge.parsing.rtf:read_rtf",
    "knowledge.parsing.subtitles:_TAG",
    "knowledge.parsing.subtitles:_TIMES",
    "knowledge.parsing.subtitles:_VOICE",
    "knowledge.parsing.web:_ITEM_MARK",
    "knowledge.parsing.web:_PageParser",
    "knowledge.parsing.web:_clean_text",
    "knowledge.parsing.word_numbering:Numbering",
    "knowledge.parsing.word_numbering:StyleSheet",
    "knowledge.parsing.workbook:_CELL",
    "knowledge.parsing.workbook:_MERGE",
    "knowledge.parsing.workbook:parse_column",
    "knowledge.sentences:_ALONE",
    "knowledge.sentences:_DOCSTRING",
    "knowledge.sentences:_END",
    "knowledge.sentences:_FENCE",
    "knowledge.sentences:_GERMAN_MONTHS",
    "knowledge.sentences:_ITEM",
    "knowledge.sentences:_TABLE_ROW",
    "knowledge.sentences:_THAI_SPACE",
    "knowledge.services.query_syntax:_EXCLUDED",
    "knowledge.services.query_syntax:_TERM",
    "knowledge.services.query_syntax:_WORDS",
    "knowledge.stemming:_WORD",
    "knowledge.terms:_APOSTROPHE",
    "knowledge.terms:_ASCII_TOKEN",
    "knowledge.terms:_CAMEL",
    "knowledge.terms:_HIRAGANA",
    "knowledge.terms:_IGNORED",
    "knowledge.terms:_TOKEN",
    "tenants.models.plans:CURRENCY",
    "tenants.models.regions:COUNTRY",
    "tenants.models.tenant:PAYOUT_ACCOUNT",
    "tenants.models.tenant:SLUG",
    "workflows.language.documents:ESCAPED",
    "workflows.language.documents:INTEGER",
    "workflows.language.documents:NUMBER",
    "workflows.language.documents:UNSTORABLE",
    "workflows.language.expressions:ABSENT",
    "workflows.language.expressions:CODES",
    "workflows.language.expressions:CONTAINER",
    "workflows.language.expressions:MIXED",
    "workflows.language.expressions:PLACE",
    "workflows.language.schema_types:NAME",
    "workflows.language.upgrades:_set_id",
    "workflows.language.values:DURATION",
    "workflows.models.assets:MAC_ADDRESS",
]
# Characters of the input, where the caller bounds it.
BOUNDED = {
    "config.observability.masking:ANY": MAX_TEXT,
    "config.observability.masking:SECRET_NAMES": MAX_URI_BYTES,
    "knowledge.parsing.code:_ARROW": 500,
    "knowledge.parsing.code:_DEFINITION": 500,
    "knowledge.parsing.code:_SQL": 500,
    **dict.fromkeys(
        (
            f"knowledge.parsing.number_formats:{name}"
            for name in ("_LITERAL", "_NUMBER", "_TOKEN", "_remove_literals")
        ),
        MAX_FORMAT,
    ),
    "knowledge.parsing.web:_CHARSET": 4_096,
    "knowledge.sentences:_LAST_WORD": 40,
    "workflows.language.tokens:TOKEN": 2_000,
}
# Functions that return the patterns which the source builds at run time, with the method that it calls.
BUILT = {
    "agents.runtime.answer_types:_compile_patterns": (
        lambda: _compile_patterns("en")[1][1].pattern,
        "search",
    ),
    "config.api.scope_fields:ScopeField": (scope_pattern, "fullmatch"),
    # `a+` matches terms of any length.
    "conversations.services.glossary:_contains_term": (lambda: r"(?<!\w)a+(?!\w)", "search"),
    "knowledge.fields:LanguageField": (lambda: r"^[a-z]{2}$", "search"),
    "knowledge.question_words:_get_pattern": (lambda: _get_pattern("ja").pattern, "sub"),
    "knowledge.terms:_compile_phrases": (lambda: _compile_phrases("ja").pattern, "finditer"),
    "knowledge.connectors.links:_drop_sections": (lambda: re.escape("</script"), "search"),
    "knowledge.services.terminology:_contains_term": (lambda: r"(?<!\w)a+(?!\w)", "search"),
}
# Patterns that receive no input from outside.
CONSTANT = {"config.api.examples:_build_string": "patterns and texts of the source"}
# Patterns that the source calls through a loop variable.
METHODS = dict.fromkeys(
    (f"knowledge.enrichment:{name}" for name in ("_TABLE", "_CODE", "_ITEM")), "match"
) | (dict.fromkeys((f"knowledge.parsing.code:{name}" for name in ("_ARROW", "_DEFINITION", "_SQL")), "match"))
METHODS["knowledge.parsing.workbook:_MERGE"] = "finditer"
# Functions that read XML elements in XML elements.


def seconds_for(pattern, method, text):
    """Return the processor time of one call that consumes all matches."""
    began = time.process_time()
    if method == "sub":
        pattern.sub(lambda match: match[0], text)
    elif method == "finditer":
        for _ in pattern.finditer(text):
            pass
    else:
        getattr(pattern, method)(text)
    return time.process_time() - began


def find_slow_text(pattern, method, length):
    """Return the start of a text that takes longer than `LIMIT`, or None."""
    for size in sorted({min(length, 10_000), length}):
        # Short texts first, so that a quadratic pattern fails without taking minutes.
        for text in build_pumped_texts(pattern, size, pairs=size < LENGTH):
            if seconds_for(pattern, method, text) > LIMIT * max(size / LENGTH, 0.2):
                return size, text[:8]
    return None


def list_uses(place):
    """Return the patterns at a place with the methods that the source calls."""
    if place in BUILT:
        build, method = BUILT[place]
        return [(re.compile(build()), method)]
    return find_uses(place)


def test_every_pattern_is_listed():
    assert set(list_pattern_places()) == {*LINEAR, *BOUNDED, *BUILT, *CONSTANT}


@pytest.mark.security("slow input")
@pytest.mark.parametrize("place", [*LINEAR, *BOUNDED, *BUILT])
def test_patterns_take_linear_time(place, attacks):
    uses = list_uses(place)
    assert uses, f"The patterns of {place} are not found."
    for pattern, method in uses:
        slow = find_slow_text(pattern, METHODS.get(place, method), BOUNDED.get(place, LENGTH))
        attacks.attempt(f"{pattern.pattern} takes too long: {slow}", succeeded=slow is not None)


@pytest.mark.security("slow input", mutation=True)
@pytest.mark.parametrize("text", [r"[.!?]+\s", r"\d[\d.,]*\s?EUR", r"[ \t]+\n"])
def test_a_quadratic_pattern_is_found(text, attacks):
    slow = find_slow_text(re.compile(text), "finditer", LENGTH)
    attacks.attempt(text, succeeded=slow is not None)


def test_only_bounded_expressions_are_evaluated():
    with pytest.raises(ToolError):
        calculate("(" * LENGTH + "1" + ")" * LENGTH)


@pytest.mark.parametrize("unit", [b"[", b'{"a":'])
def test_deep_json_is_refused(unit):
    with pytest.raises(ParseError, match=r"nested|JSON"):
        parse_json(unit * LENGTH)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("a.json", b"["),
        ("a.jsonl", b"["),
        ("a.html", b"<div>"),
        ("a.md", b"> "),
        ("a.py", b"("),
        ("a.rst", b"* "),
        ("a.tex", b"{"),
        ("a.tex", b"\\section{"),
        ("a.tex", b"\\begin{itemize}"),
        ("a.rtf", b"{\\rtf1 "),
        ("a.vcf", b"BEGIN:VCARD\n"),
        ("a.html", b"<table><tr><td>"),
    ],
)
def test_deep_documents_are_parsed_or_refused(name, unit):
    began = time.process_time()
    with contextlib.suppress(DocumentError, RecursionError):
        parse_bytes(unit * LENGTH, name, max_bytes=10 * LENGTH)
    assert time.process_time() - began < 5


def test_masking_stops_at_a_depth():
    value = []
    for _ in range(LENGTH):
        value = [value]
    assert "…" in str(mask_value(value))


@pytest.mark.django_db
@pytest.mark.security("slow input")
@pytest.mark.parametrize(
    "path", ["/api/v1/agents/", "/v1/models", "/console/", "/healthz", "/accounts/login/"]
)
def test_long_query_strings_are_refused(api_client, path, attacks):
    client = api_client()
    assert client.get(path, {"q": "x" * 100}).status_code != 414
    response = client.get(f"{path}?" + "a&" * MAX_URI_BYTES)
    attacks.attempt(path, succeeded=response.status_code != 414)
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "uri_too_long"


@pytest.mark.django_db
@pytest.mark.security("slow input", mutation=True)
def test_without_the_limit_long_query_strings_are_parsed(api_client, monkeypatch, attacks):
    monkeypatch.setattr("config.middleware.MAX_URI_BYTES", 10**9)
    response = api_client().get("/api/v1/agents/?" + "a&" * MAX_URI_BYTES)
    attacks.attempt("long query string", succeeded=response.status_code != 414)
