"""Languages of passages and questions are detected, and each passage is searched in its own."""

import pytest
from django.db import connection

from config.tenancy.scope import tenant_scope
from knowledge.languages import detect_language, detect_languages, detect_question_language
from knowledge.models import Chunk, Collection, Document
from knowledge.question_words import strip_question_words
from knowledge.services.search import search
from knowledge.tests.test_search import fill

TEXTS = {
    "en": "High water follows the moon by some hours. Boats leave the harbour before low water.",
    "de": "Die Kündigungsfristen der Verträge betragen drei Monate. Häuser werden im Winter gewartet.",
    "fr": "Les remboursements sont versés sous quatorze jours. Les clients reçoivent un courriel.",
    "ru": "Пароли меняют каждые девяносто дней. Журналы хранятся в отдельной базе данных.",
    "ar": "يُغيِّر المستخدمون كلمات المرور كل تسعين يومًا. تُحفظ السجلات في قاعدة بيانات منفصلة.",
    "zh": "用户每九十天更改一次密码。日志保存在单独的数据库中。",
    "ja": "利用者は九十日ごとにパスワードを変更します。ログは別のデータベースに保存されます。",
    "th": "ผู้ใช้เปลี่ยนรหัสผ่านทุกเก้าสิบวัน บันทึกถูกเก็บไว้ในฐานข้อมูลแยกต่างหาก",
    "ko": "사용자는 구십 일마다 비밀번호를 변경합니다. 기록은 별도의 데이터베이스에 저장됩니다.",
    "pl": "Użytkownicy zmieniają hasła co dziewięćdziesiąt dni. Dzienniki są przechowywane w osobnej bazie danych.",
}
QUESTIONS = {
    "en": "When do the boats leave?",
    "de": "Welche Kündigungsfrist gilt für einen Vertrag?",
    "fr": "Quand le remboursement est-il versé ?",
    "ru": "Как часто менять пароль?",
    "ar": "متى تتغير كلمة المرور؟",
    "zh": "多久更改密码？",
    "ja": "パスワードの変更はいつですか？",
    "th": "เปลี่ยนรหัสผ่านเมื่อไร",
    "ko": "비밀번호는 언제 변경합니까?",
    "pl": "Jak często zmieniać hasło?",
}


def analyse(language, text):
    with connection.cursor() as cursor:
        cursor.execute("SELECT tsvector_to_array(knowledge_to_tsvector(%s, %s))", [language, text])
        return set(cursor.fetchone()[0])


@pytest.mark.parametrize("language", TEXTS)
def test_language_of_a_passage_is_detected(language):
    assert detect_language(TEXTS[language]) == language


@pytest.mark.parametrize("text", ["", "12345 67", "😀😀", "\u200b‍", "x"])
def test_text_without_a_language_has_none(text):
    assert detect_language(text) == ""


def test_uncertain_chunk_has_the_language_of_its_document():
    assert detect_languages([TEXTS["de"], "A1 | B2 | 17"]) == ["de", "de"]


def test_code_is_analysed_as_english():
    assert detect_languages(["def f(x): return x+1", "y = f(2)"]) == ["en", "en"]


def test_question_prefers_a_language_of_the_collections():
    assert detect_question_language("Hvem kan lese loggen?", ["de", "no"]) == "no"
    assert detect_question_language("Kontrakten", ["sv"]) == "sv"


@pytest.mark.parametrize("strategy", ["keyword", "hybrid"])
def test_mixed_collection_finds_each_passage_in_its_language(tenant, tmp_path, strategy):
    fill(tenant, tmp_path, {f"{language}.md": text for language, text in TEXTS.items()})
    with tenant_scope(tenant):
        (collection,) = Collection.objects.all()
        found = {
            language: search(question, [collection], strategy=strategy)[0].source
            for language, question in QUESTIONS.items()
        }
        assert found == {language: f"{language}.md" for language in TEXTS}
        assert collection.languages == sorted(TEXTS)
        assert dict(Document.objects.values_list("source", "language")) == {
            f"{code}.md": code for code in TEXTS
        }


def test_language_of_the_collection_overrides_detection(tenant, tmp_path):
    with tenant_scope(tenant, actor="system:test"):
        Collection(name="All", slug="all", language="sv").save()
    fill(tenant, tmp_path, {"en.md": TEXTS["en"]})
    with tenant_scope(tenant):
        assert set(Chunk.objects.values_list("language", flat=True)) == {"sv"}


def test_document_language_follows_its_file(tenant, tmp_path):
    fill(tenant, tmp_path, {"a.md": TEXTS["en"]})
    fill(tenant, tmp_path, {"a.md": TEXTS["ru"]})
    with tenant_scope(tenant):
        assert Document.objects.get().language == "ru"
        assert set(Collection.objects.get().languages) == {"en", "ru"}


@pytest.mark.parametrize(
    ("language", "text", "lexemes"),
    [
        ("", "東京大学は", {"東京", "京大", "大学", "学は"}),
        ("", "は", {"は"}),
        ("en", "getUserName", {"getusernam", "get", "user", "name"}),
        ("en", "snake_case /usr/lib a.b", {"snake", "case", "usr", "lib", "b"}),
        ("de", "Kündigungsfrist", {"kundig"}),
        ("ar", "كَيْفَ المرور؟", {"كيف", "مرور"}),
        ("fa", "می‌خواهم", {"می", "خواهم"}),
        ("es", "¿Cómo?", {"com"}),
        ("", "ＡＢＣ e\u200bf", {"abc", "ef"}),
        ("xx", "word's", {"word", "s"}),
        ("", "", set()),
    ],
)
def test_text_becomes_lexemes(db, language, text, lexemes):
    assert analyse(language, text) == lexemes


def test_word_of_ten_megabytes_is_analysed(db):
    assert analyse("de", "a" * 10_000_000) == {"aaaaaa"}
    assert len(analyse("ja", "京" * 100_000)) == 1


@pytest.mark.parametrize(
    ("question", "language", "rest"),
    [
        ("How do I leave?", "en", "do I leave"),
        ("如何更改密码？", "zh", "更改密码"),
        ("What?", "en", "What"),
        ("Quand partir ?", "fr", "partir"),
        ("anything", "xx", "anything"),
    ],
)
def test_interrogative_words_are_stripped(question, language, rest):
    assert strip_question_words(question, language).strip(" ?？") == rest


def test_snippets_mark_pairs_and_stems(tenant, tmp_path):
    fill(tenant, tmp_path, {"zh.md": TEXTS["zh"], "de.md": TEXTS["de"]})
    with tenant_scope(tenant):
        collections = list(Collection.objects.all())
        chinese = search("更改密码", collections, snippets=True)[0].snippet
        german = search("Kündigung im Vertrag", collections, snippets=True)[0].snippet
    assert chinese == "用户每九十天\ue000更改\ue001一次\ue000密码\ue001。日志保存在单独的数据库中。"
    assert "\ue000Kündigungsfristen\ue001 der \ue000Verträge\ue001" in german
