"""The extractive model answers and declines in the language of the question."""

from typing import NamedTuple

import pytest

from agents.runtime.extractive import RetrievedPassage, answer_question
from agents.runtime.question_matching import QuestionMatcher
from agents.runtime.refusals import NO_QUESTION, NOTHING_FOUND, SEARCH_FAILED, get_refusal


class Example(NamedTuple):
    """Three texts in one language, a question that the second answers and one that none answers."""

    language: str
    texts: tuple[str, str, str]
    question: str
    words: str
    absent: str


EXAMPLES = [
    Example(
        "en",
        (
            "Low water leaves the inner basin dry. Boats with a keel must wait outside.",
            "Members pay half. A berth for one night costs 30 euros. Fees are paid at the harbour office.",
            "Diesel is sold at the blue pontoon. Petrol is not available in the harbour.",
        ),
        "How much does a berth cost per night?",
        "30 euros",
        "Which vaccine prevents measles in children?",
    ),
    Example(
        "de",
        (
            "Bei Niedrigwasser fällt das innere Becken trocken. Boote mit Kiel müssen draußen warten.",
            "Mitglieder zahlen die Hälfte. Ein Liegeplatz für eine Nacht kostet 30 Euro. Bezahlt wird im Hafenbüro.",
            "Diesel gibt es am blauen Steg. Benzin ist im Hafen nicht erhältlich.",
        ),
        "Wie viel kostet ein Liegeplatz pro Nacht?",
        "30 Euro",
        "Welcher Impfstoff schützt Kinder vor Masern?",
    ),
    Example(
        "fr",
        (
            "À marée basse, le bassin intérieur est à sec. Les bateaux à quille doivent attendre dehors.",
            "Les membres paient la moitié. Une place à quai coûte 30 euros la nuit. On paie à la capitainerie.",
            "Le gazole est vendu au ponton bleu. L'essence n'est pas disponible dans le port.",
        ),
        "Combien coûte une place à quai pour une nuit ?",
        "30 euros",
        "Quel vaccin protège les enfants contre la rougeole ?",
    ),
    Example(
        "es",
        (
            "Con la marea baja, la dársena interior queda seca. Los barcos con quilla deben esperar fuera.",
            "Los socios pagan la mitad. Un amarre cuesta 30 euros por noche. Se paga en la oficina del puerto.",
            "El gasóleo se vende en el pantalán azul. En el puerto no hay gasolina.",
        ),
        "¿Cuánto cuesta un amarre por noche?",
        "30 euros",
        "¿Qué vacuna protege a los niños del sarampión?",
    ),
    Example(
        "pl",
        (
            "Przy niskiej wodzie wewnętrzny basen wysycha. Łodzie z kilem muszą czekać na zewnątrz.",
            "Członkowie płacą połowę. Miejsce postojowe kosztuje 30 euro za noc. Płaci się w biurze portu.",
            "Olej napędowy sprzedaje się przy niebieskim pomoście. Benzyny w porcie nie ma.",
        ),
        "Ile kosztuje miejsce postojowe za noc?",
        "30 euro",
        "Która szczepionka chroni dzieci przed odrą?",
    ),
    Example(
        "ru",
        (
            "При низкой воде внутренний бассейн высыхает. Лодки с килем должны ждать снаружи.",
            "Члены клуба платят половину. Стоянка у причала стоит 30 евро за ночь. Плата вносится в конторе порта.",
            "Дизельное топливо продают у синего понтона. Бензина в порту нет.",
        ),
        "Сколько стоит стоянка у причала за ночь?",
        "30 евро",
        "Какая вакцина защищает детей от кори?",
    ),
    Example(
        "ar",
        (
            "عند انخفاض الماء يجف الحوض الداخلي. يجب أن تنتظر القوارب في الخارج.",
            "يدفع الأعضاء النصف. تبلغ تكلفة المرسى 30 يورو في الليلة. تُدفع الرسوم في مكتب الميناء.",
            "يباع الديزل عند الرصيف الأزرق. لا يتوفر البنزين في الميناء.",
        ),
        "كم تبلغ تكلفة المرسى في الليلة؟",
        "30 يورو",
        "أي لقاح يحمي الأطفال من الحصبة؟",
    ),
    Example(
        "hi",
        (
            "कम पानी में भीतरी बंदरगाह सूख जाता है। नावों को बाहर रुकना पड़ता है।",
            "सदस्य आधा शुल्क देते हैं। एक रात के लिए नाव की जगह का शुल्क 30 यूरो है। भुगतान कार्यालय में होता है।",
            "डीज़ल नीले घाट पर मिलता है। पेट्रोल यहाँ नहीं मिलता।",
        ),
        "एक रात के लिए नाव की जगह का शुल्क कितना है?",
        "30 यूरो",
        "खसरे से बच्चों को कौन सा टीका बचाता है?",
    ),
    Example(
        "zh",
        (
            "低潮时内港会干涸。有龙骨的船必须在外面等待。",
            "会员只付一半。泊位每晚的费用是 30 欧元。费用在港务办公室支付。",
            "柴油在蓝色浮桥出售。港口没有汽油。",
        ),
        "一个泊位每晚多少钱？",
        "30 欧元",
        "哪种疫苗可以预防麻疹？",
    ),
    Example(
        "ja",
        (
            "干潮時には内側の港が干上がります。竜骨のある船は外で待たなければなりません。",
            "会員は半額です。係留場所の料金は一泊 30 ユーロです。料金は港の事務所で支払います。",
            "軽油は青い桟橋で販売しています。ガソリンはありません。",
        ),
        "係留場所の料金は一泊いくらですか。",
        "30 ユーロ",
        "はしかを予防するワクチンはどれですか。",
    ),
    Example(
        "ko",
        (
            "썰물 때는 안쪽 항구가 마릅니다. 용골이 있는 배는 밖에서 기다려야 합니다.",
            "회원은 절반만 냅니다. 정박 요금은 하룻밤에 30유로입니다. 요금은 항만 사무실에서 냅니다.",
            "경유는 파란 부두에서 판매합니다. 휘발유는 항구에 없습니다.",
        ),
        "하룻밤 정박 요금은 얼마인가요?",
        "30유로",
        "홍역을 예방하는 백신은 무엇인가요?",
    ),
    Example(
        "th",
        (
            "เมื่อน้ำลง อ่าวด้านในจะแห้ง เรือที่มีกระดูกงูต้องรอด้านนอก",
            "สมาชิกจ่ายครึ่งราคา ค่าจอดเรือคืนละ 30 ยูโร ชำระเงินที่สำนักงานท่าเรือ",
            "น้ำมันดีเซลขายที่ท่าสีฟ้า ท่าเรือไม่มีน้ำมันเบนซิน",
        ),
        "ค่าจอดเรือคืนละเท่าไหร่",
        "30 ยูโร",
        "วัคซีนชนิดใดป้องกันโรคหัดในเด็ก",
    ),
]
LANGUAGES = [each.language for each in EXAMPLES]


def build_passages(example):
    return [RetrievedPassage(str(number), f"{number}.md", text) for number, text in enumerate(example.texts)]


@pytest.mark.parametrize("example", EXAMPLES, ids=LANGUAGES)
def test_the_right_sentence_is_quoted_in_each_language(example):
    passages = build_passages(example)
    found = answer_question(example.question, passages)

    assert (found.found, found.language, found.citations[0].passage) == (True, example.language, 1)
    assert example.words in found.citations[0].quote
    for cited in found.citations:
        assert passages[cited.passage].text[cited.start : cited.end] == cited.quote


@pytest.mark.parametrize("example", EXAMPLES, ids=LANGUAGES)
def test_absent_questions_are_declined_in_their_language(example):
    declined = answer_question(example.absent, build_passages(example))

    assert (declined.found, declined.text) == (False, get_refusal(NOTHING_FOUND, example.language))


@pytest.mark.parametrize("text", [NOTHING_FOUND, NO_QUESTION, SEARCH_FAILED])
def test_refusals_are_translated(text):
    translated = {get_refusal(text, language) for language in LANGUAGES}

    assert len(translated) == len(LANGUAGES)
    assert get_refusal(text, "en") == get_refusal(text, "eo") == get_refusal(text, "") == text


def test_passages_in_another_language_are_stemmed_in_theirs():
    passages = [
        RetrievedPassage("1", "Routers", "A router forwards packets. It has two ports."),
        RetrievedPassage("2", "Ruter", "Die Firewalls blockieren Anfragen aus fremden Netzwerken sofort."),
    ]
    found = answer_question("Do firewall requests block Netzwerk connections?", passages)

    assert found.language == "en"
    assert found.citations[0].passage == 1


@pytest.mark.parametrize(
    ("word", "strength"), [("vitabu", 0.5), ("kitabuni", 0.6), ("karibu", 0.0), ("2024", 0.0)]
)
def test_words_of_a_similar_form_match_in_languages_without_a_stemmer(word, strength):
    matcher = QuestionMatcher("kitabu 2025", "sw", similar_forms=True)

    assert matcher.match(word) == ({0: strength} if strength else {})


def test_words_of_a_similar_form_do_not_match_by_default():
    assert QuestionMatcher("kitabu", "sw").match("vitabu") == {}


def test_a_keyword_question_has_the_language_of_the_passages():
    passages = [RetrievedPassage("1", "Hafen", EXAMPLES[1].texts[1])]

    assert answer_question("Login API", passages).text == get_refusal(NOTHING_FOUND, "de")


def test_a_heading_alone_is_no_answer():
    passages = [RetrievedPassage("1", "Login API", "Diesel is sold at the blue pontoon in the harbour.")]

    assert not answer_question("How does the login API work?", passages).found


def test_questions_for_a_price_need_a_number():
    text = "Annual passes of the museum can be given to a relative. They are not refunded."

    assert not answer_question(
        "How much does the annual pass of the museum cost?", [RetrievedPassage("1", "", text)]
    ).found


def test_a_table_row_is_quoted_with_its_header():
    text = "Fees:\n\n| Service | Price |\n|---|---|\n| Berth for a night | 30 euros |\n| Shower | 2 euros |\n"
    found = answer_question("What does a shower cost?", [RetrievedPassage("1", "Fees", text, start=100)])

    cited = found.citations[0]
    assert (cited.quote, cited.header) == ("Shower | 2 euros |", "Service | Price")
    assert text[cited.start : cited.end] == cited.quote
