"""Degradations: make clean photos look old.

``sample_*`` draws the parameters of a damage from a random generator, ``apply_*`` computes it
exactly. ``degrade`` does both for a whole recipe.
"""

# ruff: noqa: F401  these imports are the public names of the package

from oldphoto.degradations.blur import (
    BoxBlur,
    GaussianBlur,
    MotionBlur,
    apply_box_blur,
    apply_gaussian_blur,
    apply_motion_blur,
    sample_box_blur,
    sample_gaussian_blur,
    sample_motion_blur,
)
from oldphoto.degradations.common import Parameters
from oldphoto.degradations.cracks import (
    Cracks,
    Folds,
    apply_cracks,
    apply_folds,
    sample_cracks,
    sample_folds,
)
from oldphoto.degradations.degrade import degrade, degrade_pair
from oldphoto.degradations.elastic import Elastic, apply_elastic, sample_elastic
from oldphoto.degradations.hole_masks import paint_white, sample_hole_mask
from oldphoto.degradations.holes import (
    Holes,
    TornBorder,
    apply_holes,
    apply_torn_border,
    sample_holes,
    sample_torn_border,
)
from oldphoto.degradations.named import RECIPES
from oldphoto.degradations.noise import (
    FilmGrain,
    GaussianNoise,
    SaltPepper,
    SpeckleNoise,
    apply_film_grain,
    apply_gaussian_noise,
    apply_salt_pepper,
    apply_speckle_noise,
    sample_film_grain,
    sample_gaussian_noise,
    sample_salt_pepper,
    sample_speckle_noise,
)
from oldphoto.degradations.objects import (
    Captions,
    Glints,
    Twigs,
    apply_captions,
    sample_captions,
    sample_glints,
    sample_twigs,
)
from oldphoto.degradations.paper import (
    PaperTexture,
    Stains,
    apply_paper_texture,
    apply_stains,
    sample_paper_texture,
    sample_stains,
)
from oldphoto.degradations.recipes import (
    Recipe,
    SampledRecipe,
    Step,
    apply_recipe,
    from_json,
    sample_recipe,
    to_json,
)
from oldphoto.degradations.registry import DAMAGES, Damage
from oldphoto.degradations.resample import (
    Halftone,
    Jpeg,
    LowResolution,
    Rosette,
    apply_halftone,
    apply_jpeg,
    apply_low_resolution,
    apply_rosette,
    sample_halftone,
    sample_jpeg,
    sample_low_resolution,
    sample_rosette,
)
from oldphoto.degradations.scratches import Scratches, apply_scratches, sample_scratches
from oldphoto.degradations.specks import (
    Blotches,
    Dust,
    Hairs,
    Spots,
    apply_blotches,
    apply_dust,
    apply_hairs,
    apply_spots,
    sample_blotches,
    sample_dust,
    sample_hairs,
    sample_spots,
)
from oldphoto.degradations.tone import (
    Fading,
    RgbShift,
    Sepia,
    UnevenFading,
    Vignette,
    Yellowing,
    apply_fading,
    apply_rgb_shift,
    apply_sepia,
    apply_uneven_fading,
    apply_vignette,
    apply_yellowing,
    sample_fading,
    sample_rgb_shift,
    sample_sepia,
    sample_uneven_fading,
    sample_vignette,
    sample_yellowing,
)
from oldphoto.degradations.wear import (
    Chips,
    Creases,
    apply_chips,
    apply_creases,
    sample_chips,
    sample_creases,
)
