"""Number words by language; "one" is missing because it is also an article or pronoun."""

NUMBER_WORDS = {
    "ar": (
        "اثنان اثنين ثلاثة ثلاث أربعة أربع اربعة اربع خمسة خمس ستة ست سبعة سبع ثمانية ثماني تسعة تسع عشرة "
        "عشر عشرين ثلاثين مئة مائة ألف يومين ساعتين أسبوعين شهرين عامين سنتين مرتين"
    ),
    "cs": (
        "dva dve dvou tri trech ctyri ctyr pet peti sest sesti sedm sedmi osm osmi devet deset deseti "
        "dvanact dvacet tricet sto tisic jednou dvakrat trikrat"
    ),
    "da": ("to tre fire fem seks syv otte ni ti tolv tyve tredive hundrede tusind"),
    "de": (
        "zwei drei vier funf sechs sieben acht neun zehn elf zwolf zwanzig dreissig vierzig funfzig "
        "hundert tausend einmal zweimal dreimal vierten dritten"
    ),
    "el": ("δυο τρεις τρια τεσσερα τεσσερις πεντε εξι επτα οκτω εννεα δεκα δωδεκα εικοσι τριαντα εκατο"),
    "en": (
        "two three four five six seven eight nine ten eleven twelve fourteen fifteen twenty thirty forty "
        "fifty sixty ninety hundred thousand half twice"
    ),
    "es": (
        "dos tres cuatro cinco seis siete ocho nueve diez once doce quince veinte treinta cuarenta cien "
        "ciento mil"
    ),
    "fa": ("دو سه چهار پنج شش هفت هشت نه ده دوازده بیست سی صد هزار"),
    "fi": (
        "kaksi kahden kolme kolmen nelja neljan viisi viiden kuusi kuuden seitseman kahdeksan yhdeksan "
        "kymmenen kaksitoista kaksikymmenta sata kerran kahdesti"
    ),
    "fr": (
        "deux trois quatre cinq six sept huit neuf dix onze douze quinze vingt trente quarante cent mille"
    ),
    "he": (
        "שני שתי שניים שלושה שלוש ארבעה ארבע חמישה חמש שישה שש שבעה שבע שמונה תשעה תשע עשרה עשר יומיים "
        "שעתיים שבועיים חודשיים שנתיים פעמיים"
    ),
    "hi": ("दो तीन चार पाँच पांच छह छः सात आठ नौ दस बारह बीस तीस सौ हज़ार"),
    "hu": ("ketto ket harom negy ot het nyolc kilenc tiz tizenket husz szaz ezer egyszer ketszer"),
    "id": ("dua tiga empat lima enam tujuh delapan sembilan sepuluh belas puluh ratus seratus ribu"),
    "it": (
        "due tre quattro cinque sei sette otto nove dieci undici dodici quindici venti trenta cento mille"
    ),
    "ko": ("두 세 네 다섯 여섯 일곱 여덟 아홉 열 스무"),
    "nl": (
        "twee drie vier vijf zes zeven acht negen tien elf twaalf twintig dertig honderd duizend eenmaal "
        "tweemaal"
    ),
    "no": ("to tre fire fem seks sju syv atte ni ti tolv tjue tretti hundre tusen"),
    "pl": (
        "dwa dwie dwoch trzy trzech cztery czterech piec pieciu szesc szesciu siedem siedmiu osiem osmiu "
        "dziewiec dziesiec dziesieciu dwanascie dwadziescia trzydziesci sto tysiac raz dwukrotnie"
    ),
    "pt": ("dois duas tres quatro cinco seis sete oito nove dez onze doze quinze vinte trinta cem mil"),
    "ro": ("doi doua trei patru cinci sase sapte opt noua zece douazeci treizeci suta"),
    "ru": (
        "два две двух двумя три трех тремя четыре четырех пять пяти шесть шести семь семи восемь восьми "
        "девять десять десяти двенадцать двадцать тридцать сто тысяч дважды"
    ),
    "sv": ("tva tre fyra fem sex sju atta nio tio elva tolv tjugo trettio hundra tusen"),
    "tr": ("iki uc dort bes alti yedi sekiz dokuz on yirmi otuz kirk elli yuz bin"),
    "uk": (
        "два дві двох три трьох чотири чотирьох пять пяти шість шести сім семи вісім восьми девять десять "
        "десяти дванадцять двадцять тридцять сто тисяч двічі"
    ),
    "vi": ("hai ba bốn năm sáu bảy tám chín mười"),
}
