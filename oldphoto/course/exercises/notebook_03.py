"""Exercises of notebook 03: licences, hashes, colour, a split that stays, a leak."""

import hashlib
from collections.abc import Callable

import numpy as np

from oldphoto.course.exercises.engine import Exercise, Sheet

_CC = "https://creativecommons.org/"
ADDRESSES = [
    f"{_CC}publicdomain/mark/1.0/",
    f"{_CC}publicdomain/zero/1.0/",
    f"{_CC}licenses/by/4.0/",
    f"{_CC}licenses/by/2.0/",
    f"{_CC}licenses/by-sa/4.0/",
    f"{_CC}licenses/by-nc/4.0/",
    f"{_CC}licenses/by-nd/4.0/",
    f"{_CC}licenses/by-nc-sa/3.0/",
    "http://rightsstatements.org/vocab/NoC-US/1.0/",
    "http://rightsstatements.org/vocab/InC/1.0/",
]
"""Addresses of licences and rights statements, as archives give them."""
_UNHEARD_OF = [f"{_CC}licenses/by/3.0/", "https://example.org/terms-of-our-own/"]


def _allowed(addresses: list[str]) -> np.ndarray:
    wanted = ("/publicdomain/mark/", "/publicdomain/zero/", "/licenses/by/")
    return np.array([any(part in address for part in wanted) for address in addresses])


def _with_parts(*wanted: str) -> Callable[[list[str]], np.ndarray]:
    """Return an answer that accepts every address with one of the parts."""
    return lambda addresses: np.array([any(p in a for p in wanted) for a in addresses])


allowed = Exercise(
    title="which licences may pass",
    level="complete a line",
    solution=_allowed,
    trials=((ADDRESSES,), (_UNHEARD_OF,)),
    misconceptions={
        "You accept everything.": lambda addresses: np.ones(len(addresses), dtype=bool),
        "You accept nothing.": lambda addresses: np.zeros(len(addresses), dtype=bool),
        "CC BY stays CC BY in its older versions: do not test the number.": _with_parts(
            "/publicdomain/", "/licenses/by/4.0"
        ),
        "Only CC BY is accepted. Nobody has a right in photos of the public domain.": _with_parts(
            "/licenses/by/"
        ),
        "You list what is refused, so unknown terms are accepted. List what is accepted.": (
            lambda addresses: np.array(
                [not any(p in a for p in ("nc", "nd", "sa", "NoC", "InC")) for a in addresses]
            )
        ),
        "You refuse only NC and accept everything else. List what is accepted.": (
            lambda addresses: np.array(["nc" not in a for a in addresses])
        ),
        "Not every Creative Commons licence is acceptable: yours accepts BY-NC, -ND and -SA.": (
            _with_parts("creativecommons")
        ),
        "You refuse only NC. ND forbids changes, SA demands the same licence for results.": (
            _with_parts("/publicdomain/", "/licenses/by/", "/licenses/by-sa", "/licenses/by-nd")
        ),
        "You accept BY-NC. Later users of a training set may earn money: refuse it.": (
            _with_parts("/publicdomain/", "/licenses/by/", "/licenses/by-nc")
        ),
        "You accept BY-SA. Results would need the same licence: refuse it.": (
            _with_parts("/publicdomain/", "/licenses/by/", "/licenses/by-sa")
        ),
        "You accept NoC-US. It holds for one country, but the course is used in all.": (
            _with_parts("/publicdomain/", "/licenses/by/", "NoC-US")
        ),
        "Rights statements are not licences: InC means that the photo IS in copyright.": (
            _with_parts("/publicdomain/", "/licenses/by/", "rightsstatements")
        ),
        "CC BY may be used if the creator is named. Yours refuses it.": (
            _with_parts("/publicdomain/")
        ),
        "CC0 is not the only one: the public domain mark and CC BY are accepted, too.": (
            _with_parts("/zero/")
        ),
    },
    hints=(
        "Sort the addresses by hand first. Which part occurs only in accepted addresses?",
        'Three parts are enough, each tested with "in". End each with a slash.',
    ),
    praise="Leave out what you do not understand.",
)


def _distance(first: str, second: str) -> int:
    return (int(first, 16) ^ int(second, 16)).bit_count()


distance = Exercise(
    title="the distance of two hashes",
    level="complete a line",
    solution=_distance,
    trials=(
        ("10c3a59966781e07", "2fc3a59966780e1b"),
        ("f0c3a59966781e07", "f0c3a59966781e0f"),
        ("00ff00ff00ff00ff", "ff00ff00ff00ff00"),
    ),
    tolerance=1e-9,
    misconceptions={
        "Each digit that differs counts as 4 bits, but some of them may agree.": (
            lambda first, second: 4 * sum(a != b for a, b in zip(first, second, strict=True))
        ),
        "This is a fraction. Return the number of bits.": lambda first, second: (
            _distance(first, second) / 64
        ),
        "This is the place of the highest bit that differs. Count all that differ.": (
            lambda first, second: (int(first, 16) ^ int(second, 16)).bit_length()
        ),
        "Two hashes with equally many ones can still differ. Compare bit by bit.": (
            lambda first, second: abs(int(first, 16).bit_count() - int(second, 16).bit_count())
        ),
        "You count digits. Each hexadecimal digit stands for 4 bits, of which some may agree.": (
            lambda first, second: sum(a != b for a, b in zip(first, second, strict=True))
        ),
        "This is the difference of two numbers, in which high bits count more. Count bits.": (
            lambda first, second: abs(int(first, 16) - int(second, 16))
        ),
        "You count the bits that agree. Equal hashes should have the distance 0.": (
            lambda first, second: 64 - _distance(first, second)
        ),
        "AND keeps bits that are 1 in both. Which operation keeps those that differ?": (
            lambda first, second: (int(first, 16) & int(second, 16)).bit_count()
        ),
        "OR keeps bits that are 1 in either, also where they agree.": (
            lambda first, second: (int(first, 16) | int(second, 16)).bit_count()
        ),
        "The right bits are 1 now. Count them.": (
            lambda first, second: int(first, 16) ^ int(second, 16)
        ),
    },
    hints=(
        "int(text, 16) makes a number of the digits. Which operation is 1 where two bits differ?",
        "The operation is ^ (exclusive or). A whole number has a method that counts its ones.",
    ),
    praise="0 for equal hashes, about 32 for two photos that have nothing in common.",
)

_rng = np.random.default_rng(3)
_sepia = (np.full((6, 7), 4.0), np.full((6, 7), 18.0))
_uneven = (4 + _rng.normal(0, 1, (6, 7)), 18 + _rng.normal(0, 2, (6, 7)))
_colours = (_rng.normal(3, 20, (6, 7)), _rng.normal(-5, 9, (6, 7)))


def _spread(a: np.ndarray, b: np.ndarray) -> float:
    return np.sqrt(a.var() + b.var())


spread = Exercise(
    title="the spread of the colours",
    level="modify",
    solution=_spread,
    trials=(_uneven, _sepia, _colours),
    misconceptions={
        "Only the blue-yellow axis counts.": lambda a, b: b.std(),
        "Variances are added under the root, not standard deviations.": lambda a, b: np.sqrt(
            a.std() + b.std()
        ),
        "This is the mean of two standard deviations.": lambda a, b: (a.std() + b.std()) / 2,
        "The formula has means. Yours divides by one less (ddof=1).": (
            lambda a, b: np.sqrt(a.var(ddof=1) + b.var(ddof=1))
        ),
        "This is how far the colours lie from grey. A sepia print is far from grey, yet it "
        "has one colour: measure from the mean colour.": lambda a, b: np.sqrt((a**2 + b**2).mean()),
        "This is the mean colour itself. Measure how much the colours differ from it.": (
            lambda a, b: np.sqrt(a.mean() ** 2 + b.mean() ** 2)
        ),
        "This is the square of the spread, in squared units.": lambda a, b: a.var() + b.var(),
        "The two axes are perpendicular: variances add, standard deviations do not.": (
            lambda a, b: a.std() + b.std()
        ),
        "This is the mean over both channels; the formula has their sum.": (
            lambda a, b: np.sqrt((a.var() + b.var()) / 2)
        ),
        "Only the green-red axis counts. A blue sky over yellow sand would have no spread.": (
            lambda a, b: a.std()
        ),
    },
    hints=(
        "What should the spread of an evenly brown print be? What does your line return?",
        "a.var() is the mean squared distance from the mean. Use it for both channels.",
    ),
    praise="An evenly brown print has a spread of 0.",
)


def _place(name: str, content: bytes) -> float:
    digits = hashlib.sha256(content).hexdigest()
    return 100 * int(digits[:13], 16) / 16**13


def _place_of(message: bytes) -> float:
    return 100 * int(hashlib.sha256(message).hexdigest()[:13], 16) / 16**13


place = Exercise(
    title="a split that stays",
    level="modify",
    solution=_place,
    trials=(("scan_01.jpg", b"a photo"), ("scan_02.jpg", b"another"), ("renamed.jpg", b"a photo")),
    limits=(0.0, 100.0),
    tolerance=1e-9,
    misconceptions={
        "The formula takes the first 13 digits. Yours are the last ones.": (
            lambda name, content: 100 * int(hashlib.sha256(content).hexdigest()[-13:], 16) / 16**13
        ),
        "A place is a fraction of 100, not a remainder: then few photos could have the same one.": (
            lambda name, content: int(hashlib.sha256(content).hexdigest(), 16) % 100
        ),
        "MD5 is another hash. The split uses SHA-256.": (
            lambda name, content: 100 * int(hashlib.md5(content).hexdigest()[:13], 16) / 16**13
        ),
        "The name decides. Rename the file, and it moves from test to training.": (
            lambda name, content: _place_of(name.encode())
        ),
        "This still depends on the name: a renamed copy would get another place.": (
            lambda name, content: _place_of(name.encode() + content)
        ),
        "Python's hash of bytes changes in every run: the split would not be stable.": (
            lambda name, content: hash(content) % 100
        ),
        "Photos of one camera have similar lengths: this is not spread evenly.": (
            lambda name, content: len(content) % 100
        ),
        "Right except for the scale: the place is in percent, from 0 to 100.": (
            lambda name, content: _place_of(content) / 100
        ),
    },
    hints=(
        "What of a photo stays the same when it is renamed, or moved to another folder?",
        "hashlib.sha256 takes bytes. Which of the two arguments should it get?",
    ),
    praise="It depends on the content alone: no name, no order, no other photo.",
)


leak = Exercise(
    title="find the leak",
    level="investigate",
    solution="c",
    misconceptions={
        "Small photos in training make results worse, not better.": "a",
        "New photos have their own hashes; the old ones do not move.": "b",
        "This is a copyright problem, but it does not change test scores.": "d",
    },
    hints=(
        "The model has seen test pictures. How is that possible if no file is in both sets?",
        "Save a JPEG again. What happens to its SHA-256, and what to the picture?",
    ),
    praise="A second scan has other bytes, so its hash may put it into the other set.",
)

sheet = Sheet("03", (allowed, spread, distance, place, leak))
