"""Pictures of damage on a photo: their place, size and strength, computed by hand."""

from dataclasses import replace

import numpy as np
import pytest

from oldphoto.checks import InputError
from oldphoto.degradations.textures import (
    LEAST_CHANGE,
    TextureLayer,
    apply_texture_layer,
    sample_texture_layer,
)

FLAT = TextureLayer(1.0, 0.0, False, (0.5, 0.5), 1.0, 0.0, 255.0)


def bar() -> np.ndarray:
    """Return a picture (9, 9) whose left third is damaged."""
    texture = np.zeros((9, 9), np.uint8)
    texture[:, :3] = 255
    return texture


def black(side: int = 15) -> np.ndarray:
    return np.zeros((side, side, 3), np.uint8)


def test_a_texture_lies_in_the_middle_turned_and_mirrored():
    rows, columns = slice(3, 12), slice(3, 6)
    for layer, part in (
        (FLAT, (rows, columns)),
        (replace(FLAT, mirrored=True), (rows, slice(9, 12))),
        (replace(FLAT, angle=90.0), (slice(9, 12), rows)),  # the left side goes to the bottom
    ):
        damaged, mask = apply_texture_layer(black(), bar(), layer)
        expected = np.zeros((15, 15), bool)
        expected[part] = True
        assert np.array_equal(mask, expected)
        assert np.array_equal(damaged[..., 0] == 255, expected)


def test_a_smaller_scale_keeps_thin_lines_as_faint_ones():
    line = np.zeros((36, 36), np.uint8)
    line[18] = 255
    damaged, mask = apply_texture_layer(black(), line, replace(FLAT, scale=0.25))
    assert mask.any(axis=1).sum() == 1
    assert damaged.max() == 64  # a quarter of a pixel


def test_what_changes_too_little_is_in_neither_photo_nor_mask():
    photo = black()
    photo[:] = 255 - LEAST_CHANGE + 1
    photo[:, 7:] = 255 - LEAST_CHANGE
    damaged, mask = apply_texture_layer(photo, np.full((15, 15), 255, np.uint8), FLAT)
    assert not mask[:, :7].any() and mask[:, 7:].all()
    assert np.array_equal(damaged[:, :7], photo[:, :7]) and (damaged[:, 7:] == 255).all()


def test_blur_makes_the_rim_soft():
    sharp, soft = (
        apply_texture_layer(black(), bar(), replace(FLAT, blur=blur))[0] for blur in (0.0, 1.0)
    )
    assert set(np.unique(sharp)) == {0, 255}
    assert len(np.unique(soft)) > 5


def test_layers_are_light_and_dark_and_a_seed_gives_the_same_one():
    rng = np.random.default_rng(0)
    levels = [sample_texture_layer(rng).level for _ in range(100)]
    assert 30 < sum(level >= 200 for level in levels) < 70
    assert all(level >= 200 or level <= 70 for level in levels)
    drawn = [sample_texture_layer(np.random.default_rng(5)) for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_a_texture_in_colours_is_refused():
    with pytest.raises(InputError, match=r"expected a texture as uint8 \(h, w\), got uint8"):
        apply_texture_layer(black(), black(), FLAT)
