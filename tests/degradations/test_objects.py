"""What looks like damage and is none: it changes the photo, and no mask holds it."""

from dataclasses import replace

import numpy as np
import pytest

from oldphoto.checks import InputError
from oldphoto.degradations import (
    DAMAGES,
    RECIPES,
    SampledRecipe,
    apply_captions,
    apply_recipe,
    sample_captions,
    sample_recipe,
)

OBJECTS = ("twigs", "glints", "captions")


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_change_the_photo_and_are_in_no_mask(grey, name):
    for seed in range(5):
        sampled = SampledRecipe(((name, DAMAGES[name].sample(np.random.default_rng(seed))),))
        changed, mask = apply_recipe(grey, sampled)
        assert (changed != grey).any()
        assert not mask.any()


@pytest.mark.parametrize("turn", range(4))
def test_a_card_has_a_border_and_ends_before_the_scan_does(grey, turn):
    drawn = replace(
        sample_captions(np.random.default_rng(0)),
        turn=turn,
        border=0.5,
        edge=0.25,
        paper=220.0,
        lid=30.0,
        ink=20.0,
        ruled=False,
    )
    upright = np.rot90(apply_captions(grey, drawn), turn)[..., 0].astype(int)
    assert (upright[:60] == 128).all()  # of 128 rows the lower 64 are border
    border, lid = upright[64:112], upright[112:]
    assert np.median(border) == pytest.approx(220, abs=6)
    assert border.min() < 60  # the print
    assert lid.max() <= 30  # nothing is printed on the lid


def test_without_a_border_the_print_is_on_the_picture(grey):
    drawn = replace(sample_captions(np.random.default_rng(1)), border=0.0, ink=240.0, ruled=False)
    printed = apply_captions(grey, drawn)
    share = (printed != grey).any(axis=2).mean()
    assert 0.001 < share < 0.5


def test_an_unknown_font_is_refused(grey):
    with pytest.raises(InputError, match="the font of captions"):
        apply_captions(grey, replace(sample_captions(np.random.default_rng(0)), font=99))


def test_recipe_worn_puts_damage_on_top_of_scene_lens_press_and_print():
    rng, seen = np.random.default_rng(0), set()
    for _ in range(300):
        names = [name for name, _ in sample_recipe(RECIPES["worn"], rng).steps]
        hides = [DAMAGES[name].parameters.hides for name in names if name != "jpeg"]
        assert hides == sorted(hides)
        if "gaussian_blur" in names:
            before = names[: names.index("gaussian_blur")]
            assert set(before) <= {"twigs", "glints"}
            assert "captions" not in before
        seen.update(names)
    assert seen >= {*OBJECTS, "chips", "creases", "halftone", "jpeg"}
