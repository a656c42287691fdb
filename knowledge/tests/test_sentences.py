"""Sentence ends are found where a reader sees them, and no character is lost."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.sentences import split_sentences


def texts(source: str) -> list[str]:
    return [span.text for span in split_sentences(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("It rains. It pours! Really? Yes.", ["It rains.", "It pours!", "Really?", "Yes."]),
        ("Dr. Smith met J. R. Tolkien. They ate.", ["Dr. Smith met J. R. Tolkien.", "They ate."]),
        ("Use e.g. Version 3.11 here. Then stop.", ["Use e.g. Version 3.11 here.", "Then stop."]),
        ("It opens at 5 p.m. They came.", ["It opens at 5 p.m.", "They came."]),
        ("See Fig. 3 and a.b.c(). Then go.", ["See Fig. 3 and a.b.c().", "Then go."]),
        ('"Stop." He left. (Really.) Gone.', ['"Stop."', "He left.", "(Really.)", "Gone."]),
        ("Wait... what? Und z.B. Äpfel. Öl.", ["Wait... what?", "Und z.B. Äpfel.", "Öl."]),
        ("これは文です。次の文。", ["これは文です。", "次の文。"]),
        ("هل تعمل؟ نعم تعمل. لا۔", ["هل تعمل؟", "نعم تعمل.", "لا۔"]),
        ("यह एक है। दूसरा है॥", ["यह एक है।", "दूसरा है॥"]),
        ("Այո։ Ոչ։", ["Այո։", "Ոչ։"]),
        ("ሰላም። እንዴት ነህ፧", ["ሰላም።", "እንዴት ነህ፧"]),
        ("မင်္ဂလာပါ။နေကောင်းလား။", ["မင်္ဂလာပါ။", "နေကောင်းလား။"]),
        ("Am 3. Mai kam er. Es sind 12. Dann.", ["Am 3. Mai kam er.", "Es sind 12.", "Dann."]),
        ("Zie o.a. Bijlage 2. Ja.", ["Zie o.a. Bijlage 2.", "Ja."]),
        ("См. рис. А и т.е. Москва. Да.", ["См. рис. А и т.е. Москва.", "Да."]),
        ("Wrapped\nover lines. Next\none.", ["Wrapped\nover lines.", "Next\none."]),
    ],
)
def test_prose(source, expected):
    assert texts(source) == expected


def test_long_thai_text_is_split_at_spaces_between_words():
    first, second = "สมาชิกจ่ายค่าจอดเรือเพียงครึ่งราคาสำหรับทุกคืนของปี", "ชำระเงินที่สำนักงานท่าเรือภายใน 24 ชั่วโมงหลังจากมาถึง"
    assert texts(f"{first} {second}") == [first, second]
    assert texts("จ่าย 30 ยูโร ที่นี่") == ["จ่าย 30 ยูโร ที่นี่"]


def test_lists_headings_and_tables_stand_alone():
    source = "# Fruit\nTwo kinds:\n- Apples\n- Pears. Sweet.\n1. First\n2. Second\n\nName | Price\nPear | 2\n"
    assert texts(source) == [
        "# Fruit",
        "Two kinds:",
        "- Apples",
        "- Pears.",
        "Sweet.",
        "1. First",
        "2. Second",
        "Name | Price",
        "Pear | 2",
    ]


def test_a_code_block_is_one_span():
    source = "Run this. Then that.\n\n```sh\nmake. All\n\nmake install\n```\nDone."
    assert texts(source) == ["Run this.", "Then that.", "```sh\nmake. All\n\nmake install\n```", "Done."]


def test_an_unclosed_code_block_runs_to_the_end():
    assert texts("Words.\n~~~\ncode. Code") == ["Words.", "~~~\ncode. Code"]


@given(st.text(alphabet="aB1.!? \n-#|`\t。؟।ก", max_size=200))
def test_spans_are_exact_ordered_and_complete(source):
    spans = split_sentences(source)
    assert [source[span.start : span.end] for span in spans] == [span.text for span in spans]
    assert "".join("".join(span.text.split()) for span in spans) == "".join(source.split())
    assert all(before.end <= after.start for before, after in pairwise(spans))
