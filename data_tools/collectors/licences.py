"""Decide from an item's rights statement whether its photo may be used.

Four kinds are allowed: public domain, CC0, CC BY, and "no known restrictions". Everything else,
and everything unclear, is refused. Decisions worth knowing:

* Statements that hold in one country only are refused: "public domain in the United States",
  NoC-US of rightsstatements.org, the PD-US family of Wikimedia Commons. A course is read anywhere.
* NKC of rightsstatements.org ("no known copyright") counts as no known restrictions. NoC-NC,
  NoC-CR and NoC-OKLR carry restrictions, CNE and UND are undecided: refused.
* Share-alike (BY-SA), non-commercial and no-derivatives licences are refused.
"""

import html
import re
from collections.abc import Iterable

PUBLIC_DOMAIN = "Public domain"
CC0 = "CC0 1.0"
NO_KNOWN_RESTRICTIONS = "No known restrictions"

_VERSION = r"(?P<version>[1-4]\.\d)"
# Whole addresses, without scheme, "www." and what follows the licence's own path.
_ADDRESSES = (
    (r"creativecommons\.org/publicdomain/zero/1\.0", CC0),
    (r"creativecommons\.org/publicdomain/mark/1\.0", PUBLIC_DOMAIN),
    (r"creativecommons\.org/licenses/publicdomain", PUBLIC_DOMAIN),
    (rf"creativecommons\.org/licenses/by/{_VERSION}(/[a-z]{{2,3}})?", "CC BY"),
    (r"rightsstatements\.org/(vocab|page)/nkc/1\.0", NO_KNOWN_RESTRICTIONS),
    (r"flickr\.com/commons/usage", NO_KNOWN_RESTRICTIONS),
)
_PORT = r"( (international|unported|generic|igo|[a-z]{2}))?"
# Whole sentences, lower case, one space between words, no full stop at the end.
_SENTENCES = (
    (r"(cc0|cc[ -]zero|creative commons zero)( ?1\.0)?( universal)?", CC0),
    (r"cc0 1\.0 universal( public domain dedication)?", CC0),
    (rf"cc[ -]by([ -]{_VERSION})?{_PORT}", "CC BY"),
    (rf"(creative commons )?attribution( {_VERSION})?{_PORT}( licen[sc]e)?", "CC BY"),
    (r"public[ -]domain( mark)?( 1\.0)?( work)?", PUBLIC_DOMAIN),
    (r"(this (work|image|item|photo|photograph) is )?in the public domain", PUBLIC_DOMAIN),
    (r"pd(-(?!us|1996|19[0-9]{2}|uk|ca\b)[a-z0-9]+)*", PUBLIC_DOMAIN),
    # Libraries add where to read more, so this one may be followed by further words.
    (r"(there are )?no known (copyright )?restrictions?( on (publication|use|reproduction))?"
     r"([.;,:( ].*)?", NO_KNOWN_RESTRICTIONS),
    (r"no known copyright", NO_KNOWN_RESTRICTIONS),
)  # fmt: skip
_TRAPS = re.compile(
    r"\b(nc|nd|sa)\b|non[ -]?commercial|no[ -]?deriv|share[ -]?alike|country of origin"
    r"|\bmay (still )?(be|apply|have)\b|\bmight\b|rights reserved|in the (us|usa|u\.s|united st)"
    r"|\bonly\b|\bexcept|\bunless\b|\boutside\b|\belsewhere\b|other countries|not evaluated"
    r"|undetermined|unknown|permission|in copyright|fair use|gfdl|copyrighted"
)


def classify(statement: str) -> str | None:
    """Return the licence that a rights statement grants, or None if it is not allowed.

    Args:
        statement: an address or a sentence, as the archive gives it; HTML tags are ignored.

    Returns:
        ``Public domain``, ``CC0 1.0``, ``CC BY`` with its version where it has one,
        ``No known restrictions``, or None.

    >>> classify("https://creativecommons.org/licenses/by/4.0/deed.en")
    'CC BY 4.0'
    >>> classify("CC BY-NC 4.0") is None
    True
    """
    text = plain_text(statement).lower().rstrip(" .")
    if re.match(r"(https?:)?//|www\.", text):
        return _match(_ADDRESSES, _bare_address(text))
    if contradicts(text):
        return None
    return _match(_SENTENCES, text)


def classify_all(statements: Iterable[str]) -> str | None:
    """Return the licence of the first statement if all of them are allowed, else None.

    >>> classify_all(["CC0", "Publication may be restricted."]) is None
    True
    """
    licences = [classify(statement) for statement in statements if statement.strip()]
    return licences[0] if licences and all(licences) else None


def contradicts(statement: str) -> bool:
    """Return whether a sentence limits the use, whatever else it grants.

    >>> contradicts("For non-commercial use only")
    True
    """
    return _TRAPS.search(plain_text(statement).lower()) is not None


def plain_text(text: str) -> str:
    """Return text without HTML tags and entities, with single spaces.

    >>> plain_text('<a href="//x">Ada</a> &amp; Co')
    'Ada & Co'
    """
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def _match(table: tuple[tuple[str, str], ...], text: str) -> str | None:
    """Return the licence of the first pattern that matches the whole text."""
    for pattern, licence in table:
        if found := re.fullmatch(pattern, text):
            version = found.groupdict().get("version")
            return f"{licence} {version}" if version else licence
    return None


def _bare_address(address: str) -> str:
    """Return host and licence path of an address."""
    address = re.sub(r"^(https?:)?//", "", address)
    address = re.sub(r"^www\.", "", address)
    address = re.split(r"[?#]", address)[0].rstrip("/")
    return re.sub(r"/(deed|legalcode)(\.[a-z_-]+)?$", "", address)
