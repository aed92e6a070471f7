"""Predictions: the reader commits to an answer, and sees it again beside the result."""

from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import Any

import ipywidgets
from IPython.display import HTML

from oldphoto.checks import InputError, require_in

NONE = "no prediction"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class Prediction:
    """One question, and the widget that takes the answer.

    A page without a kernel shows the question and what there is to choose from.
    """

    question: str
    offered: str  # in words, for such a page
    widget: ipywidgets.ValueWidget
    is_right: Callable[[Any, Any], bool]
    box: ipywidgets.Widget = field(init=False)

    def __post_init__(self) -> None:
        title = ipywidgets.HTML(f"<b>Your prediction:</b> {escape(self.question)}")
        object.__setattr__(self, "box", ipywidgets.VBox([title, self.widget]))

    @property
    def answer(self) -> str | float | None:
        """What the reader has chosen or typed; None before that.

        Raises:
            InputError: if a text was typed where a number is asked for.
        """
        value = self.widget.value
        if value is None or not isinstance(self.widget, ipywidgets.Text):
            return value
        try:
            return float(value.replace(",", ".")) if value.strip() else None
        except ValueError:
            raise InputError(f"{self.question} expected a number, got {value!r}") from None

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        text = f"Your prediction: {self.question} {self.offered}"
        view = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
        return {WIDGET_VIEW: view, "text/plain": text, "text/html": f"<p>{escape(text)}</p>"}


class Predictions:
    """The predictions of one notebook.

    >>> predictions = Predictions()
    >>> first = predictions.choose("norm", "Which one loses its colour?", "with", "without")
    >>> second = predictions.number("psnr", "How many dB?", within=1)
    >>> first.widget.value = "with"  # a click does this
    >>> print(predictions.table(norm="with", psnr=31.4).data.count("no prediction"))
    1
    """

    def __init__(self) -> None:
        self._asked: dict[str, Prediction] = {}

    def choose(self, name: str, question: str, *options: str) -> Prediction:
        """Ask for one of several answers.

        Args:
            name: of the prediction in ``table``.
            question: one sentence.
            options: two answers or more.

        Raises:
            InputError: if there are fewer.
        """
        if len(options) < 2:
            raise InputError(f"expected two answers or more to choose from, got {list(options)}")
        widget = ipywidgets.RadioButtons(
            options=list(options), value=None, layout={"width": "max-content"}
        )
        offered = f"({' / '.join(options)})"
        return self._ask(name, Prediction(question, offered, widget, lambda a, came: a == came))

    def number(self, name: str, question: str, within: float) -> Prediction:
        """Ask for a number, which is right when it is at most ``within`` away from the result."""
        widget = ipywidgets.Text(placeholder="a number")
        near = lambda answer, came: abs(answer - came) <= within  # noqa: E731
        return self._ask(name, Prediction(question, "(a number)", widget, near))

    def _ask(self, name: str, new: Prediction) -> Prediction:
        """Keep a prediction; a cell that runs again keeps the answer it has."""
        before = self._asked.get(name)
        if before and before.offered == new.offered:
            new.widget.value = before.widget.value
        self._asked[name] = new
        return new

    def table(self, **came: str | float) -> HTML:
        """Return each prediction beside what came.

        Args:
            came: the result for each name: one of the answers, or a number.

        Raises:
            InputError: if a name was not asked, is missing, or has a result that nobody could
                choose.
        """
        missing = self._asked.keys() ^ came.keys()
        if missing:
            raise InputError(f"expected a result for each prediction, got {sorted(missing)} alone")
        rows, right, given = [], 0, 0
        for name, asked in self._asked.items():
            if isinstance(asked.widget, ipywidgets.RadioButtons):
                require_in(came[name], tuple(asked.widget.options), f"the result for {name}")
            answer, verdict = asked.answer, ""
            if answer is not None:
                good = asked.is_right(answer, came[name])
                given, right, verdict = given + 1, right + good, "yes" if good else "no"
            shown = NONE if answer is None else _words(answer)
            cells = (asked.question, shown, _words(came[name]), verdict)
            rows.append("".join(f"<td>{escape(cell)}</td>" for cell in cells))
        head = "".join(
            f"<th>{h}</th>" for h in ("question", "you predicted", "what came", "right?")
        )
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        count = f"{right} of {given} right." if given else "Predict, and run this cell again."
        return HTML(f"<table><tr>{head}</tr>{body}</table><p>{count}</p>")


def _words(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.3g}"
