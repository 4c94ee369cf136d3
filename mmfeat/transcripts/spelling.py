"""From the words of a text to words that a dictionary of English pronunciations has.

Times are all that alignment wants of a word that no dictionary has, and for that a rough pronunciation will do.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

Lookup = Callable[[str], str | None]
"""Returns the phones of a word, separated by spaces; None where the dictionary does not have it."""

_SIGNS = {"&": " and ", "%": " percent ", "+": " plus ", "@": " at ", "\u2019": "'", "\u2018": "'", "`": "'"}
_BELOW_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_ONES = _BELOW_TWENTY.split()
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_PIECE = re.compile(r"[0-9]+(?:st|nd|rd|th)?(?![a-z])|[0-9]+|[^\W\d_](?:[^\W\d_]|')*|'[^\W\d_]+")
_MOST_DIGITS = 6  # longer numbers are read digit by digit
_FEWEST_LETTERS = 3  # of each part of a compound
# Letters of ARPABET by spelling; longer spellings first.
_SOUNDS = {
    "ough": "AO", "augh": "AO", "eigh": "EY", "tion": "SH AH N", "sion": "ZH AH N", "igh": "AY", "tch": "CH",
    "dge": "JH", "sch": "S K", "ch": "CH", "sh": "SH", "th": "TH", "ph": "F", "wh": "W", "wr": "R", "kn": "N",
    "ck": "K", "ng": "NG", "qu": "K W", "gh": "G", "ee": "IY", "ea": "IY", "ie": "IY", "ei": "IY", "ey": "IY",
    "oo": "UW", "ou": "AW", "ow": "OW", "oa": "OW", "oi": "OY", "oy": "OY", "ai": "EY", "ay": "EY", "au": "AO",
    "aw": "AO", "ew": "UW", "ue": "UW", "ar": "AA R", "er": "ER", "ir": "ER", "ur": "ER", "or": "AO R", "ce": "S IH",
    "ci": "S IH", "cy": "S IY", "ge": "JH IH", "gi": "JH IH", "gy": "JH IY", "a": "AE", "b": "B", "c": "K", "d": "D",
    "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH", "k": "K", "l": "L", "m": "M", "n": "N", "o": "AA",
    "p": "P", "q": "K", "r": "R", "s": "S", "t": "T", "u": "AH", "v": "V", "w": "W", "x": "K S", "y": "IY", "z": "Z",
}  # fmt: skip
_SPELLING = re.compile("|".join(sorted(_SOUNDS, key=len, reverse=True)))
_VOICED_S = {"B", "D", "G", "V", "DH", "M", "N", "NG", "L", "R", "W", "ER"}


def spoken_words(token: str, lookup: Lookup, *, english: bool) -> list[str]:
    """Return how a word of a text is spoken, as words of a dictionary where it has them.

    Case, punctuation and accents go, numbers and signs are spoken out, compounds are cut into their parts, what has no
    vowel is spelt letter by letter. Words that remain unknown are returned as they are.

    Args:
        token: a word of the text, without spaces inside.
        lookup: the dictionary.
        english: whether the rules of English are of use; else only case and punctuation go.

    Returns:
        Words in lower case; none where the token is punctuation.
    """
    text = unicodedata.normalize("NFC", token).lower()
    for sign, word in _SIGNS.items():
        text = text.replace(sign, word if english or len(word) == 1 else " ")
    words: list[str] = []
    for piece in _PIECE.findall(text):
        words += _spoken(piece, lookup) if english else [piece.strip("'") if lookup(piece) is None else piece]
    return [word for word in words if word]


def phones_of(word: str, lookup: Lookup) -> str | None:
    """Return a rough English pronunciation of a word that the dictionary does not have.

    Returns:
        Phones of ARPABET, separated by spaces; None where letters are not those of English.
    """
    stem = word.removesuffix("'s")
    known = lookup(stem) if stem != word else None
    phones = (known or _by_letters(stem)).split()
    if not phones or not re.fullmatch(r"[a-z']+", word):
        return None
    if stem != word:
        phones += ["Z" if phones[-1] in _VOICED_S or phones[-1][0] in "AEIOU" else "S"]
    return " ".join(phones)


def number_words(number: int) -> list[str]:
    """Return an English number below a million as words, for example ``twenty one``."""
    if number < 20:
        return [_ONES[number]]
    for size, name in ((1_000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = number % size
            return [*number_words(number // size), name, *(number_words(rest) if rest else [])]
    return [_TENS[number // 10], *([_ONES[number % 10]] if number % 10 else [])]


def _spoken(piece: str, lookup: Lookup) -> list[str]:
    """Return the dictionary's words for letters or digits."""
    if piece[0].isdigit():
        return _number(piece)
    plain = piece if lookup(piece) is not None else _without_accents(piece).strip("'")
    if not plain or lookup(plain) is not None:
        return [plain]
    if not re.search("[aeiouy]", plain) and plain.isascii():
        return [letter for letter in plain if letter != "'"]
    return _compound(plain, lookup) or [plain]


def _number(piece: str) -> list[str]:
    digits = piece.rstrip("stndrh")
    if len(digits) > _MOST_DIGITS or digits.startswith("0"):
        return [_ONES[int(digit)] for digit in digits]
    words = number_words(int(digits))
    return words if digits == piece else [*words[:-1], _ordinal(words[-1])]


def _ordinal(word: str) -> str:
    return _ORDINALS.get(word) or (word[:-1] + "ieth" if word.endswith("y") else word.removesuffix("t") + "th")


def _compound(word: str, lookup: Lookup) -> list[str]:
    """Return two words of the dictionary that make up a word, the first one as long as possible; none where none do."""
    for cut in range(len(word) - _FEWEST_LETTERS, _FEWEST_LETTERS - 1, -1):
        if lookup(word[:cut]) is not None and lookup(word[cut:]) is not None:
            return [word[:cut], word[cut:]]
    return []


def _without_accents(word: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFD", word) if not unicodedata.combining(letter))


def _by_letters(word: str) -> str:
    """Return phones by the spelling alone."""
    word = re.sub(r"([b-df-hj-np-tv-z])\1", r"\1", word.replace("'", ""))
    if len(word) > _FEWEST_LETTERS:
        word = re.sub(r"([^aeiou])e$", r"\1", word)
    return " ".join(_sounds(word))


def _sounds(word: str) -> Iterator[str]:
    for found in _SPELLING.finditer(word):
        is_first_y = found.group() == "y" and found.start() == 0
        yield "Y" if is_first_y else _SOUNDS[found.group()]
