"""Which rights statements of real archives allow a photo, and which only look as if they did."""

import pytest

from data_tools.collectors.licences import classify, classify_all, contradicts, plain_text

ALLOWED = [
    ("Public domain", "Public domain"),  # Commons, most PD templates
    ("public-domain", "Public domain"),
    ("Public Domain Mark 1.0", "Public domain"),
    ("PD", "Public domain"),
    ("PD-old-70", "Public domain"),
    ("PD-old-100-expired", "Public domain"),
    ("PD-Art", "Public domain"),
    ("This image is in the public domain.", "Public domain"),
    ("https://creativecommons.org/publicdomain/mark/1.0/", "Public domain"),
    ("http://creativecommons.org/publicdomain/mark/1.0/deed.fr", "Public domain"),
    ("http://creativecommons.org/licenses/publicdomain/", "Public domain"),  # Internet Archive
    ("CC0", "CC0 1.0"),  # Smithsonian
    ("CC0 1.0", "CC0 1.0"),
    ("cc-zero", "CC0 1.0"),
    ("CC0 1.0 Universal", "CC0 1.0"),
    ("//creativecommons.org/publicdomain/zero/1.0/", "CC0 1.0"),
    ("http://creativecommons.org/publicdomain/zero/1.0/legalcode", "CC0 1.0"),
    ("CC BY 4.0", "CC BY 4.0"),
    ("CC BY 3.0 de", "CC BY 3.0"),
    ("CC-BY-2.5", "CC BY 2.5"),
    ("cc-by", "CC BY"),
    ("Creative Commons Attribution 4.0 International License", "CC BY 4.0"),
    ("https://creativecommons.org/licenses/by/4.0/deed.en", "CC BY 4.0"),
    ("http://creativecommons.org/licenses/by/3.0/us/", "CC BY 3.0"),
    ("https://creativecommons.org/licenses/by/2.0/?ref=chooser", "CC BY 2.0"),
    ("No known restrictions on publication.", "No known restrictions"),  # Library of Congress
    ("No known copyright restrictions", "No known restrictions"),  # Flickr, licence 7
    (
        "No known restrictions. For information, see U.S. Farm Security Administration/Office of "
        "War Information Black & White Photographs(https://hdl.loc.gov/loc.pnp/res.071.fsab)",
        "No known restrictions",
    ),
    ("https://www.flickr.com/commons/usage/", "No known restrictions"),
    ("http://rightsstatements.org/vocab/NKC/1.0/", "No known restrictions"),
    ("https://rightsstatements.org/page/NKC/1.0/?language=en", "No known restrictions"),
    ("<b>CC&nbsp;BY&nbsp;4.0</b>", "CC BY 4.0"),
]
REFUSED = [
    "",
    "CC BY-SA 4.0",
    "CC BY-SA 3.0 de",
    "CC BY-NC 4.0",
    "CC BY-ND 2.0",
    "CC BY-NC-SA 2.0",
    "cc-by-sa",
    "Creative Commons Attribution-Share Alike 4.0",
    "Attribution-NonCommercial",
    "GFDL",
    "GFDL, CC BY 3.0",
    "CC BY 4.0, CC BY-SA 3.0",
    "https://creativecommons.org/licenses/by-sa/4.0/",
    "https://creativecommons.org/licenses/by-nc/4.0/",
    "https://creativecommons.org/licenses/by-nc-nd/3.0/",
    "https://creativecommons.org/licenses/by/4.0/extra",
    "https://creativecommons.org.example.net/licenses/by/4.0/",
    "https://example.net/?u=creativecommons.org/licenses/by/4.0/",
    "https://example.net/creativecommons.org/publicdomain/zero/1.0/",
    "Public domain in the country of origin only",
    "Public domain in the United States",
    "Public domain in the US; copyrighted elsewhere",
    "PD-US",
    "PD-US-expired",
    "PD-USGov",
    "PD-1996",
    "Not in the public domain",
    "Public domain? Unknown.",
    "No known restrictions on publication in the U.S. Use elsewhere may be restricted by other "
    "countries' laws.",
    "No known restrictions on images made by the U.S. Government; images copied from other "
    "sources may be restricted.",
    "No known restrictions for non-commercial use",
    "Publication may be restricted. For information see ...",
    "Rights status not evaluated.",
    "There are known restrictions",
    "Copyright status unknown",
    "All rights reserved",
    "United States Government Work",
    "https://www.usa.gov/government-works",
    "http://rightsstatements.org/vocab/NoC-US/1.0/",
    "http://rightsstatements.org/vocab/NoC-NC/1.0/",
    "http://rightsstatements.org/vocab/NoC-CR/1.0/",
    "http://rightsstatements.org/vocab/NoC-OKLR/1.0/",
    "http://rightsstatements.org/vocab/InC/1.0/",
    "http://rightsstatements.org/vocab/CNE/1.0/",
    "http://rightsstatements.org/vocab/UND/1.0/",
    "http://www.europeana.eu/rights/rr-f/",
    "http://www.europeana.eu/rights/out-of-copyright-non-commercial/",
    "Usage conditions apply",  # Smithsonian, not open access
    "Fair use",
]


@pytest.mark.parametrize(("statement", "licence"), ALLOWED)
def test_allowed(statement: str, licence: str) -> None:
    assert classify(statement) == licence


@pytest.mark.parametrize("statement", REFUSED)
def test_refused(statement: str) -> None:
    assert classify(statement) is None


def test_case_and_spaces_do_not_matter() -> None:
    assert classify("  PUBLIC   DOMAIN. ") == "Public domain"


def test_one_statement_that_limits_spoils_all() -> None:
    free, limited = "No known restrictions on publication.", "Publication may be restricted."
    assert classify_all([free, ""]) == "No known restrictions"
    assert classify_all([free, limited]) is None
    assert classify_all([]) is None


def test_rights_beside_a_licence_address_can_contradict_it() -> None:
    assert contradicts("For non-commercial use only")
    assert not contradicts("Please credit the library")


def test_plain_text_drops_tags_and_entities() -> None:
    assert plain_text('<a href="//x">Ada</a>\n &amp; Co') == "Ada & Co"
