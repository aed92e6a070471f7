"""A blind ranking study: the random order of pictures for each rater, and valid rankings.

Raters put the results of all methods on one photo in order, best first, without knowing which is
which. Photos and letters are in another order for every rater. The order is not stored: it follows
from the seed of the study and the rater's code, so that an interrupted session goes on as it began,
on any machine.
"""

import hashlib
import json
import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from oldphoto.checks import InputError
from oldphoto.system.streams import is_text

MAX_METHODS = 12  # more pictures than that are too many to rank
RATER_CODE = re.compile(r"[\w-]{1,40}")
_IGNORED = re.compile(r"[\s,;>]+")


@dataclass(frozen=True)
class Study:
    """The photos and methods of a ranking study.

    Attributes:
        photos: names of the photos.
        methods: names of the methods, hidden from raters.
        seed: of all random orders.

    Raises:
        InputError: if a name is empty or occurs twice, there is no photo, or there are fewer than
            2 or more than 12 methods.
    """

    photos: tuple[str, ...]
    methods: tuple[str, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        for what, names in (("photo", self.photos), ("method", self.methods)):
            if not all(isinstance(name, str) and name.strip() for name in names):
                raise InputError(f"expected a name for each {what}, got {list(names)}")
            odd = [name for name in names if not is_text(name)]
            if odd:
                raise InputError(f"the name of {what} {odd[0]!r} is not UTF-8 text: rename it")
            twice = _repeated(names)
            if twice:
                raise InputError(f"expected {what}s of different names, got {twice!r} twice")
        if not self.photos:
            raise InputError("expected at least 1 photo to rank the methods on, got none")
        if not 2 <= len(self.methods) <= MAX_METHODS:
            raise InputError(f"expected 2 to {MAX_METHODS} methods, got {len(self.methods)}")

    @property
    def letters(self) -> str:
        """The names that raters see: A, B, C ..."""
        return string.ascii_uppercase[: len(self.methods)]

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that identify this study."""
        content = json.dumps([self.photos, self.methods, self.seed])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Trial:
    """One photo, as one rater sees it.

    Attributes:
        photo: its name.
        order: the method under each letter: ``order[0]`` is shown as A.
    """

    photo: str
    order: tuple[str, ...]

    def method(self, letter: str) -> str:
        """Return the method behind a letter."""
        return self.order[string.ascii_uppercase.index(letter)]


@dataclass(frozen=True)
class Ranking:
    """The answer of one rater on one photo.

    Attributes:
        rater: a code, not a name.
        photo: name of the photo.
        methods: all methods, best first.
    """

    rater: str
    photo: str
    methods: tuple[str, ...]


def trials(study: Study, rater: str) -> list[Trial]:
    """Return the photos and letters for a rater, in order; the same for the same study and code.

    Each photo and each method is given a random key, the SHA-256 of seed, code and names, and the
    keys are sorted: this is the same everywhere, and no version of a library changes it.

    Raises:
        InputError: if the code is not valid.
    """
    require_rater(rater)
    photos = _shuffled(study.photos, study.seed, rater)
    return [Trial(photo, _shuffled(study.methods, study.seed, rater, photo)) for photo in photos]


def remaining(study: Study, rater: str, done: Iterable[str]) -> list[Trial]:
    """Return the trials of a rater whose photo is not in ``done``, in the same order."""
    finished = set(done)
    return [trial for trial in trials(study, rater) if trial.photo not in finished]


def _shuffled(names: Sequence[str], *key: object) -> tuple[str, ...]:
    def luck(name: str) -> bytes:
        return hashlib.sha256(json.dumps([*key, name]).encode()).digest()

    return tuple(sorted(names, key=luck))


def require_rater(rater: str) -> str:
    """Return the code of a rater.

    Raises:
        InputError: if it is not 1 to 40 letters, digits, - or _.
    """
    if not isinstance(rater, str) or not RATER_CODE.fullmatch(rater):
        raise InputError(
            f"expected a rater's code of 1 to 40 letters, digits, - or _ (not a name), "
            f"got {rater!r}"
        )
    return rater


def require_ranking(given: Sequence[str], expected: Sequence[str]) -> tuple[str, ...]:
    """Return a ranking, best first, if it gives each of the expected names one place.

    Args:
        given: names or letters, best first.
        expected: all names or letters, in any order.

    Raises:
        InputError: if a name occurs twice, is missing, or is not expected.

    >>> require_ranking("BAC", "ABC")
    ('B', 'A', 'C')
    """
    unknown = [name for name in given if name not in expected]
    if unknown:
        raise InputError(f"expected {_listed(expected)} in order, got {unknown[0]!r}")
    twice = _repeated(given)
    if twice:
        raise InputError(f"{twice} stands at two places: each has one place of its own")
    missing = [name for name in expected if name not in given]
    if missing:
        raise InputError(
            f"expected a place for all {len(expected)}, but {_listed(missing)} "
            f"{'has' if len(missing) == 1 else 'have'} none"
        )
    return tuple(given)


def require_places(places: dict[str, int]) -> tuple[str, ...]:
    """Return the names from place 1 to the last.

    Args:
        places: name to place, 1 = best.

    Raises:
        InputError: if two share a place, or the places are not 1, 2, 3 and so on.

    >>> require_places({"A": 2, "B": 1})
    ('B', 'A')
    """
    at: dict[int, str] = {}
    for name, place in places.items():
        if place in at:
            raise InputError(
                f"{at[place]} and {name} share place {place}: ties are refused, so put one of "
                "them first, by a coin if you see no difference"
            )
        at[place] = name
    if sorted(at) != list(range(1, len(at) + 1)):
        raise InputError(f"expected the places 1 to {len(at)}, got {sorted(at)}")
    return tuple(at[place] for place in sorted(at))


def parse_order(text: str, letters: str) -> tuple[str, ...]:
    """Read an order that was typed, such as ``CABD`` or ``c > a > b > d``, best first.

    Raises:
        InputError: if it has a tie (``A=B``), or as in ``require_ranking``.

    >>> parse_order("c > a > b", "ABC")
    ('C', 'A', 'B')
    """
    if "=" in text:
        raise InputError(
            "ties are refused: put one of the two first, by a coin if you see no difference"
        )
    return require_ranking(_IGNORED.sub("", text).upper(), letters)


def require_ranking_of(ranking: Ranking, study: Study) -> Ranking:
    """Return the ranking if it belongs to the study.

    Raises:
        InputError: if the code, the photo or the order of the methods does not.
    """
    require_rater(ranking.rater)
    if ranking.photo not in study.photos:
        raise InputError(f"expected a photo of the study, got {ranking.photo!r}")
    require_ranking(ranking.methods, study.methods)
    return ranking


def _repeated(names: Sequence[str]) -> str:
    """Return the first name that occurs twice, or an empty text."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else "".join(names)
