"""Terms of a question and a passage are equal in every script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.terms import split_terms


def stems(text, language):
    return {term.stem for term in split_terms(text, language) if term.weight}


@pytest.mark.parametrize(
    ("language", "first", "second"),
    [
        ("en", "encrypted keys", "encrypt key"),
        ("de", "Kündigungsfristen der Verträge", "kündigungsfrist vertrage"),
        ("es", "¿Cuáles políticas?", "politica"),
        ("ru", "удаляются документы", "удаляется документ"),
        ("tr", "İPTALLER", "iptal"),
        ("ar", "المَفاتيح", "المفاتيح"),
        ("uk", "комп’ютер", "компʼютер"),
        ("fa", "کتاب\u200cها", "کتاب ها"),
        ("ko", "비밀번호를", "비밀번호는"),
        ("zh", "如何更改密码？", "更改密码"),
        ("ja", "ｶﾒﾗの映像", "カメラ映像"),
    ],
)
def test_forms_of_a_word_have_the_same_terms(language, first, second):
    assert stems(first, language) == stems(second, language) != set()


@pytest.mark.parametrize(
    ("language", "question"),
    [
        ("en", "what is it?"),
        ("de", "Was ist das?"),
        ("es", "¿Qué es esto?"),
        ("zh", "这是什么？"),
        ("ru", "Что это?"),
    ],
)
def test_function_words_have_no_weight(language, question):
    assert stems(question, language) == set()


def test_marks_of_indic_scripts_belong_to_words():
    assert [term.text for term in split_terms("कुंजी बदलें", "hi")] == ["कुंजी", "बदलें"]


def test_vietnamese_keeps_its_accents():
    assert stems("má", "vi") != stems("ma", "vi")


def test_text_without_spaces_is_split_into_groups_of_characters():
    assert [term.text for term in split_terms("密码API", "zh")] == ["密码", "api"]
    assert [term.text for term in split_terms("รหัสผ่าน", "th")][:2] == ["รหั", "หัส"]


@given(
    st.text(alphabet="aZ1_' ¨ßİ密カのรห가ُक्\u200c", max_size=30),
    st.sampled_from(["", "de", "ja", "th", "ko", "xx", "tr"]),
)
def test_any_text_is_accepted(text, language):
    for term in split_terms(text, language):
        assert 0 <= term.weight <= 1
        assert min(len(term.text), len(term.stem)) > 0
