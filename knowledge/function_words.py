"""Function words of questions and numbers by language.

They complete the lists of the package `stop-words`, some of which lack question words and auxiliaries.
"""

# Words that say little about the topic of a question.
FUNCTION_WORDS = {
    "ar": (
        "ما ماذا متى أين كيف كم من هل لماذا أي أية الذي التي هي هو هم هذا هذه ذلك تلك في على إلى عن مع "
        "بعد قبل عند يجب يمكن يمكنني كان كانت يكون تكون لا لم لن إذا أن إن أو ثم قد كل بعض غير بين حتى "
        "لدى منذ وما"
    ),
    "bg": ("какво кой коя кое кои кога къде как колко защо дали може трябва има няма се си да ли за от до"),
    "bn": ("কি কী কে কখন কোথায় কেন কিভাবে কীভাবে কত কোন কয়টি এবং বা থেকে জন্য হয় করা করতে যায় এই সেই একটি যদি না"),
    "ca": (
        "què qui quan on com quant quants quina quin cal pot puc es són és hi ha el la els les un una de a"
    ),
    "cs": (
        "co kdo kdy kde jak kolik proč který která které jaký jaká jaké jakou jakém smí lze mohu můžu "
        "musím dlouho je se si na do za po od pro při ve ke bez u o a i nebo že aby být má mít jsou byl "
        "byla bylo než jestli"
    ),
    "da": (
        "hvad hvem hvornår hvor hvordan hvorfor hvilken hvilket hvilke hvis kan skal må vil bliver blive "
        "er har få får mange meget længe man ved til fra med for på af om efter inden før også ikke en et "
        "den det de der som og"
    ),
    "de": (
        "wie was wer wen wem wessen wann wo woher wohin warum wieso weshalb wofür womit wodurch woran "
        "worauf welche welcher welches welchen welchem viel viele vielen lange oft muss musst müssen darf "
        "dürfen kann können soll sollte sollen wird werden wurde wurden ist sind war bekomme bekommt gibt "
        "geht ob pro beim zum zur vom ins im mal alle man mich mir mein meine meinen meiner habe haben "
        "braucht brauche brauchen macht machen passiert bis ab vor nach über ohne durch gegen wenn "
        "falls dass dabei dafür davon damit etwas"
    ),
    "el": (
        "τι ποιος ποια ποιο ποιοι ποιες πότε πού πως πώς γιατί πόσο πόση πόσα πόσες πόσοι πόσος είναι "
        "έχει μπορεί μπορώ πρέπει θα να το η ο τα οι τη την τον του της των σε στο στη στην στον στα με "
        "για από και ή μου ένα μια"
    ),
    "en": ("anyway ever does't many old there'll we'll shall must ought cannot without upon per via"),
    "es": (
        "qué quién quiénes cuál cuáles cuándo dónde adónde cómo cuánto cuánta cuántos cuántas por para "
        "porque debe puede puedo pueden deben hay es son se le lo la el los las un una de del al a en con "
        "sin si tengo tiene mucho tiempo veces ocurre pasa hace haber ser estar"
    ),
    "et": (
        "mis kes millal kus kuidas miks kui palju mitu kas on ei ja või see kaua mida kelle saab peab võib"
    ),
    "fa": (
        "چه چی کی که کجا چگونه چطور چرا چند چقدر آیا کدام از به در با برای تا را است هست شود می‌شود باید "
        "می‌توان می توان این آن یک و یا هر کرد کند می‌کند اگر نیست بود شد من ما شما او های ها"
    ),
    "fi": (
        "mikä mitä kuka ketkä milloin missä mistä mihin miten miksi kuinka montako monta paljonko kauan "
        "voiko voi saa saako pitää täytyy on ovat onko ei ja tai että jos kun minkä mitkä kenen pitkään "
        "usein olla saan voin"
    ),
    "fr": (
        "que qui quoi quand où comment pourquoi combien quel quelle quels quelles lequel laquelle est "
        "sont peut peux peuvent doit dois doivent faut il elle on je le la les un une des du de au aux ce "
        "cette dans pour par avec sans si est-ce qu l d j n s c m t y a-t temps longtemps fois"
    ),
    "gu": ("શું કોણ ક્યારે ક્યાં કેવી કેમ કેટલા કેટલી અને કે છે માટે"),
    "he": (
        "מה מי מתי איפה היכן איך כיצד למה מדוע כמה האם איזה איזו אילו של את על עם אל מן הוא היא הם זה זו "
        "יש אין לא כל או גם אם כי עד אני אפשר ניתן צריך יכול ניתנת"
    ),
    "hi": (
        "मुझे हमें हमारे हमारी हमारा मेरे मेरी मेरा उस उसे इसलिए अब गई गए आता आती आते देती देता देते पड़ती पड़ता पड़े जाना लेकिन अगर यदि "
        "क्या कौन कब कहाँ कहां कैसे क्यों कितना कितने कितनी किस किसे किसने किसका किसकी किसके कौन-सा कौनसा "
        "है हैं था थे का की के को से में पर और या एक यह वह जो कि तक लिए ने ही भी तो न नहीं हो होता होती "
        "होते करना करने करते करता कर सकता सकते सकती चाहिए जाता जाती जाते जा रहा मैं हम आप दिन किया गया"
    ),
    "hr": (
        "što tko kada gdje kako zašto koliko koji koja koje je su može mora li se na u od do za iz i ili da"
    ),
    "hu": (
        "mi mit ki kit kik mikor hol hova honnan hogyan miért mennyi mennyit hány hányszor meddig melyik "
        "milyen kell lehet van vannak volt a az egy és vagy hogy ha nem is mely meg el be fel mennyibe "
        "mennyire tud szabad"
    ),
    "hy": ("ինչ ով երբ որտեղ ինչպես ինչու քանի որքան որ է են և կամ համար"),
    "id": (
        "apa siapa kapan di mana dimana bagaimana mengapa kenapa berapa lama banyak yang dan atau dari ke "
        "untuk dengan pada dalam adalah ada bisa dapat harus boleh saya anda itu ini jika bila apakah "
        "cara oleh tidak akan setelah sebelum per setiap kali"
    ),
    "it": (
        "che chi cosa quando dove come perché quanto quanta quanti quante quale quali è sono può posso "
        "possono deve devo devono si il lo la i gli le un una di del della dei delle a al alla in nel "
        "nella con per da dal su se ci c l d tempo volte succede bisogna serve"
    ),
    "ka": ("რა ვინ როდის სად როგორ რატომ რამდენი რომელი და ან არის"),
    "kk": ("не кім қашан қайда қалай неге қанша қандай және немесе үшін бар"),
    "ko": (
        "무엇 무엇을 무엇이 무엇인가요 누가 누구 누구인가요 언제 언제까지 어디 어디서 어디에서 어디에 "
        "어디인가요 어떻게 왜 얼마 얼마나 얼마인가요 몇 어느 어떤 무슨 있나요 있습니까 있는 있다 있습니다 "
        "되나요 됩니까 된다 됩니다 하나요 합니까 한다 합니다 해야 하는 할 수 것 때 후 전 및 또는 그리고 "
        "경우 대한 위해 위한 인가요 입니까 입니다 이다 않는 않습니다 없습니다 없나요 가능한가요 동안"
    ),
    "lt": ("kas ką kada kur kaip kodėl kiek kuris kuri kokia koks ar yra gali reikia ir arba nuo iki su"),
    "lv": ("kas ko kad kur kā kāpēc cik kurš kura kāds kāda vai ir var jābūt un no līdz ar par"),
    "ms": (
        "apa siapa bila mana bagaimana mengapa berapa yang dan atau dari ke untuk dengan boleh perlu adakah"
    ),
    "nl": (
        "wat wie wanneer waar waarom hoe hoeveel hoelang welke welk kan kun kunnen mag mogen moet moeten "
        "wordt worden is zijn heeft heb hebben krijg krijgt de het een van voor met op aan bij tot na uit "
        "door om te er ik je mijn lang vaak per als of en in naar"
    ),
    "no": (
        "hva hvem når hvor hvordan hvorfor hvilken hvilket hvilke kan skal må vil blir bli er har få får "
        "mange mye lenge man ved til fra med for på av om etter før ikke en et den det de som og i hvis"
    ),
    "pl": (
        "co kto kogo komu kiedy gdzie jak ile dlaczego czemu czy który która które którym której jaki "
        "jaka jakie jakim długo często może mogę można musi muszę trzeba należy wolno jest są był była "
        "było być ma mam się na do za po od dla przy we w z ze o i lub albo że aby bez u"
    ),
    "pt": (
        "que quem quando onde como porque porquê quanto quanta quantos quantas qual quais é são pode "
        "posso podem deve devo devem há se o a os as um uma de do da dos das em no na nos nas por para "
        "com sem ao à tempo vezes acontece preciso fica"
    ),
    "ro": (
        "ce cine când unde cum cât câtă câți câte care de la în pe cu din pentru este sunt poate pot "
        "trebuie se o un a al ai ale și sau că dacă până mult timp ori după fără mi îmi"
    ),
    "ru": (
        "что кто кого кому чем когда где куда откуда как сколько почему зачем какой какая какие какое "
        "каким какую каков который которая можно нужно должен должна должны надо ли может могу есть быть "
        "был была было в во на с со по к у о об от до из за для при без и или не а но если то долго часто "
        "раз мне я мы вы он она они это"
    ),
    "sk": (
        "čo kto kedy kde ako koľko prečo ktorý ktorá ktoré aký aká aké môže musí smie treba je sú sa na do"
    ),
    "sl": (
        "kaj kdo kdaj kje kako zakaj koliko kateri katera katere je so lahko mora se na v od do za iz in ali"
    ),
    "sr": (
        "шта ко када где како зашто колико који која које је су може мора ли се на у од до за из и или да"
    ),
    "sv": (
        "vad vem vilka vilken vilket när var hur varför kan ska skall måste får vill blir bli är har "
        "många mycket länge man vid till från med för på av om efter innan inte en ett den det de som och "
        "i under utan per"
    ),
    "sw": ("nini nani lini wapi jinsi gani kwa ngapi na au ya wa za la katika ni"),
    "ta": ("என்ன யார் எப்போது எங்கே எப்படி ஏன் எத்தனை எவ்வளவு எந்த மற்றும் அல்லது உள்ளது வேண்டும் முடியும் ஒரு"),
    "tr": (
        "ne nedir kim kime kimin zaman nerede nereye nereden nasıl niçin neden niye kaç hangi hangisi "
        "kadar mı mi mu mü mıdır midir var yok olur olan olarak ile ve veya için bir bu şu o de da ki "
        "gerekir gerekiyor miyim mıyım edilir eder yapılır sonra önce her"
    ),
    "uk": (
        "що хто кого кому коли де куди звідки як скільки чому навіщо який яка яке які яким яку чи можна "
        "треба потрібно може можу має мають є бути був була було в у на з із зі по до від за для при без "
        "і й та або не а але якщо то довго часто мені я ми ви він вона вони це"
    ),
    "ur": (
        "کیا کون کب کہاں کیسے کیوں کتنا کتنے کتنی کس ہے ہیں کا کی کے کو سے میں پر اور یا ایک یہ وہ جو کہ "
        "تک لیے"
    ),
    "vi": (
        "gì ai khi nào bao giờ đâu ở như thế tại sao vì nhiêu mấy lâu có thể được phải là và hoặc của cho "
        "với trong trên từ đến một các những này đó thì mà không nếu để bị ra vào sau trước tôi bạn cần "
        "nên mỗi hay về lúc làm"
    ),
}
# Function words of languages without spaces; they separate the words of a question.
PHRASES = {
    "ja": (
        "いつまで いつ どこ だれ 誰 何 なぜ どうして どのように どうすれば どう どの どれ どんな いくつ "
        "いくら どのくらい どれくらい どれだけ ですか でしょうか ますか ませんか です ます ました ません "
        "でした できる でき する した して されて される され しなければ なければ なりません いる いて "
        "ある あり こと もの とき ため には では から まで より など について における によって として "
        "という か が の に は を で と も へ や な よ ね"
    ),
    "km": ("អ្វី នរណា ពេលណា ឯណា យ៉ាងដូចម្តេច ហេតុអ្វី ប៉ុន្មាន របស់ និង ដែល ក្នុង ជា មាន បាន ត្រូវ នឹង ឬ ពី"),
    "lo": ("ຫຍັງ ໃຜ ເມື່ອໃດ ຢູ່ໃສ ແນວໃດ ເປັນຫຍັງ ເທົ່າໃດ ຈັກ ຂອງ ແລະ ທີ່ ໃນ ເປັນ ມີ ໄດ້ ຕ້ອງ ຈະ ໃຫ້ ກັບ ຈາກ ຫຼື"),
    "my": ("ဘာ ဘယ်သူ ဘယ်အချိန် ဘယ်မှာ ဘယ်လို ဘာကြောင့် ဘယ်လောက် ဘယ်နှစ် သည် တွင် နှင့် များ ကို မှ ၏ သော လဲ ပါ"),
    "th": (
        "เมื่อไหร่ เมื่อไร เมื่อใด ที่ไหน ที่ใด อย่างไร ยังไง ทำไม เพราะเหตุใด เท่าไหร่ เท่าไร เท่าใด "
        "อะไร ใคร กี่ ไหน ใด หรือไม่ หรือเปล่า หรือ ไหม ของ และ ที่ ใน เป็น คือ มี ได้ ต้อง จะ ให้ กับ "
        "จาก โดย แล้ว ว่า นี้ นั้น ไม่ หลังจาก ก่อน เพื่อ สำหรับ ถ้า หาก ฉัน ผม เรา คุณ นานแค่ไหน บ้าง "
        "ครับ ค่ะ คะ ถึง ซึ่ง ก็ อยู่ ควร สามารถ"
    ),
    "zh": (
        "什么时候 什么 怎么样 怎么 怎样 如何 为什么 为何 多少 多久 多长时间 多长 多大 几个 几天 几次 哪里 "
        "哪儿 哪些 哪个 哪 谁 吗 呢 吧 的 了 是 在 和 与 及 或者 或 也 就 都 把 被 对于 对 从 到 这个 这 "
        "那个 那 有没有 有 没有 是否 可以 能否 能不能 能 会 需要 必须 应该 应当 应 要 请问 我们 我 你 您 "
        "他们 它 之后 以后 后 之前 以前 前 时候 时 将 于 以 由 其 并 而 等 每 个 什麼時候 什麼 怎麼 "
        "為什麼 為何 多長時間 幾 哪裡 誰 嗎 與 對 從 這 沒有 會 應該 應 請問 我們 後 時 將 並 個 還 过 着 "
        "得 地 如果 不能 不 最"
    ),
}
# Endings of Korean words.
PARTICLES = (
    "은 는 이 가 을 를 의 에 에서 에게 께 로 으로 와 과 도 만 까지 부터 보다 처럼 이나 나 이며 며 이고 고 "
    "라도 마다 에는 에서는 으로는 로는 에도 이라고 라고 입니다 인가요 하나요 합니다 되나요 됩니다 한다 "
    "하는 하면 하려면 해야 했다 된 되는 되면 "
    "입니까 합니까 됩니까 습니까 습니다 나요 까요 하여 했습니다 하십시오 세요 에서부터 부터는 까지는"
)
