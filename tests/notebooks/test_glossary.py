"""The glossary is in order, and each word occurs in the notebook that is said to explain it."""

import re

import pytest

from oldphoto.course.publishing.notebooks import CourseNotebook, all_notebooks

NOTEBOOKS = {notebook.number: notebook for notebook in all_notebooks()}
GLOSSARY = next(iter(NOTEBOOKS.values())).path.parent / "GLOSSARY.md"


def rows() -> list[tuple[str, ...]]:
    lines = GLOSSARY.read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("| ")][1:]
    return [tuple(part.strip() for part in line.strip("|").split("|")) for line in table]


def text_of(notebook: CourseNotebook) -> str:
    return " ".join(" ".join(cell.source.split()) for cell in notebook.node.cells).lower()


def test_words_are_in_order_and_stand_once():
    words = [word.lower() for word, *_ in rows()]
    assert words == sorted(set(words)) and len(words) > 50


def test_every_word_is_there_in_three_more_languages():
    for word, *_, german, spanish, korean in rows():
        assert german and spanish and korean, word
        hangul = any("가" <= letter <= "힣" for letter in korean)
        assert hangul or korean == word, f"{word} has no Korean equivalent"


@pytest.mark.parametrize(
    ("word", "meaning", "also", "number"), [row[:4] for row in rows()], ids=lambda part: part[:20]
)
def test_a_word_is_explained_where_the_glossary_says(word, meaning, also, number):
    assert not also.endswith(".") and also != word
    assert meaning.endswith(".") and number in NOTEBOOKS
    text = text_of(NOTEBOOKS[number])
    stems = [part.rstrip("s")[:7] for part in re.split(r"[ -]", word.lower()) if part != "of"]
    assert all(stem in text for stem in stems), f"{word} does not occur in notebook {number}"
