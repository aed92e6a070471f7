"""Every degradation under the name that recipe files use: a dictionary of plain functions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from oldphoto.degradations import (
    blur,
    cracks,
    elastic,
    holes,
    noise,
    objects,
    paper,
    resample,
    scratches,
    specks,
    tone,
    wear,
)
from oldphoto.degradations.common import Parameters


@dataclass(frozen=True)
class Damage:
    """One kind of damage.

    Attributes:
        parameters: the frozen dataclass that ``sample`` returns.
        apply: (photo, parameters) -> photo, or -> (photo, mask) where ``structured``.
        moves: whether pixels change places. Then ``apply`` works on the mask, too.
    """

    parameters: type[Parameters]
    sample: Callable[..., Parameters]
    apply: Callable[..., Any]
    structured: bool = False
    moves: bool = False


_Functions = tuple[type[Parameters], Callable[..., Parameters], Callable[..., Any]]

# fmt: off
_UNSTRUCTURED: dict[str, _Functions] = {
    "gaussian_blur": (blur.GaussianBlur, blur.sample_gaussian_blur, blur.apply_gaussian_blur),
    "box_blur": (blur.BoxBlur, blur.sample_box_blur, blur.apply_box_blur),
    "motion_blur": (blur.MotionBlur, blur.sample_motion_blur, blur.apply_motion_blur),
    "gaussian_noise":
        (noise.GaussianNoise, noise.sample_gaussian_noise, noise.apply_gaussian_noise),
    "speckle_noise": (noise.SpeckleNoise, noise.sample_speckle_noise, noise.apply_speckle_noise),
    "salt_pepper": (noise.SaltPepper, noise.sample_salt_pepper, noise.apply_salt_pepper),
    "film_grain": (noise.FilmGrain, noise.sample_film_grain, noise.apply_film_grain),
    "low_resolution":
        (resample.LowResolution, resample.sample_low_resolution, resample.apply_low_resolution),
    "jpeg": (resample.Jpeg, resample.sample_jpeg, resample.apply_jpeg),
    "halftone": (resample.Halftone, resample.sample_halftone, resample.apply_halftone),
    "rosette": (resample.Rosette, resample.sample_rosette, resample.apply_rosette),
    "rgb_shift": (tone.RgbShift, tone.sample_rgb_shift, tone.apply_rgb_shift),
    "fading": (tone.Fading, tone.sample_fading, tone.apply_fading),
    "sepia": (tone.Sepia, tone.sample_sepia, tone.apply_sepia),
    "yellowing": (tone.Yellowing, tone.sample_yellowing, tone.apply_yellowing),
    "uneven_fading": (tone.UnevenFading, tone.sample_uneven_fading, tone.apply_uneven_fading),
    "captions": (objects.Captions, objects.sample_captions, objects.apply_captions),
    "vignette": (tone.Vignette, tone.sample_vignette, tone.apply_vignette),
}
_STRUCTURED: dict[str, _Functions] = {
    "scratches": (scratches.Scratches, scratches.sample_scratches, scratches.apply_scratches),
    "cracks": (cracks.Cracks, cracks.sample_cracks, cracks.apply_cracks),
    "folds": (cracks.Folds, cracks.sample_folds, cracks.apply_folds),
    "dust": (specks.Dust, specks.sample_dust, specks.apply_dust),
    "hairs": (specks.Hairs, specks.sample_hairs, specks.apply_hairs),
    "spots": (specks.Spots, specks.sample_spots, specks.apply_spots),
    "blotches": (specks.Blotches, specks.sample_blotches, specks.apply_blotches),
    "holes": (holes.Holes, holes.sample_holes, holes.apply_holes),
    "torn_border": (holes.TornBorder, holes.sample_torn_border, holes.apply_torn_border),
    "stains": (paper.Stains, paper.sample_stains, paper.apply_stains),
    "chips": (wear.Chips, wear.sample_chips, wear.apply_chips),
    "creases": (wear.Creases, wear.sample_creases, wear.apply_creases),
    "twigs": (objects.Twigs, objects.sample_twigs, cracks.apply_cracks),
    "glints": (objects.Glints, objects.sample_glints, specks.apply_dust),
    "paper_texture": (paper.PaperTexture, paper.sample_paper_texture, paper.apply_paper_texture),
}
# fmt: on

DAMAGES: dict[str, Damage] = {
    **{name: Damage(*functions) for name, functions in _UNSTRUCTURED.items()},
    **{name: Damage(*functions, structured=True) for name, functions in _STRUCTURED.items()},
    "elastic": Damage(elastic.Elastic, elastic.sample_elastic, elastic.apply_elastic, moves=True),
}
