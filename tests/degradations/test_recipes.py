"""Recipes: probabilities and order, replay from JSON to the byte, and what is refused."""

import collections
import dataclasses
import itertools
import json
from typing import get_args

import numpy as np
import pytest

from oldphoto.checks import InputError
from oldphoto.degradations import (
    DAMAGES,
    RECIPES,
    Elastic,
    GaussianBlur,
    Jpeg,
    SampledRecipe,
    apply_recipe,
    from_json,
    sample_holes,
    sample_recipe,
    sample_stains,
    to_json,
)
from oldphoto.degradations.recipes import LIMITS

FOUR = {
    "gaussian_blur": "blur",
    "gaussian_noise": "noise",
    "speckle_noise": "noise",
    "salt_pepper": "noise",
    "low_resolution": "resolution",
    "jpeg": "compression",
}


def test_released_has_four_steps_each_with_probability_0_7():
    rng = np.random.default_rng(0)
    counts = collections.Counter()
    for _ in range(2000):
        names = [name for name, _ in sample_recipe(RECIPES["released"], rng).steps]
        counts.update(FOUR[name] for name in names)
        counts.update(names)
    for step in ("blur", "noise", "resolution", "compression"):
        assert counts[step] / 2000 == pytest.approx(0.7, abs=0.04)
    for noise in ("gaussian_noise", "speckle_noise", "salt_pepper"):
        assert counts[noise] / counts["noise"] == pytest.approx(1 / 3, abs=0.04)


def test_released_steps_come_in_every_order():
    rng = np.random.default_rng(0)
    orders = collections.Counter()
    for _ in range(6000):
        steps = tuple(FOUR[name] for name, _ in sample_recipe(RECIPES["released"], rng).steps)
        if len(steps) == 4:
            orders[steps] += 1
    every = set(itertools.permutations(("blur", "noise", "resolution", "compression")))
    assert set(orders) == every
    assert max(orders.values()) < 2.2 * min(orders.values())


def test_paper_wears_the_photo_after_it_was_taken_and_scans_it_last():
    rng = np.random.default_rng(0)
    for _ in range(200):
        names = [name for name, _ in sample_recipe(RECIPES["paper"], rng).steps]
        structured = [DAMAGES[name].structured for name in names if name != "jpeg"]
        assert structured == sorted(structured)
        assert "jpeg" not in names[:-1]


@pytest.mark.parametrize("name", list(RECIPES))
def test_replay_from_json_gives_the_same_bytes(photo, name):
    for seed in range(4):
        sampled = sample_recipe(RECIPES[name], np.random.default_rng(seed))
        text = to_json(sampled)
        again = from_json(text)
        assert again == sampled and to_json(again) == text
        degraded, mask = apply_recipe(photo, sampled)
        replayed, replayed_mask = apply_recipe(photo, again)
        assert degraded.tobytes() == replayed.tobytes()
        assert np.array_equal(mask, replayed_mask)


@pytest.mark.parametrize("name", DAMAGES)
def test_every_damage_survives_json(name):
    for seed in range(5):
        sampled = SampledRecipe(((name, DAMAGES[name].sample(np.random.default_rng(seed))),))
        assert from_json(to_json(sampled)) == sampled


def test_heavy_damages_more_than_light(photo):
    errors = {}
    for name in ("light", "heavy"):
        results = [
            apply_recipe(photo, sample_recipe(RECIPES[name], np.random.default_rng(seed)))
            for seed in range(20)
        ]
        errors[name] = np.mean([np.mean((r.astype(float) - photo) ** 2) for r, _ in results])
    assert errors["heavy"] > 3 * errors["light"]


def test_the_scratch_mask_joins_what_hides_and_leaves_out_what_shines_through(photo):
    rng = np.random.default_rng(1)
    hole, stain = sample_holes(rng, ratio=0.1), sample_stains(rng)
    alone = DAMAGES["holes"].apply(photo, hole)[1]
    steps = (("holes", hole), ("stains", stain), ("jpeg", Jpeg(90)))
    assert np.array_equal(apply_recipe(photo, SampledRecipe(steps))[1], alone)


def test_elastic_takes_the_mask_with_it(photo):
    hole = sample_holes(np.random.default_rng(1), ratio=0.2)
    bend = Elastic(0.05, 3, 4)
    alone = DAMAGES["holes"].apply(photo, hole)[1]
    steps = (("holes", hole), ("elastic", bend))
    mask = apply_recipe(photo, SampledRecipe(steps))[1]
    assert not np.array_equal(mask, alone)
    assert np.array_equal(mask, DAMAGES["elastic"].apply(alone, bend))


def test_an_empty_recipe_changes_nothing(photo):
    degraded, mask = apply_recipe(photo, SampledRecipe(()))
    assert np.array_equal(degraded, photo) and not mask.any()


def test_the_needed_span_grows_backwards_from_the_last_step():
    blur, jpeg = ("gaussian_blur", GaussianBlur(7, 1.0)), ("jpeg", Jpeg(50))
    assert SampledRecipe((blur, blur)).needed_span(40, 60, 100) == (34, 66)
    assert SampledRecipe((jpeg,)).needed_span(40, 60, 100) == (32, 64)
    assert SampledRecipe((jpeg,)).needed_span(49, 62, 100) == (32, 64)
    # The block from 32 on needs blurred pixels, and these the row 29, in the block before.
    assert SampledRecipe((blur, jpeg)).needed_span(40, 60, 100) == (16, 67)
    assert SampledRecipe((blur, jpeg)).needed_span(1, 99, 100) == (0, 100)
    assert SampledRecipe(()).needed_span(1, 99, 100) == (1, 99)


def stains(radius: str) -> str:
    """Return a recipe of stains with this radius, as somebody may have written it by hand."""
    sampled = SampledRecipe((("stains", sample_stains(np.random.default_rng(0))),))
    step = json.loads(to_json(sampled))["steps"][0] | {"radius": json.loads(radius)}
    return json.dumps({"format": 1, "steps": [step]})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "a recipe is a JSON text"),
        ("[]", "a recipe is a JSON object"),
        ('{"format": 99, "steps": []}', '"format": 1'),
        ('{"format": 1, "steps": [{"damage": "fire"}]}', "no damage is called 'fire'; there are"),
        ('{"format": 1, "steps": [{"damage": "jpeg"}]}', r"jpeg has the parameters \['quality'\]"),
        ('{"format": 1, "steps": [{"damage": "jpeg", "quality": "high"}]}', "quality is of kind"),
        ('{"format": 1, "steps": [{"damage": "jpeg", "quality": true}]}', "got True"),
        ('{"format": 1, "steps": 5}', "a list"),
        (stains("[0.1]"), r"radius is of kind tuple\[float, float\], got \[0.1\]"),
        (stains("[0.1, -1]"), r"stains: radius must be within 0.0001 and 101, got -1"),
        (stains("[0.1, NaN]"), "radius must be within .* got nan"),
        (stains('[0.1, "far"]'), "radius is of kind .*, got 'far'"),
        (stains("[0.1, true]"), "radius is of kind .*, got True"),
        ('{"format": 1, "steps": [5]}', "JSON object"),
    ],
)
def test_refuses_other_json(text, sentence):
    with pytest.raises(InputError, match=sentence):
        from_json(text)


EXTREMES = [
    pytest.param(name, field, value, id=f"{name}-{field.name}-{value:g}")
    for name, damage in DAMAGES.items()
    for field in dataclasses.fields(damage.parameters)
    if field.type in (int, float) or str(field.type).startswith("tuple")
    for value in (-1, 0, 10**10)
]


@pytest.mark.parametrize(("name", "field", "value"), EXTREMES)
def test_extreme_numbers_are_computed_or_refused_in_a_sentence(name, field, value):
    sampled = SampledRecipe(((name, DAMAGES[name].sample(np.random.default_rng(0))),))
    content = json.loads(to_json(sampled))
    step, num = content["steps"][0], len(get_args(field.type))
    step[field.name] = [value] * num if num else value
    photo = np.full((24, 30, 3), 90, np.uint8)
    try:
        degraded, _ = apply_recipe(photo, from_json(json.dumps(content)))
    except InputError:
        return
    assert degraded.shape == photo.shape


@pytest.mark.parametrize("name", list(RECIPES))
def test_what_is_drawn_lies_far_within_the_limits(name):
    for seed in range(200):
        for damage, drawn in sample_recipe(RECIPES[name], np.random.default_rng(seed)).steps:
            for key in LIMITS.keys() & dataclasses.asdict(drawn).keys() - {"seed"}:
                values = np.ravel(getattr(drawn, key))
                assert values.max() <= 0.9 * LIMITS[key][1], damage


def test_json_is_plain():
    sampled = sample_recipe(RECIPES["heavy"], np.random.default_rng(0))
    steps = json.loads(to_json(sampled))["steps"]
    assert [step["damage"] for step in steps] == [name for name, _ in sampled.steps]
