"""The game "guess the recipe": a thin view of ``guess_recipe``."""

from collections.abc import Mapping, Sequence
from html import escape

import ipywidgets
import numpy as np

from oldphoto.course.common import beside, exact_html
from oldphoto.course.lessons.degradations.guess_recipe import (
    Round,
    guessed_photo,
    hidden_photo,
    new_round,
    reveal_rows,
    score,
)
from oldphoto.course.lessons.degradations.view import dial_sliders, grid, strengths_of
from oldphoto.course.widgets import Guard, slider

MAX_ROUND = 99
HEADINGS = ("damage", "hidden", "your guess", "distance")


def guess_view(photos: Mapping[str, np.ndarray], kinds: Sequence[str]) -> ipywidgets.Widget:
    """Return the game: a damaged photo, a slider for each kind, and a button that reveals.

    Args:
        photos: title to clean photo, uint8 (H, W, 3); the rounds take them in turn.
        kinds: the kinds of damage to choose from.
    """
    number = slider("round", 1, 1, MAX_ROUND)
    dials = dial_sliders(kinds, {})
    button = ipywidgets.Button(description="Reveal", tooltip="Show the hidden recipe and the score")
    picture, answer = ipywidgets.HTML(), ipywidgets.HTML()
    guard = Guard()
    titles = list(photos)

    def clean() -> np.ndarray:
        return photos[titles[number.value % len(titles)]]

    @guard
    def draw(_change: object = None) -> None:
        game, guess = new_round(number.value, kinds), strengths_of(dials)
        shown = beside(hidden_photo(game, clean()), guessed_photo(game, clean(), guess))
        alt = f"Round {game.number}. Left: the hidden recipe. Right: your guess on the same photo."
        picture.value, answer.value = exact_html(shown, alt), "Left: hidden recipe. Right: yours."

    @guard
    def next_round(_change: object = None) -> None:
        for dial in dials.values():  # drawn once, at the end
            dial.unobserve(draw, "value")
            dial.value = 0
            dial.observe(draw, "value")
        draw()

    @guard
    def reveal(_button: object = None) -> None:
        answer.value = reveal_html(new_round(number.value, kinds), strengths_of(dials))

    number.observe(next_round, "value")
    for dial in dials.values():
        dial.observe(draw, "value")
    button.on_click(reveal)
    draw()
    return ipywidgets.VBox([number, grid(dials), button, answer, picture, guard.log])


def reveal_html(game: Round, guess: Mapping[str, float]) -> str:
    """Return the score and a table of hidden and guessed strengths."""
    distance = score(game, guess)
    rows = [f"<th scope='col'>{heading}</th>" for heading in HEADINGS]
    lines = [f"<tr>{''.join(rows)}</tr>"]
    for row in reveal_rows(game, guess):
        lines.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>")
    return (
        f"<p><strong>{distance.points} of 100 points</strong>, distance {distance.total:.2f}.</p>"
        f"<table>{''.join(lines)}</table>"
    )
