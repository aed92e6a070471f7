"""The degradation laboratory: dials, numbers, exact replay, the panel driven through its range."""

import base64
import dataclasses
import io
import json
import re

import ipywidgets
import numpy as np
import pytest
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.course.lessons.degradations import dials as lab
from oldphoto.course.lessons.degradations import gap, view
from oldphoto.degradations import DAMAGES, RECIPES, apply_recipe, degrade, from_json
from oldphoto.metrics import fidelity


def made_photo(seed: int = 0, size: tuple[int, int] = (64, 80)) -> np.ndarray:
    """A smooth colourful photo with some texture."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(size)
    waves = np.stack([rows + columns, 2 * rows, 3 * columns], axis=2) + 20 * rng.random((*size, 3))
    return (128 + 90 * np.sin(waves / 17)).astype(np.uint8)


PHOTO = made_photo()


def find(widget: ipywidgets.Widget, kind: type) -> list:
    """All widgets of a kind inside a view."""
    inside = [w for child in getattr(widget, "children", ()) for w in find(child, kind)]
    return ([widget] if isinstance(widget, kind) else []) + inside


def errors_of(widget: ipywidgets.Widget) -> list:
    return [output for log in find(widget, ipywidgets.Output) for output in log.outputs]


def picture_of(widget: ipywidgets.Widget) -> np.ndarray:
    """The pixels that the panel shows."""
    html = next(w.value for w in find(widget, ipywidgets.HTML) if "base64," in w.value)
    data = re.search(r"base64,([^\"]+)", html).group(1)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.mark.parametrize("kind", lab.DIALS)
@pytest.mark.parametrize("strength", [0.0, 0.37, 1.0])
def test_every_dial_gives_valid_parameters_at_weakest_and_strongest(kind, strength):
    parameters = lab.turn_dial(kind, strength, seed=3)
    assert type(parameters) is DAMAGES[kind].parameters
    for field in dataclasses.fields(parameters):
        if field.type in (int, float, bool, str):
            assert isinstance(getattr(parameters, field.name), field.type), field.name
    degraded, _ = apply_recipe(PHOTO, lab.SampledRecipe(((kind, parameters),)))
    assert degraded.shape == PHOTO.shape and degraded.dtype == np.uint8


@pytest.mark.parametrize("kind", lab.DIALS)
def test_strongest_dial_is_within_what_the_sampler_draws(kind):
    rng = np.random.default_rng(0)
    drawn = [DAMAGES[kind].sample(rng) for _ in range(300)]
    for name in lab.DIALS[kind].fields:
        values = [getattr(parameters, name) for parameters in drawn]
        width = max(values) - min(values)
        for strength in (0.0, 1.0):
            value = getattr(lab.turn_dial(kind, strength, 0), name)
            assert min(values) - 0.05 * width <= value <= max(values) + 0.05 * width


def test_known_values_of_dials():
    assert lab.turn_dial("gaussian_noise", 0.5, 0).sigma == 27.5
    assert lab.turn_dial("jpeg", 1.0, 0).quality == 40
    sizes = [lab.turn_dial("gaussian_blur", s, 0).kernel_size for s in (0, 0.5, 1)]
    assert sizes == [3, 5, 7]
    fading = lab.turn_dial("fading", 1.0, 0)
    assert (fading.black, fading.white) == (80.0, 190.0)


def test_stronger_means_farther_from_the_clean_photo():
    for kind in ("gaussian_noise", "film_grain", "fading", "gaussian_blur", "holes", "sepia"):
        found = [
            lab.run_lab(PHOTO, lab.Settings(strengths={kind: s})).psnr for s in (0.05, 0.5, 1.0)
        ]
        assert found[0] > found[1] > found[2], kind


def test_turning_one_dial_leaves_the_others_as_they_were():
    alone = lab.mix({"scratches": 0.5}, seed=4)
    both = lab.mix({"scratches": 0.5, "dust": 0.9}, seed=4)
    assert alone.steps[0] in both.steps


def test_mix_follows_the_life_of_a_photo_and_leaves_out_zeros():
    recipe = lab.mix({"jpeg": 1.0, "holes": 0.0, "scratches": 0.2, "film_grain": 0.5}, seed=0)
    assert [kind for kind, _ in recipe.steps] == ["film_grain", "scratches", "jpeg"]
    assert lab.mix({}, 0).steps == ()


def test_run_lab_measures_what_it_shows():
    result = lab.run_lab(PHOTO, lab.Settings(strengths={"holes": 1.0, "sepia": 0.5}, seed=2))
    assert result.psnr == fidelity.psnr(result.degraded, PHOTO)
    assert result.ssim == fidelity.ssim(result.degraded, PHOTO)
    assert result.damaged_share == pytest.approx(0.08, abs=1e-3)
    words = lab.lab_words(result)
    assert "sepia, then holes" in words and "8.0 % hidden" in words


def test_nothing_turned_leaves_the_photo():
    result = lab.run_lab(PHOTO, lab.Settings())
    assert np.array_equal(result.degraded, PHOTO) and result.psnr == float("inf")
    assert lab.lab_words(result).startswith("nothing. PSNR inf dB")


@pytest.mark.parametrize("source", [*RECIPES, lab.OWN_MIX])
def test_exported_text_replays_to_the_byte(source):
    strengths = dict.fromkeys(lab.DIALS, 0.6)
    result = lab.run_lab(PHOTO, lab.Settings(source, strengths, seed=7))
    replayed = lab.run_lab(PHOTO, lab.Settings(lab.REPLAY, text=result.text))
    assert np.array_equal(replayed.degraded, result.degraded)
    assert np.array_equal(replayed.scratch_mask, result.scratch_mask)
    assert replayed.text == result.text
    by_package, _ = apply_recipe(PHOTO, from_json(result.text))
    assert np.array_equal(by_package, result.degraded)


def test_wrong_settings_are_refused():
    with pytest.raises(InputError, match="source must be one of own mix"):
        lab.run_lab(PHOTO, lab.Settings(source="strong"))
    with pytest.raises(InputError, match="this is not"):
        lab.run_lab(PHOTO, lab.Settings(source=lab.REPLAY, text="{"))
    with pytest.raises(InputError, match="kind of damage with a dial"):
        lab.mix({"elastic": 0.5}, 0)
    with pytest.raises(InputError, match="strength of jpeg must be within 0"):
        lab.turn_dial("jpeg", 1.5, 0)
    with pytest.raises(InputError, match="uint8"):
        lab.run_lab(PHOTO / 255, lab.Settings())


def test_picture_joins_clean_degraded_and_mask():
    result = lab.run_lab(PHOTO, lab.Settings(strengths={"holes": 1.0}))
    picture = lab.lab_picture(result, with_mask=True)
    assert picture.shape == (64, 3 * 80 + 2 * lab.GAP, 3)
    assert np.array_equal(picture[:, :80], PHOTO)
    assert np.array_equal(picture[:, -80:, 0] > 0, result.scratch_mask)


def test_rows_of_a_recipe_name_its_kinds():
    rows = lab.recipe_rows(RECIPES["paper"])
    assert [row["group"] for row in rows] == [1, 1, 1, 2, 2, 2, 3]
    assert rows[3]["one of"] == "paper texture"  # through a partial
    assert rows[4]["one of"] == "scratches, cracks"  # scratches are listed twice
    assert (rows[0]["order"], rows[3]["order"]) == ("shuffled", "as listed")


def make_panel(kinds=("film_grain", "scratches", "holes")) -> ipywidgets.Widget:
    photos = {"first": PHOTO, "second": made_photo(1)}
    return view.lab_view(photos, kinds, strengths={"holes": 0.5}, with_mask=True)


def controls(panel: ipywidgets.Widget) -> dict[str, ipywidgets.Widget]:
    kinds = (ipywidgets.Dropdown, ipywidgets.IntSlider, ipywidgets.Textarea)
    return {w.description: w for kind in kinds for w in find(panel, kind)}


def test_panel_shows_exactly_what_the_function_computes():
    panel = make_panel()
    by_name = controls(panel)
    by_name["photo"].value = "second"
    by_name["seed"].value = 5
    by_name["scratches, %"].value = 80
    strengths = {"film_grain": 0.0, "scratches": 0.8, "holes": 0.5}
    result = lab.run_lab(made_photo(1), lab.Settings(strengths=strengths, seed=5))
    assert np.array_equal(picture_of(panel), lab.lab_picture(result, with_mask=True))
    assert by_name["as text"].value == result.text
    assert not errors_of(panel)


def test_panel_is_driven_through_its_range():
    panel = make_panel(lab.UNSTRUCTURED)
    by_name = controls(panel)
    sliders = [w for w in by_name.values() if isinstance(w, ipywidgets.IntSlider)]
    assert len(sliders) == len(lab.UNSTRUCTURED) + 1
    assert all(slider.continuous_update is False for slider in sliders)
    for slider in sliders:
        for value in (slider.max, slider.min):
            slider.value = value
            assert not errors_of(panel)
    for by_name["recipe"].value in (*RECIPES, lab.OWN_MIX):
        assert not errors_of(panel)
    pictures = [w.value for w in find(panel, ipywidgets.HTML) if "<img" in w.value]
    assert len(pictures) == 1 and 'alt="The photo first, clean and degraded by' in pictures[0]


def test_named_recipe_puts_the_dials_to_rest():
    panel = make_panel()
    by_name = controls(panel)
    by_name["recipe"].value = "heavy"
    assert by_name["holes, %"].disabled
    degraded, _ = apply_recipe(PHOTO, lab.recipe_of(lab.Settings("heavy", seed=0)))
    assert np.array_equal(picture_of(panel)[:, 88:168], degraded)
    by_name["recipe"].value = lab.OWN_MIX
    assert not by_name["holes, %"].disabled


def test_pasted_text_is_replayed_and_kept():
    panel = make_panel()
    by_name = controls(panel)
    text = lab.run_lab(PHOTO, lab.Settings("heavy", seed=9)).text
    by_name["recipe"].value = lab.REPLAY
    by_name["as text"].value = text
    degraded, _ = apply_recipe(PHOTO, from_json(text))
    assert np.array_equal(picture_of(panel)[:, 88:168], degraded)
    assert by_name["as text"].value == text


def test_text_that_is_no_recipe_gets_a_sentence_not_an_error():
    panel = make_panel()
    by_name = controls(panel)
    by_name["recipe"].value = lab.REPLAY
    by_name["as text"].value = '{"format": 1, "steps": [{"damage": "<rain>"}]}'
    messages = [w.value for w in find(panel, ipywidgets.HTML)]
    assert any("no damage is called" in text and "&lt;rain&gt;" in text for text in messages)
    assert not errors_of(panel)
    by_name["recipe"].value = lab.OWN_MIX  # and the panel goes on
    assert json.loads(by_name["as text"].value)["steps"][0]["damage"] == "holes"


def test_fault_in_the_panel_is_not_hidden(monkeypatch):
    panel = make_panel()
    monkeypatch.setattr(view, "run_lab", lambda *args: 1 / 0)
    controls(panel)["seed"].value = 8
    assert errors_of(panel)[0]["ename"] == "ZeroDivisionError"


def test_strip_is_one_described_table(capsys):
    html = view.strip_html([PHOTO, PHOTO], "Two photos of waves.")
    assert html.count("<img") == 1 and 'alt="Two photos of waves."' in html
    assert "width='100%'" in html and "image-rendering: pixelated" in html
    with pytest.raises(InputError, match="alt="):
        view.show_strip({"a": PHOTO}, alt="")
    view.show_strip({"a": PHOTO, "b": PHOTO, "c": PHOTO}, "Three times the same waves.", columns=2)


def test_strip_is_never_wider_than_its_page_and_titles_stand_above_their_photos(monkeypatch):
    shown = []
    monkeypatch.setattr(view, "display", lambda html: shown.append(html.data))
    view.show_strip({"a": PHOTO, "b": PHOTO, "c": PHOTO}, "Three times the same waves.", columns=2)
    assert "<table width='100%'" in shown[0] and "max-width: 960px" in shown[0]
    assert shown[0].count("text-align: center") == 3 and shown[0].count("<img") == 2


def test_features_of_known_photos():
    black_white = np.zeros((40, 40, 3), np.uint8)
    black_white[:, 20:] = 255
    black, white, contrast, spread, _, _ = gap.photo_features(black_white)
    assert (black, white, contrast, spread) == (0, 255, 127.5, 0)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 1), dtype=np.uint8).repeat(3, 2)
    soft = np.array(Image.fromarray(noise).resize((128, 128)))
    assert gap.photo_features(noise)[5] < 0 < gap.photo_features(soft)[5]


def test_alike_sets_are_guessed_and_different_ones_told_apart():
    rng = np.random.default_rng(1)
    sets = rng.normal(0, 1, (40, 2, 20, 6))
    assert np.mean([gap.told_apart(a, b, num_splits=5) for a, b in sets]) == pytest.approx(
        0.5, abs=0.04
    )
    assert gap.told_apart(sets[0, 0], sets[0, 1] + 8) == 1.0


def test_tables_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="same features"):
        gap.told_apart(np.zeros((5, 6)), np.zeros((5, 4)))
    with pytest.raises(InputError, match="at least 4 photos"):
        gap.told_apart(np.zeros((2, 6)), np.zeros((5, 6)))


def test_degraded_photos_differ_from_clean_ones_in_their_features():
    clean = [made_photo(i) for i in range(6)]
    faded = [degrade(p, seed=i, recipe="heavy")[0] for i, p in enumerate(clean)]
    assert gap.told_apart(gap.feature_table(clean), gap.feature_table(faded)) > 0.7
