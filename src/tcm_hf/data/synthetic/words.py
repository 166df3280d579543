"""Words to render: self-written sign words, made-up words from syllables, numbers, prices, dates."""

# ruff: noqa: SIM905 - a paragraph is what a person can edit

from __future__ import annotations

from collections.abc import Callable

import numpy as np

SIGN_WORDS = """
open closed exit entrance push pull stop slow danger caution warning notice private parking no smoking
please wait here fire hose reel extinguisher alarm emergency only staff toilet men women ladies gents lift
stairs level floor basement lobby ticket tickets counter cashier information office reception meeting room
rooms hotel hostel motel inn bar cafe coffee tea house kitchen restaurant noodle rice chicken beef fish soup
salad pizza burger grill bakery bread cake fresh juice ice cream sweets market shop store mall plaza centre
center square tower building block unit street road avenue lane drive park garden bridge river hill north
south east west station bus taxi train metro line platform airport terminal gate arrivals departures transit
car carpark bicycle bike school college university library museum theatre gallery cinema music books paper
print photo camera phone mobile computer service services repair laundry clean cleaners tailor fashion shoes
bags watch jewellery gold silver diamond beauty hair salon spa nails massage clinic dental dentist doctor
hospital pharmacy optical eye glasses bank money exchange atm cash credit card insurance travel tours agency
post mail courier delivery rent rental sale sales discount offer special new free buy get one best price low
half summer winter spring autumn season today tomorrow now daily weekly monday tuesday wednesday thursday
friday saturday sunday january february march april may june july august september october november december
morning evening night hours first second third last menu lunch dinner breakfast drinks beer wine water milk
sugar salt pepper lemon orange apple mango banana green red blue white black yellow pink brown dark light
big small large extra super mega mini happy lucky golden royal grand palace king queen star sun moon sky
ocean sea beach island lake forest mountain valley city town village home family kids baby toys games sports
fitness gym yoga dance swim run ride golf tennis football club members welcome thank you visit again follow
us call enquiries hotline website online order takeaway dine in self pick up collection point drop off
loading zone keep clear left right straight ahead turn speed limit max height weight width gas oil petrol
diesel electric power high voltage out do not enter touch lean beware of dog mind the gap step your head wet
hard hat area safety site construction work progress detour organic natural pure quality original classic
premium deluxe express global national international group company limited brothers sons and for with from
by at to on since est studio design interiors furniture lighting hardware paint tools glass doors windows
steel wood tile flowers florist gifts cards party balloons antiques art frame frames lock key keys copy
stationery supply trading import export wholesale logistics storage moving pet vet food feed aquarium
""".split()

STREET_KINDS = """
Street Road Avenue Lane Drive Place Court Way Terrace Crescent Close Square St Rd Ave Blvd Hwy Rue Via Calle
Platz
""".split()
UNITS = ["kg", "g", "ml", "L", "km", "km/h", "m", "cm", "%", "°C", "W", "V", "mm", "hrs", "min", "pcs", "pax"]
CURRENCIES = ("$", "€", "£", "S$", "US$", "", "Rs", "¥")

GREEK_WORDS = """
ανοικτό κλειστό έξοδος είσοδος φαρμακείο καφενείο ταβέρνα οδός πλατεία αγορά βιβλία ψωμί κρασί νερό
ξενοδοχείο σταθμός λιμάνι τράπεζα σχολείο θέατρο μουσείο στάση ψάρι τυρί ελιές κέντρο νέο προσφορά δωμάτια
""".split()
CYRILLIC_WORDS = """
открыто закрыто выход вход аптека кафе магазин продукты улица площадь хлеб вино вода книги обувь одежда
цветы банк школа театр музей метро станция кухня ремонт скидка новый центр рынок подарки проспект гостиница
почта молоко мясо рыба чай кофе пиво салон красота ключи касса парк дом двор
""".split()
CHINESE_CHARACTERS = (
    "中国大小店出口人民路上下左右天地日月水火山石田土木金王玉米面包茶酒饭菜鱼肉鸡牛羊香美味家乡老新城市东南西北门车站"
    "电话手机书文化学校医院药房银行公司有限商场超市服装鞋帽眼镜修理洗衣理发美容酒店宾馆餐厅小吃快餐火锅烧烤海鲜水果"
    "花园广场街道号楼层停车场入口安全请勿吸烟禁止注意危险开关时间星期一二三四五六七八九十百千万元折特价优惠批发零售"
)
JAPANESE_CHARACTERS = (
    "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモラリルレロワンあいうえおかきくけこさしすせそ"
    "たちつてとなにのはひふへほまみめもやゆよらりるれろわをん駅口店円年月日本酒茶屋食堂入口出口営業中禁煙"
)
KOREAN_CHARACTERS = "가나다라마바사아자차카타파하고노도로모보소오조호구누두루무부수우주기니디리미비시이지"
ARABIC_WORDS = """
مفتوح مغلق مخرج مدخل مطعم مقهى صيدلية شارع مدينة سوق خبز ماء كتاب مدرسة بنك فندق محطة مستشفى جديد تخفيضات
ممنوع التدخين موقف سيارات هاتف مكتب شركة متحف حديقة بيت نور
""".split()
DEVANAGARI_WORDS = """
खुला बंद निकास प्रवेश दवा होटल चाय पानी बाजार सड़क स्टेशन बैंक विद्यालय पुस्तक मिठाई कपड़ा जूता दुकान भोजन
नगर मंदिर सेवा मरम्मत फल दूध रोटी घर कार्यालय नया
""".split()

ONSETS = """
b c d f g h j k l m n p r s t v w z br ch cl cr dr fl gr kh ph pl pr sh sl st str th tr wh
""".split()
NUCLEI = ["a", "e", "i", "o", "u", "a", "e", "i", "o", "ai", "ea", "ee", "ia", "ie", "oo", "ou", "y"]
CODAS = ["", "", "", "", *"n r s t l m d k ck ng nd st rt x".split()]
ACCENTS = {"a": "áàâäãå", "e": "éèêë", "i": "íîï", "o": "óôöõø", "u": "úüû", "n": "ñ", "c": "ç", "s": "š"}
GREEK_SYLLABLES = """
κα λι μο νε πα ρο σι τα φω χι θε δα γι βο ξε ζα ψυ κρι στα τρα πλα μπο ντα
""".split()
CYRILLIC_SYLLABLES = """
ка ли мо не па ро си та фо хи де га бо же за кра ста тра пло щу вов ник ская ный
""".split()


def _pick(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]


def _case(rng: np.random.Generator, word: str) -> str:
    draw = rng.random()
    if draw < 0.45:
        return word.upper()
    if draw < 0.8:
        return word[:1].upper() + word[1:]
    return word


def made_up_word(rng: np.random.Generator) -> str:
    """A pronounceable Latin word of one to four syllables, now and then with an accent."""
    count = int(rng.choice(4, p=[0.3, 0.45, 0.2, 0.05])) + 1
    word = "".join(_pick(rng, ONSETS) + _pick(rng, NUCLEI) + _pick(rng, CODAS) for _ in range(count))[:12]
    if rng.random() < 0.12:
        place = int(rng.integers(len(word)))
        word = word[:place] + _pick(rng, ACCENTS.get(word[place], word[place])) + word[place + 1 :]
    return word


def number_word(rng: np.random.Generator) -> str:
    """A price, date, time, house number, telephone part, code, or quantity: one word without spaces."""
    kind = int(rng.integers(10))
    value = int(rng.integers(10 ** int(rng.integers(1, 5))))
    if kind == 0:
        return f"{_pick(rng, CURRENCIES)}{value % 1000}.{_pick(rng, ('00', '50', '90', '99', '20', '80'))}"
    if kind == 1:
        separator = _pick(rng, ("/", ".", "-"))
        year = _pick(rng, (f"{rng.integers(1990, 2030)}", f"{rng.integers(0, 30):02d}"))
        return f"{rng.integers(1, 32)}{separator}{rng.integers(1, 13)}{separator}{year}"
    if kind == 2:
        half = _pick(rng, ("", "", "am", "pm", "AM"))
        return f"{rng.integers(0, 24)}{_pick(rng, (':', '.'))}{rng.integers(0, 60):02d}{half}"
    if kind == 3:
        return f"{value % 200}{_pick(rng, UNITS)}"
    if kind == 4:
        return f"#{rng.integers(1, 9):02d}-{rng.integers(1, 99):02d}"
    if kind == 5:
        return f"{_pick(rng, 'ABCDEFGHKLMNPRSTUVWXYZ')}{value % 100}"
    if kind == 6:
        letters = "".join(_pick(rng, "ABCDEFGHJKLMNPRSTVXYZ") for _ in range(3))
        return f"{letters}{rng.integers(100, 9999)}{_pick(rng, ('', _pick(rng, 'ABCEGHJKLM')))}"
    if kind == 7:
        return f"{rng.integers(10, 100)}%"
    return str(value)


def latin_word(rng: np.random.Generator) -> str:
    """One Latin word, number, or address-like token."""
    draw = rng.random()
    if draw < 0.5:
        word = _case(rng, _pick(rng, SIGN_WORDS))
    elif draw < 0.8:
        word = _case(rng, made_up_word(rng))
    else:
        return number_word(rng)
    tail = rng.random()
    if tail < 0.05:
        return word + _pick(rng, (",", ".", "!", ":", "?", "'s", "™", "®", "&"))
    return word


def _phone(rng: np.random.Generator) -> list[str]:
    parts = [str(rng.integers(10**3, 10**4)), str(rng.integers(10**3, 10**4))]
    lead = _pick(rng, ("Tel:", "Tel", "TEL.", "Call", "Fax:", "", "", ""))
    country = f"+{rng.integers(1, 99)}" if rng.random() < 0.3 else ""
    return [word for word in (lead, country, *parts) if word]


def _address(rng: np.random.Generator) -> list[str]:
    street = [made_up_word(rng).capitalize(), _pick(rng, STREET_KINDS)]
    return [str(rng.integers(1, 400)), *street] if rng.random() < 0.6 else street


def _website(rng: np.random.Generator) -> list[str]:
    name = made_up_word(rng)
    return [f"www.{name}.{_pick(rng, ('com', 'org', 'net', 'co', 'sg', 'de', 'eu'))}"]


def latin_line(rng: np.random.Generator, word_count: int) -> list[str]:
    """The words of a line: free words, an address, a telephone number, a web address."""
    draw = rng.random()
    if word_count >= 2 and draw < 0.1:
        return _phone(rng)
    if word_count >= 2 and draw < 0.2:
        words = _address(rng)
    elif draw > 0.97:
        return _website(rng)
    else:
        words = [latin_word(rng) for _ in range(word_count)]
    case = rng.random()
    if case < 0.4:
        return [word.upper() for word in words]
    if case < 0.65:
        return [word[:1].upper() + word[1:].lower() for word in words]
    return words


def _listed_line(known: list[str], syllables: list[str]) -> Callable[[np.random.Generator, int], list[str]]:
    def line(rng: np.random.Generator, word_count: int) -> list[str]:
        words = []
        for _ in range(word_count):
            draw = rng.random()
            if draw < 0.15:
                words.append(number_word(rng))
            elif syllables and draw < 0.5:
                words.append("".join(_pick(rng, syllables) for _ in range(int(rng.integers(1, 5)))))
            else:
                words.append(_pick(rng, known))
        if rng.random() < 0.45:
            return [word.upper() for word in words]
        return [_case(rng, word) for word in words] if rng.random() < 0.5 else words

    return line


def _character_line(characters: str) -> Callable[[np.random.Generator, int], list[str]]:
    def line(rng: np.random.Generator, word_count: int) -> list[str]:
        words = []
        for _ in range(max(1, word_count - 1)):
            length = int(rng.integers(1, 7))
            words.append("".join(_pick(rng, characters) for _ in range(length)))
        return words

    return line


# One function a script: (generator, word count) -> the words of one line.
LINES: dict[str, Callable[[np.random.Generator, int], list[str]]] = {
    "latin": latin_line,
    "greek": _listed_line(GREEK_WORDS, GREEK_SYLLABLES),
    "cyrillic": _listed_line(CYRILLIC_WORDS, CYRILLIC_SYLLABLES),
    "chinese": _character_line(CHINESE_CHARACTERS),
    "japanese": _character_line(JAPANESE_CHARACTERS),
    "korean": _character_line(KOREAN_CHARACTERS),
    "arabic": _listed_line(ARABIC_WORDS, []),
    "devanagari": _listed_line(DEVANAGARI_WORDS, []),
}


def draw_line(script: str, rng: np.random.Generator, word_count: int) -> list[str]:
    """The words of one line of text.

    Args:
        script: A key of `LINES`.
        rng: Source of randomness.
        word_count: About how many words; an address or a telephone number has its own count.
    """
    return LINES[script](rng, word_count)


def word_characters() -> set[str]:
    """Every character that a word can hold."""
    listed = [
        *SIGN_WORDS,
        *GREEK_WORDS,
        *CYRILLIC_WORDS,
        *ARABIC_WORDS,
        *DEVANAGARI_WORDS,
        *CURRENCIES,
        *UNITS,
    ]
    listed += [*GREEK_SYLLABLES, *CYRILLIC_SYLLABLES, *ACCENTS.values()]
    listed += [CHINESE_CHARACTERS, JAPANESE_CHARACTERS, KOREAN_CHARACTERS, "™®"]
    ascii_characters = {chr(code) for code in range(0x21, 0x7F)}
    return ascii_characters.union("".join(listed), "".join(listed).upper())
