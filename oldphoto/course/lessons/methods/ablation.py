"""The ablation: photos restored by the shipped micro-checkpoints, and the measured results."""

from functools import lru_cache

import numpy as np

from oldphoto.checks import InputError, require_in
from oldphoto.degradations import paint_white
from oldphoto.evaluation.ablation.joint_training import STEPS
from oldphoto.evaluation.ablation.results import (
    GAP,
    INPUT,
    Column,
    Results,
    as_method,
    read_results,
)
from oldphoto.evaluation.ablation.variants import FOLDER, FULL, PARTS, load_micro, part_of
from oldphoto.evaluation.test_photos import TestPhoto, make_test_photos
from oldphoto.metrics.bootstrap import Interval
from oldphoto.metrics.fidelity import psnr, psnr_within
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.samples import sample_names, sample_paths

NOTHING = "nothing"
"""Name of the whole method, with no part switched off."""

SWITCHES = (NOTHING, *PARTS)
SIDE = 128
"""Side of the photos on the switchboard, in pixels; small, so that it reacts at once."""


TRANSLATION = {
    "Pix2Pix, no latent space": STEPS[0],
    "VAEs, all trained at once": STEPS[1],
    "VAEs, two stages": f"without {PARTS[0]}",
    "full: with latent discriminator": FULL,
}
"""The steps in which the paper builds up its latent translation, and our variant of each."""


def variant_of(switch: str) -> str:
    """Return the variant of the ablation in which a part is switched off.

    Raises:
        InputError: if there is no such switch.
    """
    require_in(switch, SWITCHES, "switch")
    return FULL if switch == NOTHING else f"without {switch}"


@lru_cache(maxsize=1)
def shipped_results() -> Results:
    """Return the measured results of the shipped micro-checkpoints."""
    return read_results(FOLDER)


@lru_cache(maxsize=32)
def network_of(variant: str, seed: int) -> RestorationNetwork:
    """Return a shipped micro-checkpoint, ready to restore.

    Raises:
        InputError: if there is no such variant or seed.
    """
    part_of(variant)
    require_in(seed, tuple(range(shipped_results().num_seeds)), "seed")
    return load_micro(FOLDER, variant, seed)


@lru_cache(maxsize=1)
def cases() -> dict[str, TestPhoto]:
    """Return the middle of each held-out photo, degraded by ``released``, with holes, by name."""
    return {photo.name: _middle(photo) for photo in make_test_photos(sample_paths("held_out"))}


def _middle(photo: TestPhoto) -> TestPhoto:
    """Cut out the square of ``SIDE`` pixels in the middle."""
    start = [(length - SIDE) // 2 for length in photo.scratch_mask.shape]
    cut = tuple(slice(first, first + SIDE) for first in start)
    mask = photo.scratch_mask[cut]
    return TestPhoto(photo.name, paint_white(photo.degraded[cut], mask), photo.clean[cut], mask)


@lru_cache(maxsize=256)
def restored(name: str, variant: str, seed: int) -> np.ndarray:
    """Return a case restored by a variant, uint8 (SIDE, SIDE, 3).

    Raises:
        InputError: if there is no such photo, variant or seed.
    """
    require_in(name, tuple(sample_names("held_out")), "photo")
    case = cases()[name]
    return as_method(network_of(variant, seed))(case.degraded, case.scratch_mask)


def photo_words(name: str, switch: str, seed: int) -> str:
    """Return the PSNR of a restored photo in words, and that of the whole method."""
    case = cases()[name]

    def numbers(variant: str) -> str:
        output = restored(name, variant, seed)
        holes = ""
        if case.scratch_mask.any():
            holes = f", in holes {psnr_within(output, case.clean, case.scratch_mask):.1f} dB"
        return f"{psnr(output, case.clean):.1f} dB{holes}"

    whole = f"the whole method: {numbers(FULL)}"
    given = f"degraded: {psnr(case.degraded, case.clean):.1f} dB"
    if switch == NOTHING:
        return f"{name}, seed {seed}. PSNR, {given}; {whole}."
    return f"{name}, seed {seed}. PSNR, {given}; {whole}; without {switch}: " + (
        f"{numbers(variant_of(switch))}."
    )


def column_of(results: Results, name: str) -> Column:
    """Return a column by its name.

    Raises:
        InputError: if the results have no such column.
    """
    found = {column.name: column for column in results.columns}
    require_in(name, tuple(found), "measure")
    return found[name]


def interval_of(results: Results, variant: str, measure: str) -> Interval:
    """Return the mean and interval of a metric of a variant.

    Raises:
        InputError: if the results hold no such values.
    """
    found = results.interval(variant, measure)
    if found is None:
        raise InputError(f"the results hold no {measure} of {variant}")
    return found


def verdict(results: Results, switch: str, measure: str) -> str:
    """Return the effect of a part on a metric in words, and whether it may be chance.

    Raises:
        InputError: if there is no such switch or metric.
    """
    column, variant = column_of(results, measure), variant_of(switch)
    if switch == NOTHING:
        return f"The whole method: {_number(interval_of(results, FULL, measure), column)}."
    change = results.difference(variant, measure)
    if change is None:
        raise InputError(f"the results hold no {measure} of {variant}")
    if change.low == change.high == 0:
        return f"Without {switch}: {measure} does not change, for this part has no share in it."
    if not change.excludes_zero:
        word = "that may be luck: 0 lies inside"
    elif (change.mean > 0) == column.higher_is_better:
        word = "better without it"
    else:
        word = "worse without it"
    return f"Without {switch}: {measure} changes by {_number(change, column, '+')}, {word}."


def verdicts(results: Results, measure: str) -> dict[str, str]:
    """Return for each part the sentence of ``verdict``."""
    return {part: verdict(results, part, measure) for part in PARTS}


def clear_parts(results: Results, measure: str) -> list[str]:
    """Return the parts whose effect on a metric is more than chance."""
    found = {part: results.difference(variant_of(part), measure) for part in PARTS}
    return [part for part, change in found.items() if change is not None and change.excludes_zero]


def translation_rows(results: Results) -> list[tuple[str, float | None, float | None]]:
    """Return rows (method, Wasserstein, BRISQUE) of ``TRANSLATION``; lower is better in both.

    BRISQUE is None where it was not measured.
    """
    return [
        (method, _mean(results, variant, GAP), _mean(results, variant, "BRISQUE"))
        for method, variant in TRANSLATION.items()
    ]


def shown_variants() -> tuple[str, ...]:
    """Return the rows of the figure: the input, the whole method, then one for each part."""
    return (INPUT, *(variant_of(switch) for switch in SWITCHES))


def _mean(results: Results, variant: str, measure: str) -> float | None:
    if measure not in {column.name for column in results.columns}:
        return None
    found = results.interval(variant, measure)
    return None if found is None else found.mean


def _number(interval: Interval, column: Column, sign: str = "") -> str:
    shape = f"{sign}.{column.digits}f"
    return f"{interval.mean:{shape}} [{interval.low:{shape}}, {interval.high:{shape}}]"
