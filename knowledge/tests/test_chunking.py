"""Chunks fit, are exact slices of the document, keep sentences whole and overlap by whole sentences."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.chunking import chunk_document, count_tokens
from knowledge.parsing import ParseError, parse_bytes

SENTENCE = "The harbour master counts every boat that comes in. "


def document(text: str, name: str = "words.md"):
    return parse_bytes(text.encode(), name)


def test_a_short_document_is_one_chunk_with_its_heading_path():
    [only] = chunk_document(document("# Guide\n\n## Install\n\nRun it."))[1:]
    assert (only.index, only.text, only.context, only.page) == (
        1,
        "## Install\n\nRun it.",
        "Guide > Install",
        None,
    )


def test_chunks_fit_and_end_at_sentences():
    chunks = chunk_document(document(SENTENCE * 100), size=60, overlap=0)
    assert len(chunks) > 15
    assert all(piece.tokens <= 60 and piece.text.endswith("in.") for piece in chunks)
    assert " ".join(piece.text for piece in chunks) == (SENTENCE * 100).strip()


def test_overlap_repeats_whole_sentences():
    sentences = [f"Boat number {number} came in at dawn." for number in range(30)]
    chunks = chunk_document(document(" ".join(sentences)), size=40, overlap=12)
    assert all(after.start < before.end for before, after in pairwise(chunks))
    assert all(piece.text.startswith("Boat") and piece.tokens <= 40 for piece in chunks)


def test_no_chunk_crosses_a_section():
    source = "# One\n\nShort.\n\n# Two\n\nAlso short."
    assert [(piece.context, piece.text) for piece in chunk_document(document(source))] == [
        ("One", "# One\n\nShort."),
        ("Two", "# Two\n\nAlso short."),
    ]


def test_an_overlong_sentence_is_cut_at_white_space():
    chunks = chunk_document(document("word " * 500, "words.txt"), size=50, overlap=5)
    assert all(piece.tokens <= 50 and set(piece.text.split()) == {"word"} for piece in chunks)
    assert len(chunks) <= 12


def test_text_without_white_space_is_still_cut():
    chunks = chunk_document(document("x" * 5000, "words.txt"), size=50, overlap=5)
    assert "".join(piece.text for piece in chunks) == "x" * 5000
    assert max(piece.tokens for piece in chunks) <= 50


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet="aB .\n#-`é。", min_size=1, max_size=600), st.integers(2, 40), st.integers(0, 20))
def test_offsets_are_exact_and_nothing_is_lost(source, size, overlap):
    try:
        parsed = document(source)
    except ParseError:
        return
    chunks = chunk_document(parsed, size=size, overlap=min(overlap, size - 1))
    covered = {position for piece in chunks for position in range(piece.start, piece.end)}
    assert [parsed.text[piece.start : piece.end] for piece in chunks] == [piece.text for piece in chunks]
    assert all(piece.tokens <= size for piece in chunks)
    assert all(position in covered for position, letter in enumerate(parsed.text) if not letter.isspace())


@pytest.mark.parametrize(("size", "overlap"), [(10, 10), (10, 11), (0, 0), (10, -1)])
def test_impossible_sizes_are_refused(size, overlap):
    with pytest.raises(ValueError, match="overlap"):
        chunk_document(document("Words."), size=size, overlap=overlap)


def test_count_tokens_counts_words_marks_and_long_words():
    assert count_tokens("") == 0
    assert count_tokens("A boat, rowing.") == 5
    assert count_tokens("extraordinarily") == 3
    assert count_tokens("文字列") == 2


ROWS = "\n".join(f"| port {number} | {number} m |" for number in range(12))
TABLE = f"| Port | Height |\n|---|---|\n{ROWS}"
LISTING = "```sh\n" + "\n".join(f"run --step {number}" for number in range(15)) + "\n```"


@pytest.mark.parametrize("whole", [TABLE, LISTING], ids=["table", "code"])
def test_tables_and_code_that_fit_are_never_cut(whole):
    before = "Words come first. " * 20
    document = parse_bytes(f"# Ports\n\n{before}\n\n{whole}\n\nAfter it. {before}".encode(), "a.md")
    pieces = chunk_document(document, size=count_tokens(whole) + 5, overlap=4)
    assert len(pieces) > 2
    assert [piece.index for piece in pieces if whole in piece.text]


def test_a_table_that_is_too_long_is_cut_between_rows():
    document = parse_bytes(TABLE.encode(), "a.md")
    pieces = chunk_document(document, size=40, overlap=0)
    assert "\n".join(piece.text for piece in pieces) == TABLE
    assert all(line in TABLE.split("\n") for piece in pieces for line in piece.text.split("\n"))
