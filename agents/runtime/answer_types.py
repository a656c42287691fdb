"""Expected types of answers: which questions ask for a quantity, a price or a time, and which sentences have numbers.

The patterns match beginnings of words in lower case. Accents are ignored, as in `knowledge.terms.fold_word`.
"""

import re
from collections.abc import Iterable
from enum import Enum
from functools import cache, lru_cache
from typing import NamedTuple

from knowledge.number_words import NUMBER_WORDS
from knowledge.terms import fold_text, fold_word, normalize_text


class AnswerType(Enum):
    """The kind of answer that a question asks for; `OTHER` needs no number."""

    QUANTITY = "quantity"
    PRICE = "price"
    TIME = "time"
    OTHER = "other"


class _Patterns(NamedTuple):
    quantity: str
    price: str
    time: str


_PATTERNS = {
    "ar": _Patterns("كم", "سعر|تكلف|ثمن|رسوم", "متي|متى"),
    "bg": _Patterns("колко", "цена|струва", "кога"),
    "ca": _Patterns("quant", "preu|cost", "quan"),
    "cs": _Patterns("kolik|jak (?:dlouho|casto|vel|daleko|vysok|pozde|star)", "cen[auy]|stoji", "kdy"),
    "da": _Patterns(
        "hvor (?:mange|meget|laenge|længe|ofte|sto|ho[jy]|høj|langt|sent|gam)", "pris|koster", "hvornar"
    ),
    "de": _Patterns(
        "wie ?viel|wie (?:lang|oft|gross|hoch|weit|spat|alt|schnell|schwer|fruh|breit|tief|warm)|hochstens|mindestens",
        "kost|preis|wie teuer|gebuhr",
        "wann",
    ),
    "el": _Patterns("ποσ", "τιμη|κοστιζ|κοστος", "ποτε"),
    "en": _Patterns(
        "how (?!(?:do|does|did|can|could|is|are|was|were|should|would|will|to|i|may|must|come|has|have|well)\\b)"
        "|(?:what|which) (?:time|percentage|size|number)|maximum|minimum|number of",
        "costs?\\b|prices?\\b|fees?\\b|charge|how much (?:is|are)\\b",
        "when\\b",
    ),
    "es": _Patterns(
        "cuant[oa]s?\\b|que (?:hora|altura|edad|tamano|velocidad)",
        "cuesta|precio|coste|costo|tarifa",
        "cuando",
    ),
    "fa": _Patterns("چند|چقدر|چه مدت", "قیمت|هزینه", "کی\\b|چه زمان"),
    "fi": _Patterns("kuinka|monta|montako|paljonko|kauanko", "hinta|maksaa", "milloin"),
    "fr": _Patterns(
        "combien|quelle (?:heure|duree|taille|hauteur|distance)|quel (?:delai|age|nombre)",
        "cout|prix|tarif",
        "quand",
    ),
    "he": _Patterns("כמה", "מחיר|עולה|עלות", "מתי"),
    "hi": _Patterns("कितन", "कीमत|मूल्य|शुल्क|दाम|कितने का", "कब"),
    "hr": _Patterns("koliko", "cijen|kosta", "kada"),
    "hu": _Patterns("hany|mennyi|meddig|mekkora", "mennyibe|ara\\b|koltseg|dij", "mikor"),
    "id": _Patterns("berapa", "harga|biaya|tarif", "kapan"),
    "it": _Patterns("quant[oiae]|quant\\b|che ora", "costa|costo|prezzo|tariffa", "quando"),
    "ja": _Patterns(
        "いくつ|いくら|どのくらい|どれくらい|どれだけ|どの程度|最大|最小|何(?:人|回|年|分|円|個|週|か月|ヶ月|カ月|本|歳|日|枚|時間|秒|件|台|キロ)",
        "値段|料金|価格|費用|いくら",
        "いつ|何時",
    ),
    "ko": _Patterns("몇|얼마", "가격|요금|비용|얼마(?:인가|입니|예요|이에요|죠)", "언제"),
    "lt": _Patterns("kiek", "kaina|kainuoja", "kada"),
    "nl": _Patterns(
        "hoeveel|hoelang|hoe (?:lang|vaak|groot|hoog|ver|laat|oud|snel|zwaar|vroeg)",
        "kost|prijs|tarief",
        "wanneer",
    ),
    "no": _Patterns("hvor (?:mange|mye|lenge|ofte|sto|hoy|høy|langt|sent|gam)", "pris|koster", "nar\\b"),
    "pl": _Patterns(
        "ile\\b|ilu\\b|jak (?:dlugo|czesto|duz|daleko|wysok|pozno)",
        "kosztuj|cen[ayę]\\b|koszt|oplat",
        "kiedy",
    ),
    "pt": _Patterns(
        "quant[oa]s?\\b|que (?:horas|tamanho|altura|idade)", "custa|preco|custo|tarifa", "quando"
    ),
    "ro": _Patterns("cat[aei]?\\b|pana cand", "pret|costa|tarif", "cand"),
    "ru": _Patterns(
        "сколько|как(?:ова)? (?:долго|часто|далеко|поздно|велик|высот)",
        "цен[аыу]|стоит|стоимост|плата",
        "когда",
    ),
    "sk": _Patterns("kolko|ako (?:dlho|casto|vel)", "cen[auy]|stoji", "kedy"),
    "sv": _Patterns("hur (?:manga|mycket|lange|ofta|stor|hog|langt|sent|gam|snabb)", "pris|kostar", "nar\\b"),
    "th": _Patterns("กี่|เท่าไ|เท่าใ|นานแค่|นานเท่า", "ราคา|ค่าใช้จ่าย|ค่าธรรม|กี่บาท", "เมื่อไ|เมื่อใ|วันใด|วันไหน"),
    "tr": _Patterns("kac|ne kadar", "fiyat|ucret|kaca\\b|maliyet", "ne zaman"),
    "uk": _Patterns("скільки|як (?:довго|часто|далеко|пізно)", "цін[аиу]|коштує|вартість", "коли"),
    "vi": _Patterns("bao nhiêu|bao lâu|mấy", "giá|chi phí", "khi nào|bao giờ|lúc nào"),
    "zh": _Patterns(
        "多少|多久|多长|多大|多高|多远|多長|多遠|几|幾|最大|最小|最多|最少",
        "价格|价钱|费用|多少钱|多少錢|價格|費用|收费",
        "什么时候|什麼時候|何时|何時|几点",
    ),
}
# Languages whose words need no border before the pattern.
_UNSPACED = frozenset({"ja", "ko", "th", "zh"})
_NUMBER = re.compile(r"\d+|[二三四五六七八九十百千万萬两兩]+|สอง|สาม|สี่|ห้า|หก|เจ็ด|แปด|เก้า|สิบ")


@lru_cache(maxsize=512)
def find_answer_type(question: str, language: str) -> AnswerType:
    """Return what the question asks for; `OTHER` for unknown languages."""
    text = fold_text(normalize_text(question, language), language)
    for kind, pattern in _compile_patterns(language):
        if pattern.search(text):
            return kind
    return AnswerType.OTHER


@cache
def _compile_patterns(language: str) -> tuple[tuple[AnswerType, re.Pattern[str]], ...]:
    patterns = _PATTERNS.get(language)
    if patterns is None:
        return ()
    border = "" if language in _UNSPACED else r"(?<!\w)"
    kinds = (
        (AnswerType.PRICE, patterns.price),
        (AnswerType.QUANTITY, patterns.quantity),
        (AnswerType.TIME, patterns.time),
    )
    return tuple((kind, re.compile(f"{border}(?:{text})")) for kind, text in kinds)


def find_numbers(text: str, tokens: Iterable[str], language: str) -> set[str]:
    """Return the numbers of a normalized text, in digits and words."""
    found = set(_NUMBER.findall(text))
    if known := _list_number_words(language):
        found.update(known.intersection(tokens))
        if not text.isascii():
            found.update(known.intersection(fold_word(each, language) for each in tokens))
    return found


@cache
def _list_number_words(language: str) -> frozenset[str]:
    return frozenset(fold_word(word, language) for word in NUMBER_WORDS.get(language, "").split())
