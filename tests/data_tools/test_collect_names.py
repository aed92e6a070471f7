"""File names made from any text are safe on every system, and differ where the texts differ."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_tools.collectors.album import MAX_NAME_LENGTH, safe_name

DEVICES = {"con", "prn", "aux", "nul"} | {f"{d}{n}" for d in ("com", "lpt") for n in range(10)}
ANY_TEXT = st.text(max_size=300) | st.sampled_from(
    ["../../etc/passwd", "C:\\con", "CON", "aux", "com1", "COM\u00b9", "a/b", "a\\b", ".", "..",
     "-", "~", "\x00", "\ud800", "photo.jpg\n", "x" * 500, "\u202egpj.exe", " ", "NUL.txt", "Ä",
     "a:b"]
)  # fmt: skip


@given(ANY_TEXT)
def test_only_safe_characters_and_lengths(text: str) -> None:
    name = safe_name(text)
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name)
    assert len(name) <= MAX_NAME_LENGTH
    assert name not in DEVICES


@given(ANY_TEXT, ANY_TEXT)
def test_different_texts_get_different_names(first: str, second: str) -> None:
    assert (safe_name(first) == safe_name(second)) == (first == second)


@given(ANY_TEXT)
def test_the_same_text_always_gets_the_same_name(text: str) -> None:
    assert safe_name(text) == safe_name(text)


@pytest.mark.parametrize("text", ["2017762891", "photo_3", "abc-1"])
def test_a_safe_text_stays_as_it_is(text: str) -> None:
    assert safe_name(text) == text


def test_the_words_stay_readable() -> None:
    assert safe_name("Straßenbahn: Köln 1905.jpg").startswith("straenbahn-koln-1905-jpg-")


def test_a_made_name_cannot_be_taken_for_a_given_one() -> None:
    made = safe_name("A")
    assert safe_name(made) != made
