"""The degradation laboratory, without its view: settings in; photo, mask, numbers, recipe out.

Each kind of damage has a dial from 0 to 1. 0 leaves the kind out; 1 is the strongest that the
kind's own ``sample_*`` function draws by default. What a dial does not set (the angle of a shaken
camera, the colour of a scratch) is drawn from the seed.
"""

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from oldphoto.checks import InputError, require_in
from oldphoto.course.common import beside
from oldphoto.course.figures import as_pixels
from oldphoto.degradations.common import Parameters, generator, require_photo, require_range
from oldphoto.degradations.named import RECIPES
from oldphoto.degradations.recipes import (
    Recipe,
    SampledRecipe,
    Sampler,
    apply_recipe,
    from_json,
    sample_recipe,
    to_json,
)
from oldphoto.degradations.registry import DAMAGES
from oldphoto.metrics.fidelity import psnr, ssim

OWN_MIX = "own mix"
REPLAY = "replay the text"
GAP = 8  # white pixels between the photos of the picture


@dataclass(frozen=True)
class Dial:
    """The strength of one kind of damage.

    Attributes:
        label: what the reader sees.
        fields: parameter to its value at the weakest and at the strongest; more than two values
            are a list to choose from, as for sizes that must be odd.
    """

    label: str
    fields: Mapping[str, tuple[float, ...]]


# In the order of a photo's life: taken, printed, kept, torn, scanned.
DIALS: dict[str, Dial] = {
    "motion_blur": Dial("shaken camera", {"length": (3.0, 11.0)}),
    "gaussian_blur": Dial("soft blur", {"kernel_size": (3, 5, 7), "sigma": (1.0, 5.0)}),
    "film_grain": Dial("film grain", {"sigma": (4.0, 20.0)}),
    "gaussian_noise": Dial("Gaussian noise", {"sigma": (5.0, 50.0)}),
    "salt_pepper": Dial("salt and pepper", {"amount": (0.0005, 0.01)}),
    "sepia": Dial("sepia", {"strength": (0.6, 1.0)}),
    "fading": Dial("fading", {"black": (10.0, 80.0), "white": (255.0, 190.0)}),
    "yellowing": Dial("yellowing", {"strength": (0.2, 0.9)}),
    "vignette": Dial("vignette", {"strength": (0.2, 0.7)}),
    "paper_texture": Dial("paper texture", {"opacity": (0.25, 0.75)}),
    "stains": Dial("stains", {"num": (1, 3), "strength": (0.25, 0.65)}),
    "spots": Dial("foxing spots", {"num": (4, 45)}),
    "dust": Dial("dust", {"num": (20, 400)}),
    "hairs": Dial("hairs", {"num": (1, 7)}),
    "scratches": Dial("scratches", {"num": (3, 22)}),
    "cracks": Dial("cracks", {"num": (1, 5)}),
    "folds": Dial("folds", {"wear": (0.25, 0.8)}),
    "holes": Dial("holes", {"ratio": (0.005, 0.08)}),
    "torn_border": Dial("torn border", {"ratio": (0.01, 0.12)}),
    "low_resolution": Dial("low resolution", {"scale_y": (0.99, 0.5), "scale_x": (0.99, 0.5)}),
    "jpeg": Dial("JPEG", {"quality": (100, 40)}),
}
UNSTRUCTURED = (
    "motion_blur",
    "gaussian_blur",
    "film_grain",
    "gaussian_noise",
    "salt_pepper",
    "sepia",
    "fading",
    "yellowing",
    "vignette",
    "low_resolution",
    "jpeg",
)
STRUCTURED = tuple(kind for kind in DIALS if DAMAGES[kind].structured)


@dataclass(frozen=True)
class Settings:
    """Everything that the panel sets.

    Attributes:
        source: "own mix" (the dials), a named recipe, or "replay the text".
        strengths: kind to dial in [0, 1]; used by "own mix".
        text: a recipe as JSON; used by "replay the text".
    """

    source: str = OWN_MIX
    strengths: Mapping[str, float] = dataclasses.field(default_factory=dict)
    seed: int = 0
    text: str = ""


@dataclass(frozen=True)
class LabResult:
    """What the panel shows.

    Attributes:
        clean, degraded: uint8 (H, W, 3).
        scratch_mask: bool (H, W), True where a damage hides the picture.
        psnr, ssim: of the degraded photo against the clean one.
        recipe: what was applied; ``text`` is the same as JSON.
    """

    clean: np.ndarray
    degraded: np.ndarray
    scratch_mask: np.ndarray
    psnr: float
    ssim: float
    recipe: SampledRecipe
    text: str

    @property
    def damaged_share(self) -> float:
        """Fraction of the photo that the mask marks as damaged."""
        return float(self.scratch_mask.mean())


def turn_dial(kind: str, strength: float, seed: int) -> Parameters:
    """Return the parameters of one kind at a strength.

    Args:
        kind: a key of ``DIALS``.
        strength: 0 (weakest) to 1 (strongest).
        seed: of the parameters that the dial does not set.

    Raises:
        InputError: if the kind has no dial or the strength is outside 0 to 1.
    """
    require_in(kind, tuple(DIALS), "kind of damage with a dial")
    require_range(strength, (0.0, 1.0), f"the strength of {kind}")
    # A generator for each kind: turning one dial does not change the others.
    rng = generator((seed, tuple(DIALS).index(kind)))
    drawn = DAMAGES[kind].sample(rng)
    values = {name: _between(limits, strength) for name, limits in DIALS[kind].fields.items()}
    return dataclasses.replace(drawn, **values)


def _between(limits: tuple[float, ...], strength: float) -> float:
    """Return the value at a strength: whole where the limits are whole numbers."""
    if len(limits) > 2:
        return limits[round(strength * (len(limits) - 1))]
    value = limits[0] + strength * (limits[1] - limits[0])
    return round(value) if isinstance(limits[0], int) else value


def mix(strengths: Mapping[str, float], seed: int) -> SampledRecipe:
    """Return the recipe of the dials that are not at 0, in the order of ``DIALS``."""
    for kind in strengths:
        require_in(kind, tuple(DIALS), "kind of damage with a dial")
    turned = [kind for kind in DIALS if strengths.get(kind, 0) > 0]
    return SampledRecipe(tuple((kind, turn_dial(kind, strengths[kind], seed)) for kind in turned))


def recipe_of(settings: Settings) -> SampledRecipe:
    """Return the recipe of the settings.

    Raises:
        InputError: if the source is not known or the text is no recipe.
    """
    if settings.source == OWN_MIX:
        return mix(settings.strengths, settings.seed)
    if settings.source == REPLAY:
        return from_json(settings.text)
    if settings.source not in RECIPES:
        known = ", ".join((OWN_MIX, REPLAY, *RECIPES))
        raise InputError(f"source must be one of {known}; got {settings.source!r}")
    return sample_recipe(RECIPES[settings.source], generator(settings.seed))


def run_lab(clean: np.ndarray, settings: Settings) -> LabResult:
    """Degrade a photo by the settings, and measure the result.

    Args:
        clean: uint8 (H, W, 3), both sides at least 11.

    Raises:
        InputError: see ``recipe_of``.
    """
    require_photo(clean)
    recipe = recipe_of(settings)
    degraded, scratch_mask = apply_recipe(clean, recipe)
    return LabResult(
        clean=clean,
        degraded=degraded,
        scratch_mask=scratch_mask,
        psnr=psnr(degraded, clean),
        ssim=ssim(degraded, clean),
        recipe=recipe,
        text=to_json(recipe),
    )


def lab_words(result: LabResult) -> str:
    """Return the steps of the recipe and the metrics in one line."""
    done = ", then ".join(_label(kind) for kind, _ in result.recipe.steps) or "nothing"
    words = f"{done}. PSNR {result.psnr:.1f} dB, SSIM {result.ssim:.3f}"
    if result.scratch_mask.any():
        words += f", {100 * result.damaged_share:.1f} % hidden"
    return words + "."


def _label(kind: str) -> str:
    return DIALS[kind].label if kind in DIALS else kind.replace("_", " ")


def lab_picture(result: LabResult, with_mask: bool = False) -> np.ndarray:
    """Return the clean and the degraded photo side by side, and the mask if requested.

    Returns:
        uint8 (H, W', 3).
    """
    parts = [result.clean, result.degraded]
    if with_mask:
        parts.append(as_pixels(result.scratch_mask))
    return beside(*parts)


def recipe_rows(recipe: Recipe) -> list[dict[str, str | int | float]]:
    """Return one row for each step of a recipe: group, order, probability, kinds of damage."""
    return [
        {
            "recipe": recipe.name,
            "group": number,
            "order": "shuffled" if shuffled else "as listed",
            "probability": step.prob,
            "one of": ", ".join(dict.fromkeys(_kind_of(sampler) for sampler in step.one_of)),
        }
        for number, (group, shuffled) in enumerate(
            zip(recipe.groups, recipe.shuffled, strict=True), start=1
        )
        for step in group
    ]


def _kind_of(sampler: Sampler) -> str:
    """Return the kind of damage that a sampler draws."""
    function = sampler.func if isinstance(sampler, functools.partial) else sampler
    return function.__name__.removeprefix("sample_").replace("_", " ")
