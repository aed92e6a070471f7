"""The widget of the study, driven as a rater does: by buttons and by keyboard."""

import ipywidgets
import numpy as np
import pytest

from oldphoto.checks import InputError
from oldphoto.course.study import view as study_view_module
from oldphoto.course.study.store import AnswerFile
from oldphoto.course.study.study import Study, trials
from oldphoto.course.study.view import Session, StudyPanel, new_code, study_view

METHODS = ("the_input", "the_classical", "the_network")
STUDY = Study(("boat", "cat"), METHODS, seed=3)
PICTURES = {
    photo: {
        method: np.full((24, 30, 3), 40 * row + 10 * column, np.uint8)
        for column, method in enumerate(METHODS)
    }
    for row, photo in enumerate(STUDY.photos)
}


@pytest.fixture
def answers(tmp_path):
    return AnswerFile(tmp_path / "answers.sqlite", STUDY)


@pytest.fixture
def panel(answers):
    one = StudyPanel(PICTURES, answers, "k1")
    one.start.click()
    return one


def everything(widget):
    inside = [w for child in getattr(widget, "children", ()) for w in everything(child)]
    return [widget, *inside]


def press(panel, letters):
    for letter in letters:
        panel.buttons[letter].click()


def test_a_whole_session_by_buttons(panel, answers):
    for number, order in enumerate(("BCA", "ABC"), start=1):
        trial = trials(STUDY, "k1")[number - 1]
        assert f"Photo {number} of 2" in panel.status.value
        press(panel, order)
        panel.save.click()
        saved = answers.rankings("k1")[-1]
        assert saved.photo == trial.photo
        assert saved.methods == tuple(trial.method(letter) for letter in order)
        assert panel.progress.value == number
    assert "All 2 photos are ranked" in panel.status.value
    assert all(place.value == "" for place in panel.places.values())
    panel.save.click()
    assert "nothing left to save" in panel.message.value and not panel.guard.log.outputs


def test_a_whole_session_by_keyboard(panel, answers):
    for text in ("cab", "B > A > C"):
        panel.typed.value = text
        panel.save.click()
    first, second = trials(STUDY, "k1")
    assert [r.methods for r in answers.rankings()] == [
        tuple(first.method(letter) for letter in "CAB"),
        tuple(second.method(letter) for letter in "BAC"),
    ]
    controls = [w for w in everything(panel.widget) if hasattr(w, "disabled")]
    assert not any(w.disabled for w in controls)  # a control switched off loses the focus
    assert all(w.tabbable is not False for w in everything(panel.widget) if hasattr(w, "tabbable"))


@pytest.mark.parametrize(
    ("text", "words"),
    [("A=BC", "ties are refused"), ("AAB", "A stands at two places"), ("AB", "C has none")],
)
def test_ties_and_gaps_are_refused_in_a_sentence(panel, answers, text, words):
    panel.typed.value = text
    assert words in panel.message.value and "role='alert'" in panel.message.value
    assert not panel.guard.log.outputs and not answers.path.exists()
    press(panel, "AA")
    assert "A has place 1 already" in panel.message.value
    panel.save.click()
    assert "B and C have none" in panel.message.value
    press(panel, "B")
    assert panel.message.value == ""  # the next right step wipes the sentence


def test_buttons_tell_their_place(panel):
    press(panel, "CA")
    assert [b.description for b in panel.buttons.values()] == ["A: place 2", "B", "C: place 1"]
    assert "So far: C &gt; A." in panel.status.value


def test_undo_takes_back_a_place_and_then_the_photo_before(panel, answers):
    panel.undo.click()
    assert "nothing to take back" in panel.message.value
    press(panel, "CB")
    panel.undo.click()
    assert panel.session.chosen == ["C"]
    press(panel, "BA")
    panel.save.click()
    panel.undo.click()
    assert answers.rankings() == [] and panel.session.chosen == ["C", "B"]
    assert "Photo 1 of 2" in panel.status.value and panel.progress.value == 0
    press(panel, "A")
    panel.save.click()
    assert len(answers.rankings()) == 1


def test_an_interrupted_session_goes_on(panel, answers):
    press(panel, "BCA")
    panel.save.click()
    press(panel, "B")  # and here the computer is switched off
    later = StudyPanel(PICTURES, AnswerFile(answers.path, STUDY), "k1")
    later.start.click()
    assert "Photo 2 of 2" in later.status.value and later.session.chosen == []
    assert later.session.trial == trials(STUDY, "k1")[1]
    other = StudyPanel(PICTURES, AnswerFile(answers.path, STUDY), "k2")
    other.start.click()
    assert "Photo 1 of 2" in other.status.value


def test_nothing_in_the_widget_names_a_method_or_a_photo(panel):
    press(panel, "AB")
    texts = [
        str(value)
        for widget in everything(panel.widget)
        for value in widget.get_state().values()
        if isinstance(value, str | tuple | list)
    ]
    assert any("Picture A of this photo" in text for text in texts)
    for name in (*METHODS, *STUDY.photos):
        assert not any(name in text for text in texts)


def test_pictures_stand_under_their_letters(panel):
    trial = panel.session.trial
    values = {panel.places[letter].value for letter in STUDY.letters}
    assert len(values) == 3
    press(panel, "BCA")
    before = {letter: panel.places[letter].value for letter in STUDY.letters}
    assert set(before.values()) == values  # clicks do not move pictures
    panel.save.click()
    assert panel.session.trial != trial
    assert not {panel.places[letter].value for letter in STUDY.letters} & values


def test_a_click_does_not_draw_the_pictures_again(panel, monkeypatch):
    drawn = []
    draw = study_view_module.picture_html
    monkeypatch.setattr(
        study_view_module, "picture_html", lambda *args: drawn.append(1) or draw(*args)
    )
    press(panel, "BCA")
    panel.undo.click()
    assert drawn == []
    press(panel, "A")
    panel.save.click()
    assert len(drawn) == len(METHODS)


def test_it_has_to_be_started_with_a_code(answers):
    panel = StudyPanel(PICTURES, answers, "k1")
    press(panel, "A")
    assert "press Start first" in panel.message.value
    panel.code.value = "my whole name"
    panel.start.click()
    assert "a rater&#x27;s code" in panel.message.value and not panel.guard.log.outputs
    panel.code.value = "k9"
    panel.start.click()
    assert panel.session.rater == "k9"
    codes = {new_code() for _ in range(50)}
    assert len(codes) == 50 and all(Session(answers, code).num_done == 0 for code in codes)


def test_faults_of_the_program_are_shown(panel, monkeypatch):
    monkeypatch.setattr(Session, "undo", lambda self: 1 / 0)
    again = StudyPanel(PICTURES, panel.answers, "k1")
    again.start.click()
    again.undo.click()
    assert again.guard.log.outputs[0]["ename"] == "ZeroDivisionError"


def test_pictures_must_be_there_and_of_one_size(answers):
    with pytest.raises(InputError, match="a picture of cat by the_network"):
        study_view({**PICTURES, "cat": dict(list(PICTURES["cat"].items())[:2])}, answers)
    larger = {**PICTURES["cat"], "the_input": np.zeros((25, 30, 3), np.uint8)}
    with pytest.raises(InputError, match="all pictures of cat in one size"):
        study_view({**PICTURES, "cat": larger}, answers)
    assert isinstance(study_view(PICTURES, answers), ipywidgets.Widget)
