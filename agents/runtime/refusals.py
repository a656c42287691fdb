"""Texts of the extractive model without an answer, in the language of the question."""

NOTHING_FOUND = "I found nothing about this in the knowledge I was given."
NO_QUESTION = "I could not find a question in that. What would you like to know?"
SEARCH_FAILED = "I could not search the knowledge just now, so I cannot answer."

# By language: `NOTHING_FOUND`, `NO_QUESTION` and `SEARCH_FAILED`.
_TRANSLATIONS = {
    "ar": (
        "لم أجد شيئًا عن هذا في المعرفة المتاحة لي.",
        "لم أجد سؤالًا في ذلك. ماذا تريد أن تعرف؟",
        "تعذّر البحث في المعرفة الآن، لذلك لا أستطيع الإجابة.",
    ),
    "cs": (
        "V dostupných znalostech jsem o tom nic nenašel.",
        "Nenašel jsem v tom žádnou otázku. Co byste chtěli vědět?",
        "Ve znalostech se právě nepodařilo vyhledávat, proto nemohu odpovědět.",
    ),
    "da": (
        "Jeg fandt intet om dette i den viden, jeg har fået.",
        "Jeg kunne ikke finde et spørgsmål i det. Hvad vil du gerne vide?",
        "Jeg kunne ikke søge i min viden lige nu, så jeg kan ikke svare.",
    ),
    "de": (
        "Dazu habe ich im vorhandenen Wissen nichts gefunden.",
        "Darin habe ich keine Frage gefunden. Was möchten Sie wissen?",
        "Die Suche im Wissen ist gerade fehlgeschlagen, deshalb kann ich nicht antworten.",
    ),
    "el": (
        "Δεν βρήκα τίποτα σχετικό στις πληροφορίες που διαθέτω.",
        "Δεν βρήκα κάποια ερώτηση εδώ. Τι θα θέλατε να μάθετε;",
        "Δεν ήταν δυνατή η αναζήτηση αυτή τη στιγμή, οπότε δεν μπορώ να απαντήσω.",
    ),
    "es": (
        "No he encontrado nada sobre esto en la información disponible.",
        "No he encontrado ninguna pregunta. ¿Qué desea saber?",
        "La búsqueda ha fallado en este momento, por lo que no puedo responder.",
    ),
    "fa": (
        "در اطلاعات موجود چیزی دربارهٔ این پیدا نکردم.",
        "پرسشی در این متن پیدا نکردم. چه می‌خواهید بدانید؟",
        "جستجو در اطلاعات اکنون ممکن نبود، بنابراین نمی‌توانم پاسخ دهم.",
    ),
    "fi": (
        "En löytänyt tästä mitään käytettävissä olevista tiedoista.",
        "En löytänyt tästä kysymystä. Mitä haluaisit tietää?",
        "Tietojen haku ei juuri nyt onnistunut, joten en voi vastata.",
    ),
    "fr": (
        "Je n'ai rien trouvé à ce sujet dans les informations disponibles.",
        "Je n'ai pas trouvé de question. Que souhaitez-vous savoir ?",
        "La recherche a échoué à l'instant, je ne peux donc pas répondre.",
    ),
    "he": (
        "לא מצאתי דבר על כך במידע העומד לרשותי.",
        "לא מצאתי בכך שאלה. מה תרצו לדעת?",
        "החיפוש במידע נכשל כרגע, ולכן אין באפשרותי לענות.",
    ),
    "hi": (
        "उपलब्ध जानकारी में मुझे इसके बारे में कुछ नहीं मिला।",
        "मुझे इसमें कोई प्रश्न नहीं मिला। आप क्या जानना चाहते हैं?",
        "अभी जानकारी में खोज नहीं हो सकी, इसलिए मैं उत्तर नहीं दे सकता।",
    ),
    "hu": (
        "Erről semmit sem találtam a rendelkezésre álló ismeretekben.",
        "Nem találtam benne kérdést. Mit szeretne tudni?",
        "A keresés most nem sikerült, ezért nem tudok válaszolni.",
    ),
    "id": (
        "Saya tidak menemukan apa pun tentang hal ini dalam informasi yang tersedia.",
        "Saya tidak menemukan pertanyaan di dalamnya. Apa yang ingin Anda ketahui?",
        "Pencarian informasi sedang gagal, sehingga saya tidak dapat menjawab.",
    ),
    "it": (
        "Non ho trovato nulla in proposito nelle informazioni disponibili.",
        "Non ho trovato una domanda. Che cosa desidera sapere?",
        "La ricerca non è riuscita in questo momento, quindi non posso rispondere.",
    ),
    "ja": (
        "与えられた情報の中に、これに関する記述は見つかりませんでした。",
        "質問が見つかりませんでした。何をお知りになりたいですか？",
        "現在、情報を検索できなかったため、お答えできません。",
    ),
    "ko": (
        "제공된 자료에서 이에 관한 내용을 찾지 못했습니다.",
        "질문을 찾지 못했습니다. 무엇을 알고 싶으신가요?",
        "지금은 자료를 검색할 수 없어 답변할 수 없습니다.",
    ),
    "nl": (
        "Ik heb hierover niets gevonden in de beschikbare kennis.",
        "Ik heb daarin geen vraag gevonden. Wat wilt u weten?",
        "Zoeken in de kennis is zojuist mislukt, dus ik kan geen antwoord geven.",
    ),
    "no": (
        "Jeg fant ingenting om dette i kunnskapen jeg har fått.",
        "Jeg fant ikke noe spørsmål i det. Hva vil du vite?",
        "Jeg kunne ikke søke i kunnskapen akkurat nå, så jeg kan ikke svare.",
    ),
    "pl": (
        "W dostępnych informacjach nie ma niczego na ten temat.",
        "Nie widzę w tym pytania. Czego chcesz się dowiedzieć?",
        "Wyszukiwanie właśnie się nie powiodło, więc nie mogę odpowiedzieć.",
    ),
    "pt": (
        "Não encontrei nada sobre isto nas informações disponíveis.",
        "Não encontrei nenhuma pergunta. O que deseja saber?",
        "A pesquisa falhou neste momento, por isso não posso responder.",
    ),
    "ro": (
        "Nu am găsit nimic despre acest subiect în informațiile disponibile.",
        "Nu am găsit nicio întrebare. Ce doriți să aflați?",
        "Căutarea nu a reușit în acest moment, așa că nu pot răspunde.",
    ),
    "ru": (
        "В доступных сведениях об этом ничего не найдено.",
        "Не удалось найти вопрос. Что вы хотите узнать?",
        "Поиск сейчас не удался, поэтому ответить невозможно.",
    ),
    "sv": (
        "Jag hittade ingenting om detta i den kunskap jag har fått.",
        "Jag hittade ingen fråga i det. Vad vill du veta?",
        "Det gick inte att söka i kunskapen just nu, så jag kan inte svara.",
    ),
    "th": (
        "ไม่พบข้อมูลเกี่ยวกับเรื่องนี้ในความรู้ที่มีอยู่",
        "ไม่พบคำถามในข้อความนั้น คุณต้องการทราบอะไร",
        "ไม่สามารถค้นหาข้อมูลได้ในขณะนี้ จึงไม่สามารถตอบได้",
    ),
    "tr": (
        "Eldeki bilgilerde bununla ilgili bir şey bulamadım.",
        "Bunda bir soru bulamadım. Ne öğrenmek istersiniz?",
        "Bilgilerde şu anda arama yapılamadı, bu yüzden yanıt veremiyorum.",
    ),
    "uk": (
        "У доступних відомостях про це нічого не знайдено.",
        "Не вдалося знайти запитання. Що ви хочете дізнатися?",
        "Пошук зараз не вдався, тому відповісти неможливо.",
    ),
    "vi": (
        "Tôi không tìm thấy gì về điều này trong thông tin hiện có.",
        "Tôi không tìm thấy câu hỏi nào. Bạn muốn biết điều gì?",
        "Hiện không thể tìm kiếm thông tin, vì vậy tôi không thể trả lời.",
    ),
    "zh": (
        "在现有资料中没有找到与此相关的内容。",
        "没有找到问题。您想了解什么？",
        "目前无法搜索资料，因此无法回答。",
    ),
}
_ENGLISH = (NOTHING_FOUND, NO_QUESTION, SEARCH_FAILED)


def get_refusal(text: str, language: str) -> str:
    """Return the translation of one of the English texts, or `text` itself for other languages."""
    return _TRANSLATIONS.get(language, _ENGLISH)[_ENGLISH.index(text)]
