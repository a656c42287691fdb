"""Interrogative words by language, which search leaves out of a question.

Statements rarely contain them, so BM25 would give them a high weight.
"""

import re
from functools import cache

QUESTION_WORDS = {
    "ar": "هل ما ماذا متى أين كيف لماذا من كم أي أية",
    "ca": "com què quan on quin quina quins quines qui quant quanta quants quantes",
    "cs": "jak co kdy kde kam odkud který která které kteří jaký jaká jaké kdo kolik proč čí zda",
    "da": "hvordan hvad hvornår hvor hvilken hvilket hvilke hvem hvis hvorfor",
    "de": "wie was wann wo wohin woher welche welcher welches welchen welchem wer wem wen wessen warum wieso weshalb "
    "wozu womit wofür woran worauf wieviel wieviele",
    "el": "πώς τι πότε πού ποιος ποια ποιο ποιοι ποιες πόσο πόσα πόσες πόσοι γιατί",
    "en": "how what when where which who whom whose why",
    "es": "cómo qué cuándo dónde adónde cuál cuáles quién quiénes cuánto cuánta cuántos cuántas porqué",
    "fa": "آیا چه چگونه چطور کی کجا کدام چرا چند چقدر",
    "fi": "miten mikä mitä milloin koska missä minne mistä mihin kuka kenen kuinka miksi montako paljonko",
    "fr": "comment que quoi quand où quel quelle quels quelles qui combien pourquoi lequel laquelle",
    "hi": "क्या कैसे कब कहाँ कहां कौन कौनसा किस किसे किसका किसको कितना कितनी कितने क्यों",
    "hu": "hogyan hogy mi mit mikor hol hová honnan melyik ki kit kinek mennyi hány miért",
    "id": "bagaimana apa apakah kapan mana siapa berapa mengapa kenapa",
    "it": "come cosa che quando dove quale quali chi quanto quanta quanti quante perché",
    "nl": "hoe wat wanneer waar waarheen welke welk wie wiens waarom hoeveel",
    "no": "hvordan hva når hvor hvilken hvilket hvilke hvem hvis hvorfor",
    "pl": "jak co kiedy gdzie dokąd skąd który która które którzy jaki jaka jakie kto komu ile dlaczego czy",
    "pt": "como que quê quando onde aonde qual quais quem quanto quanta quantos quantas porquê",
    "ro": "cum ce când unde care cine cui cât câtă câți câte",
    "ru": "как что когда где куда откуда который которая которое которые какой какая какое какие кто кому кем сколько "
    "почему зачем чей ли",
    "sv": "hur vad när var vart varifrån vilken vilket vilka vem vems varför",
    "tr": "nasıl ne neden niçin niye nerede nereye nereden hangi kim kime kimin kaç mi mı mu mü",
    "uk": "як що коли де куди звідки який яка яке які хто кому скільки чому навіщо чи",
    "vi": "gì nào đâu ai bao nhiêu sao",
}
# Words of scripts without spaces, longest first.
_UNSEPARATED = {
    "ja": "どのようにして どのように どうすれば どうやって どのくらい どれくらい いくつ いくら なぜ どこ どれ どの "
    "だれ 誰が 何ですか できますか ありますか しますか ですか ますか でしょうか",
    "ko": "어떻게 무엇을 무엇이 무엇 언제 어디서 어디에 어디 누가 누구 얼마나 얼마 왜 어떤 어느",
    "th": "อย่างไร อะไร เมื่อไหร่ เมื่อไร ที่ไหน ไหน ใคร เท่าไหร่ เท่าไร ทำไม กี่ หรือไม่ ไหม",
    "zh": "怎么样 怎么 怎樣 怎样 如何 什么时候 什么 什麼 何时 哪里 哪裡 哪儿 "
    "哪个 哪些 谁 誰 多少 多久 多长 几 为什么 為什麼 是否 吗 嗎 呢",
}


@cache
def _get_pattern(language: str) -> re.Pattern[str] | None:
    if words := QUESTION_WORDS.get(language):
        return re.compile(rf"(?<!\w)(?:{'|'.join(words.split())})(?!\w)", re.IGNORECASE)
    if words := _UNSEPARATED.get(language):
        return re.compile("|".join(sorted(words.split(), key=len, reverse=True)))
    return None


def strip_question_words(question: str, language: str) -> str:
    """Return the question without interrogative words, or unchanged if nothing else remains."""
    pattern = _get_pattern(language)
    rest = pattern.sub(" ", question) if pattern else question
    return rest if any(letter.isalnum() for letter in rest) else question
