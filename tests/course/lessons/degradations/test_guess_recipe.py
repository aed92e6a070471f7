"""Guess the recipe: the distance by hand, its properties, the rounds, and the game played."""

import dataclasses
from itertools import pairwise, product

import ipywidgets
import numpy as np
import pytest

from oldphoto.checks import InputError
from oldphoto.course.lessons.degradations import guess_recipe as game
from oldphoto.course.lessons.degradations import guess_recipe_view as view
from oldphoto.course.lessons.degradations.dials import STRUCTURED, UNSTRUCTURED, mix
from oldphoto.degradations import (
    DAMAGES,
    RECIPES,
    Fading,
    GaussianNoise,
    Jpeg,
    MotionBlur,
    SampledRecipe,
    Vignette,
    sample_recipe,
)
from oldphoto.degradations.common import generator

PHOTO = np.random.default_rng(0).integers(0, 256, (48, 56, 3), dtype=np.uint8)
KINDS = ("gaussian_blur", "film_grain", "sepia", "fading")


def recipe(*steps) -> SampledRecipe:
    return SampledRecipe(tuple(steps))


def drawn(name: str, seed: int) -> SampledRecipe:
    return sample_recipe(RECIPES[name], generator(seed))


def find(widget: ipywidgets.Widget, kind: type) -> list:
    inside = [w for child in getattr(widget, "children", ()) for w in find(child, kind)]
    return ([widget] if isinstance(widget, kind) else []) + inside


def errors_of(widget: ipywidgets.Widget) -> list:
    return [output for log in find(widget, ipywidgets.Output) for output in log.outputs]


def test_distance_by_hand():
    noise, other = GaussianNoise(10.0, 1), GaussianNoise(32.5, 2)
    assert game.parameter_distance("gaussian_noise", noise, other) == pytest.approx(
        22.5 / 45, rel=0.01
    )
    faded, more = Fading(10.0, 255.0), Fading(80.0, 255.0)  # one of two parameters, from end to end
    assert game.parameter_distance("fading", faded, more) == pytest.approx(0.5, rel=0.01)
    dark, bleached = Vignette(0.5, 0.5, 0.5, False), Vignette(0.5, 0.5, 0.5, True)
    assert game.parameter_distance("vignette", dark, bleached) == 0.25  # yes or no, one of four


def test_angles_go_round():
    first, second = MotionBlur(5.0, 2.0), MotionBlur(5.0, 178.0)
    assert game.parameter_distance("motion_blur", first, second) == pytest.approx(4 / 90 / 2)


def test_values_beyond_the_range_count_as_far_as_can_be():
    assert game.parameter_distance("jpeg", Jpeg(1), Jpeg(100)) == 1.0


def test_seeds_do_not_count():
    a, b = recipe(("gaussian_noise", GaussianNoise(9.0, 1))), GaussianNoise(9.0, 77)
    assert game.recipe_distance(a, recipe(("gaussian_noise", b))).total == 0


def test_missing_kinds_and_order_by_hand():
    noise, jpeg = ("gaussian_noise", GaussianNoise(9.0, 1)), ("jpeg", Jpeg(50))
    assert game.recipe_distance(recipe(noise), recipe(jpeg)).total == 1.0
    assert game.recipe_distance(recipe(noise), recipe(noise, jpeg)).total == 0.5
    swapped = game.recipe_distance(recipe(noise, jpeg), recipe(jpeg, noise))
    assert (swapped.order, swapped.total) == (1.0, pytest.approx(0.2))
    assert game.recipe_distance(recipe(), recipe()).total == 0.0
    assert game.recipe_distance(recipe(), recipe(noise)).total == 1.0


def test_a_kind_that_occurs_twice_is_compared_in_turn():
    first, second = ("jpeg", Jpeg(40)), ("jpeg", Jpeg(100))
    distance = game.recipe_distance(recipe(first, second), recipe(first))
    assert distance.per_kind == {"jpeg": 0.0, "jpeg (2)": 1.0}


@pytest.mark.parametrize("name", RECIPES)
def test_same_is_zero_symmetric_and_at_most_one(name):
    recipes = [drawn(name, seed) for seed in range(8)]
    for a, b in product(recipes, recipes):
        there, back = game.recipe_distance(a, b), game.recipe_distance(b, a)
        assert there.total == pytest.approx(back.total, abs=1e-12)
        assert 0 <= there.total <= 1
        if a is b:
            assert there.total == 0 and there.points == 100
    assert game.recipe_distance(recipes[0], drawn("heavy", 99)).total > 0


@pytest.mark.parametrize("kind", DAMAGES)
def test_every_kind_can_be_compared(kind):
    rng = generator(5)
    first, *others = (DAMAGES[kind].sample(rng) for _ in range(10))
    assert game.parameter_distance(kind, first, first) == 0
    assert 0 < max(game.parameter_distance(kind, first, other) for other in others) <= 1
    names = {field.name for field in dataclasses.fields(first)} - {"seed"}
    assert set(game.parameter_spans(kind)) == names


def test_a_guess_that_comes_closer_scores_more():
    round_3 = game.new_round(3, KINDS)
    away = []
    for step in (0.0, 0.3, 0.6, 1.0):  # from the wrong strengths to the hidden ones
        guess = {k: step * s + (1 - step) * 0.1 for k, s in round_3.strengths.items() if s}
        away.append(game.score(round_3, guess).total)
    assert all(first > second for first, second in pairwise(away)) and away[-1] == 0


def test_wrong_comparisons_are_refused():
    with pytest.raises(InputError, match="two sets of parameters of jpeg, got Jpeg and Fading"):
        game.parameter_distance("jpeg", Jpeg(50), Fading(0.0, 255.0))
    with pytest.raises(InputError, match="kind of damage"):
        game.parameter_distance("rain", Jpeg(50), Jpeg(50))
    with pytest.raises(InputError, match="only got 2"):
        game.new_round(0, KINDS[:2])
    with pytest.raises(InputError, match="with a dial"):
        game.new_round(0, ("rain", "jpeg", "sepia"))


@pytest.mark.parametrize("kinds", [KINDS, UNSTRUCTURED, STRUCTURED])
def test_rounds_repeat_differ_and_can_be_won(kinds):
    rounds = [game.new_round(number, kinds) for number in range(12)]
    assert rounds[4].recipe == game.new_round(4, kinds).recipe
    assert len({tuple(r.strengths.items()) for r in rounds}) > 6
    for r in rounds:
        used = [strength for strength in r.strengths.values() if strength]
        assert len(used) in (2, 3) and min(used) >= 0.4
        assert game.score(r, r.strengths).points == 100
        assert game.score(r, {}).points == 0


def test_photos_of_the_round_and_of_a_perfect_guess_are_the_same():
    r = game.new_round(5, KINDS)
    hidden = game.hidden_photo(r, PHOTO)
    assert np.array_equal(hidden, game.guessed_photo(r, PHOTO, r.strengths))
    assert np.array_equal(game.guessed_photo(r, PHOTO, {}), PHOTO)
    assert not np.array_equal(hidden, PHOTO)


def play() -> tuple[ipywidgets.Widget, dict, ipywidgets.Button]:
    panel = view.guess_view({"a": PHOTO, "b": PHOTO[::-1].copy()}, KINDS)
    sliders = {w.description: w for w in find(panel, ipywidgets.IntSlider)}
    return panel, sliders, find(panel, ipywidgets.Button)[0]


def html_of(panel: ipywidgets.Widget) -> str:
    return "".join(w.value for w in find(panel, ipywidgets.HTML))


def test_game_is_played_and_won():
    panel, sliders, button = play()
    sliders["round"].value = 6
    assert "points" not in html_of(panel)
    labels = ("soft blur", "film grain", "sepia", "fading")
    for kind, label in zip(KINDS, labels, strict=True):
        sliders[f"{label}, %"].value = round(100 * game.new_round(6, KINDS).strengths[kind])
    button.click()
    assert "100 of 100 points" in html_of(panel) and not errors_of(panel)


def test_reveal_names_hidden_and_guessed_strengths():
    panel, sliders, button = play()
    sliders["sepia, %"].value = 55
    button.click()
    assert "<td>sepia</td>" in html_of(panel) and "<td>55 %</td>" in html_of(panel)
    assert "of 100 points" in html_of(panel)
    sliders["sepia, %"].value = 60  # another guess: the score is gone until the next reveal
    assert "points" not in html_of(panel)


def test_next_round_starts_afresh():
    panel, sliders, _ = play()
    sliders["fading, %"].value = 70
    sliders["round"].value = 2
    assert sliders["fading, %"].value == 0 and not errors_of(panel)


def test_next_round_is_drawn_once_however_many_dials_go_back(monkeypatch):
    panel, sliders, _ = play()
    for label in ("fading, %", "sepia, %"):
        sliders[label].value = 70
    drawn = []
    monkeypatch.setattr(view, "beside", lambda *photos: drawn.append(photos) or photos[0])
    sliders["round"].value = 2
    assert len(drawn) == 1
    sliders["sepia, %"].value = 30  # and the dials still draw
    assert len(drawn) == 2 and not errors_of(panel)


def test_game_is_driven_through_its_range():
    panel, sliders, button = play()
    assert all(w.continuous_update is False for w in sliders.values())
    for slider in sliders.values():
        for value in (slider.max, slider.min):
            slider.value = value
            button.click()
            assert not errors_of(panel)
    assert 'alt="Round 1.' in html_of(panel)


def test_dials_of_game_and_laboratory_are_the_same():
    r = game.new_round(9, KINDS)
    assert r.recipe == mix(r.strengths, 9)
