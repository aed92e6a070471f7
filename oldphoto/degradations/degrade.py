"""Degrade a clean photo: photo and seed in, degraded photo and mask out."""

import numpy as np

from oldphoto.checks import InputError
from oldphoto.degradations.common import Range, Seed, generator, require_photo, require_range
from oldphoto.degradations.hole_masks import MAX_RATIO, sample_hole_mask
from oldphoto.degradations.named import RECIPES
from oldphoto.degradations.recipes import Recipe, SampledRecipe, apply_recipe, sample_recipe


def degrade(
    clean: np.ndarray,
    seed: Seed = 0,
    recipe: str | Recipe = "paper",
    crop: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Make a clean photo look old.

    Args:
        clean: uint8 (H, W, 3).
        seed: a whole number, or a tuple such as (seed, epoch, index). Seed, photo and recipe alone
            decide the result, whatever the number of workers.
        recipe: a name in ``RECIPES`` or a recipe of your own.
        crop: side of a random square that is cut out before the work. The margin that the filters
            need is kept until afterwards, so the rim looks like a cut of the degraded photo.

    Returns:
        degraded, uint8 (H, W, 3), or (crop, crop, 3), and scratch_mask, bool (H, W), True where
        damage hides the picture. Damaged pixels show the damage; ``paint_white`` whitens them.

    >>> clean = np.full((80, 120, 3), 200, np.uint8)
    >>> degraded, scratch_mask = degrade(clean, seed=1, recipe="paper", crop=64)
    >>> degraded.shape, degraded.dtype, scratch_mask.shape, scratch_mask.dtype
    ((64, 64, 3), dtype('uint8'), (64, 64), dtype('bool'))
    >>> bool((degraded == degrade(clean, seed=1, recipe="paper", crop=64)[0]).all())
    True

    Raises:
        InputError: if the photo is not uint8 (H, W, 3), the recipe is not known, or the photo is
            smaller than the crop.
    """
    degraded, _, scratch_mask = degrade_pair(clean, seed, recipe, crop)
    return degraded, scratch_mask


def degrade_pair(
    clean: np.ndarray,
    seed: Seed = 0,
    recipe: str | Recipe = "paper",
    crop: int | None = None,
    hole_prob: float = 0.0,
    hole_ratio: float | Range = (0.0, MAX_RATIO),
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make a training pair: a degraded photo and the same crop of the clean one.

    Args:
        clean, seed, recipe, crop: as in ``degrade``.
        hole_prob: probability that an irregular hole mask is added (the authors' training: 0.5).
        hole_ratio: share that it covers, or the limits between which the share is drawn.

    Returns:
        degraded, clean_crop, both uint8 (H, W, 3), and scratch_mask, bool (H, W). Holes are in
        the mask only. ``paint_white`` draws them into the photo.

    Raises:
        InputError: as ``degrade``, or if ``hole_prob`` or ``hole_ratio`` is out of range.
    """
    require_photo(clean)
    require_range(hole_prob, (0.0, 1.0), "hole_prob")
    rng = generator(seed)
    window = _draw_window(rng, clean.shape[:2], crop)
    sampled = sample_recipe(find_recipe(recipe), rng)
    clean_crop = clean[window].copy()
    degraded, scratch_mask = _apply_inside(clean, window, sampled)
    if rng.random() < hole_prob:
        scratch_mask |= sample_hole_mask(rng, scratch_mask.shape, hole_ratio)
    return degraded, clean_crop, scratch_mask


def find_recipe(recipe: str | Recipe) -> Recipe:
    """Return the recipe of this name, or the recipe itself."""
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in RECIPES:
        raise InputError(f"recipe must be one of {', '.join(RECIPES)}; got {recipe!r}")
    return RECIPES[recipe]


def _draw_window(
    rng: np.random.Generator, size: tuple[int, int], crop: int | None
) -> tuple[slice, slice]:
    """Draw the square to keep; the whole photo if crop is None."""
    if crop is None:
        return slice(0, size[0]), slice(0, size[1])
    if not 1 <= crop <= min(size):
        raise InputError(
            f"crop must be between 1 and the photo's short side {min(size)}, got {crop}; "
            "enlarge the photo first or ask for a smaller crop"
        )
    top, left = (int(rng.integers(side - crop, endpoint=True)) for side in size)
    return slice(top, top + crop), slice(left, left + crop)


def _apply_inside(
    clean: np.ndarray, window: tuple[slice, slice], sampled: SampledRecipe
) -> tuple[np.ndarray, np.ndarray]:
    """Degrade the window and the margin around it; return the window of photo and mask.

    The margin ends on the grid of the photo's JPEG blocks. So the blocks of different crops lie
    in different places, as they do in crops of a whole JPEG photo.
    """
    spans = [
        sampled.needed_span(kept.start, kept.stop, side)
        for kept, side in zip(window, clean.shape[:2], strict=True)
    ]
    region = tuple(slice(*span) for span in spans)
    inner = tuple(
        slice(kept.start - start, kept.stop - start)
        for kept, (start, _) in zip(window, spans, strict=True)
    )
    degraded, scratch_mask = apply_recipe(clean[region], sampled)
    return np.ascontiguousarray(degraded[inner]), np.ascontiguousarray(scratch_mask[inner])
