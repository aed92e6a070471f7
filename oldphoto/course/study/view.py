"""The widget of the ranking study: pictures with letters, buttons, and a file of answers."""

import functools
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import ipywidgets

from oldphoto.checks import InputError
from oldphoto.course.figures import Photo, as_pixels, photo_html
from oldphoto.course.study.store import AnswerFile
from oldphoto.course.study.study import (
    Ranking,
    Study,
    Trial,
    parse_order,
    remaining,
    require_ranking,
    require_rater,
    trials,
)
from oldphoto.course.widgets import Guard

Pictures = Mapping[str, Mapping[str, Photo]]
"""Photo to method to picture."""


def new_code() -> str:
    """Return a random code for a rater."""
    return secrets.token_hex(3)


@dataclass
class Session:
    """The state of one rater's session, independent of the widget.

    Attributes:
        answers: the file that keeps the rankings.
        rater: code.
        chosen: letters that have a place on the photo in view, best first.
    """

    answers: AnswerFile
    rater: str
    chosen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        require_rater(self.rater)
        self._done = [ranking.photo for ranking in self.answers.rankings(self.rater)]

    @property
    def study(self) -> Study:
        """The study of the file of answers."""
        return self.answers.study

    @property
    def num_done(self) -> int:
        """How many photos have been ranked and saved."""
        return len(self._done)

    @property
    def trial(self) -> Trial | None:
        """The photo in view, or None when all are done."""
        left = remaining(self.study, self.rater, self._done)
        return left[0] if left else None

    def choose(self, letter: str) -> None:
        """Give a picture the next place.

        Raises:
            InputError: if it has one.
        """
        if letter in self.chosen:
            place = self.chosen.index(letter) + 1
            raise InputError(f"{letter} has place {place} already; Undo takes back the last choice")
        self.chosen.append(letter)

    def save(self) -> None:
        """Save the ranking of the photo in view and go to the next.

        Raises:
            InputError: if a picture has no place, or the file cannot be written.
        """
        trial = self.trial
        if trial is None:
            raise InputError("all photos are ranked: there is nothing left to save")
        order = require_ranking(self.chosen, self.study.letters)
        methods = tuple(trial.method(letter) for letter in order)
        self.answers.save(Ranking(self.rater, trial.photo, methods))
        self._done.append(trial.photo)
        self.chosen = []

    def undo(self) -> None:
        """Take back the last place, or with none given, the answer to the photo before.

        Raises:
            InputError: if there is nothing to take back.
        """
        if self.chosen:
            self.chosen.pop()
            return
        if not self._done:
            raise InputError("there is nothing to take back")
        photo = self._done[-1]
        before = {r.photo: r.methods for r in self.answers.rankings(self.rater)}
        self.answers.take_back(self.rater, photo)
        self._done.pop()
        shown = next(trial for trial in trials(self.study, self.rater) if trial.photo == photo)
        letters = dict(zip(shown.order, self.study.letters, strict=True))
        # Keep all but the last choice, as if the last button had not been pressed.
        self.chosen = [letters[method] for method in before.get(photo, ())][:-1]

    def words(self) -> str:
        """Return the progress of the rater in words."""
        total = len(self.study.photos)
        if self.trial is None:
            return f"All {total} photos are ranked and saved. Thank you. Your code: {self.rater}"
        start = f"Photo {self.num_done + 1} of {total}. Your code: {self.rater}."
        left = [letter for letter in self.study.letters if letter not in self.chosen]
        if not left:
            return f"{start} Order: {' > '.join(self.chosen)}. Press Save to go on."
        order = f" So far: {' > '.join(self.chosen)}." if self.chosen else ""
        which = "Which is the best?" if not self.chosen else "Which is the best of the others?"
        return f"{start}{order} {which}"


def picture_html(picture: Photo, letter: str) -> str:
    """Return one picture with its letter; nothing in it reveals the method."""
    return photo_html(as_pixels(picture), f"Picture {letter} of this photo, method hidden.")


def button_text(letter: str, chosen: Sequence[str]) -> str:
    """Return the label of a picture's button."""
    return f"{letter}: place {chosen.index(letter) + 1}" if letter in chosen else letter


def require_pictures(study: Study, pictures: Pictures) -> None:
    """Raise InputError unless there is a picture of one size for each photo and method."""
    for photo in study.photos:
        missing = set(study.methods) - set(pictures.get(photo, {}))
        if missing:
            raise InputError(f"expected a picture of {photo} by {min(missing)}, got none")
        shapes = {as_pixels(pictures[photo][method]).shape[:2] for method in study.methods}
        if len(shapes) > 1:  # a different size would reveal a method
            raise InputError(f"expected all pictures of {photo} in one size, got {sorted(shapes)}")


class StudyPanel:
    """The controls of one rater and what they do; ``widget`` is to be displayed.

    Args:
        pictures, answers, rater: as in ``study_view``.
    """

    def __init__(self, pictures: Pictures, answers: AnswerFile, rater: str) -> None:
        require_pictures(answers.study, pictures)
        self.pictures, self.answers = pictures, answers
        self.session: Session | None = None
        self.shown: Trial | None = None
        study, wide = answers.study, {"description_width": "initial"}
        self.code = ipywidgets.Text(rater or new_code(), description="your code", style=wide)
        self.start = ipywidgets.Button(description="Start or continue")
        self.buttons = {letter: ipywidgets.Button(description=letter) for letter in study.letters}
        self.places = {letter: ipywidgets.HTML() for letter in study.letters}
        self.undo = ipywidgets.Button(description="Undo")
        self.save = ipywidgets.Button(description="Save", button_style="primary")
        example = f"such as {study.letters[::-1]}, then Enter"
        self.typed = ipywidgets.Text(
            description="or type the order",
            placeholder=example,
            style=wide,
            continuous_update=False,
        )
        self.progress = ipywidgets.IntProgress(max=len(study.photos), description="photos")
        self.status, self.message = ipywidgets.HTML(), ipywidgets.HTML()
        self.guard = Guard()
        self._connect()
        self.widget = self._arranged()

    def _connect(self) -> None:
        self.start.on_click(self.guard(lambda _button: self.begin()))
        self.undo.on_click(self.guard(lambda _button: self.act(Session.undo)))
        self.save.on_click(self.guard(lambda _button: self.act(Session.save)))
        for letter, button in self.buttons.items():
            choose = functools.partial(Session.choose, letter=letter)
            button.on_click(self.guard(lambda _button, choose=choose: self.act(choose)))
        self.typed.observe(self.guard(self._was_typed), "value")

    def _arranged(self) -> ipywidgets.Widget:
        cards = [
            ipywidgets.VBox([self.places[letter], self.buttons[letter]]) for letter in self.places
        ]
        columns = {"grid_template_columns": "repeat(auto-fill, minmax(16rem, 1fr))"}
        top = ipywidgets.HBox([self.code, self.start, self.progress], layout={"flex_flow": "wrap"})
        bottom = ipywidgets.HBox([self.undo, self.save, self.typed], layout={"flex_flow": "wrap"})
        rows = [top, self.status, ipywidgets.GridBox(cards, layout=columns), bottom, self.message]
        return ipywidgets.VBox([*rows, self.guard.log])

    def begin(self) -> None:
        """Start or continue the session of the code in the field."""
        self.session = None
        self._tell(lambda: setattr(self, "session", Session(self.answers, self.code.value.strip())))

    def act(self, what: Callable[[Session], None]) -> None:
        """Carry out one action of the session and redraw; show errors of the rater as a message."""
        self._tell(lambda: what(self._started()))

    def _tell(self, step: Callable[[], None]) -> None:
        self.message.value = ""
        try:
            step()
        except InputError as error:
            self.message.value = f"<p role='alert'>{escape(str(error))}</p>"
        if self.session is not None:
            self.draw(self.session)

    def _started(self) -> Session:
        if self.session is None:
            raise InputError("press Start first")
        return self.session

    def _was_typed(self, change: dict[str, str]) -> None:
        if not change["new"]:
            return

        def take(session: Session) -> None:
            session.chosen = list(parse_order(change["new"], session.study.letters))

        self.act(take)

    def draw(self, session: Session) -> None:
        """Show the state of the session; pictures change with the photo only."""
        trial = session.trial
        if trial != self.shown:
            for letter, place in self.places.items():
                place.value = self._picture(trial, letter) if trial else ""
            self.shown = trial
        for letter, button in self.buttons.items():
            button.description = button_text(letter, session.chosen)
        self.progress.value, self.typed.value = session.num_done, ""
        self.status.value = f"<p role='status'>{escape(session.words())}</p>"

    def _picture(self, trial: Trial, letter: str) -> str:
        return picture_html(self.pictures[trial.photo][trial.method(letter)], letter)


def study_view(pictures: Pictures, answers: AnswerFile, rater: str = "") -> ipywidgets.Widget:
    """Return the study: code, pictures with a button each, Undo, Save, and a line to type in.

    Every control is a button or a field that the Tab key reaches, in the order of the page. None
    is ever switched off, so that the keyboard's place is not lost. Each photo is saved when it is
    done; the same code goes on later where it stopped.

    Args:
        pictures: photo to method to picture; one size for each photo.
        answers: file for the answers, with its study.
        rater: code; empty: a random one, which the rater may replace by an earlier one.

    Raises:
        InputError: if a picture is missing or of another size.
    """
    return StudyPanel(pictures, answers, rater).widget
