"""The named recipes: ``released`` is the authors' code, ``paper`` is what their texts describe."""

from functools import partial

from oldphoto.degradations.blur import sample_box_blur, sample_gaussian_blur, sample_motion_blur
from oldphoto.degradations.cracks import sample_cracks, sample_folds
from oldphoto.degradations.holes import sample_holes, sample_torn_border
from oldphoto.degradations.noise import (
    sample_film_grain,
    sample_gaussian_noise,
    sample_salt_pepper,
    sample_speckle_noise,
)
from oldphoto.degradations.objects import sample_captions, sample_glints, sample_twigs
from oldphoto.degradations.paper import sample_paper_texture, sample_stains
from oldphoto.degradations.recipes import Recipe, Step
from oldphoto.degradations.resample import (
    sample_halftone,
    sample_jpeg,
    sample_low_resolution,
    sample_rosette,
)
from oldphoto.degradations.scratches import sample_scratches
from oldphoto.degradations.specks import sample_blotches, sample_dust, sample_hairs, sample_spots
from oldphoto.degradations.tone import (
    sample_fading,
    sample_rgb_shift,
    sample_sepia,
    sample_uneven_fading,
    sample_vignette,
    sample_yellowing,
)
from oldphoto.degradations.wear import sample_chips, sample_creases

# online_add_degradation_v2: four steps in random order, each with probability 0.7. The defaults
# of these sample_* functions are its ranges. Greyscale (0.1) and mirroring (0.5) also change the
# clean partner, so they are part of the dataset.
RELEASED = Recipe(
    "released",
    groups=(
        (
            Step(0.7, (sample_gaussian_blur,)),
            Step(0.7, (sample_gaussian_noise, sample_speckle_noise, sample_salt_pepper)),
            Step(0.7, (sample_low_resolution,)),
            Step(0.7, (sample_jpeg,)),
        ),
    ),
    shuffled=(True,),
)

# What the conference and the journal text name: blur, box blur, noise, film grain and colour
# jitter, scratch and paper textures, feathered holes, JPEG. The probabilities are not published.
# The unstructured steps use those of the released code. The order follows the life of a photo:
# taken, printed, worn, scanned. Nothing blurs the damage afterwards, so masks stay exact.
PAPER = Recipe(
    "paper",
    groups=(
        (
            Step(0.7, (sample_gaussian_blur, sample_box_blur)),
            Step(0.7, (sample_gaussian_noise, sample_film_grain)),
            Step(0.5, (sample_rgb_shift,)),
        ),
        (
            Step(0.4, (partial(sample_paper_texture, modes=("add", "lighten", "screen")),)),
            Step(0.6, (sample_scratches, sample_scratches, sample_cracks)),
            Step(0.3, (sample_holes,)),
        ),
        (Step(0.7, (sample_jpeg,)),),
    ),
    shuffled=(True, False, False),
)

# A photo from the bottom of the box: everything at once.
HEAVY = Recipe(
    "heavy",
    groups=(
        (
            Step(0.8, (sample_gaussian_blur, sample_box_blur, sample_motion_blur)),
            Step(0.6, (sample_low_resolution,)),
            Step(0.9, (sample_gaussian_noise, sample_speckle_noise, sample_film_grain)),
        ),
        (
            Step(0.75, (sample_sepia,)),
            Step(0.6, (sample_fading,)),
            Step(0.5, (sample_yellowing, sample_rgb_shift)),
            Step(0.5, (sample_uneven_fading, sample_vignette)),
            Step(0.06, (sample_halftone,)),
        ),
        (
            Step(0.6, (sample_paper_texture,)),
            Step(0.45, (sample_stains,)),
            Step(0.4, (sample_spots, sample_blotches)),
            Step(0.5, (sample_dust, sample_hairs)),
            Step(0.75, (sample_scratches,)),
            Step(0.55, (sample_cracks, sample_folds)),
            Step(0.5, (sample_holes, sample_torn_border)),
        ),
        (Step(0.6, (sample_jpeg,)),),
    ),
    shuffled=(True, False, False, False),
)

# A photo from the album: soft, a little faded, some dust.
LIGHT = Recipe(
    "light",
    groups=(
        (
            Step(0.5, (partial(sample_gaussian_blur, kernel_sizes=(3,), sigma=(0.5, 1.5)),)),
            Step(0.7, (partial(sample_film_grain, sigma=(3.0, 10.0)),)),
        ),
        (
            Step(0.5, (partial(sample_fading, black=(5.0, 40.0), white=(220.0, 255.0)),)),
            Step(0.5, (partial(sample_sepia, strength=(0.3, 0.8)),)),
            Step(0.3, (partial(sample_vignette, strength=(0.1, 0.35)),)),
        ),
        (
            Step(0.4, (partial(sample_dust, num=(5, 60), radius=(0.001, 0.003)),)),
            Step(0.3, (partial(sample_scratches, num=(1, 5), width=(0.0012, 0.003)),)),
        ),
        (Step(0.5, (partial(sample_jpeg, quality=(70, 100)),)),),
    ),
    shuffled=(True, False, False, False),
)

_PRESS = (
    partial(sample_halftone, pitch=(2.0, 9.0), opacity=(0.2, 0.9)),
    partial(sample_rosette, pitch=(2.0, 9.0), opacity=(0.2, 0.9)),
)

# A picture from a book or a postcard: dots of one ink or of three, then a scanner's JPEG.
PRINTS = Recipe(
    "prints",
    groups=((Step(1.0, _PRESS),), (Step(0.7, (sample_jpeg,)),)),
    shuffled=(False, False),
)

# What a mapping for scans of all kinds is trained on: the released recipe, but one photo in four is
# a print, whose dots the network must not take for texture, and one in seven is sound, and must
# come back as it is. The dots come first: lens, scanner and JPEG follow the press.
SCANS = Recipe(
    "scans",
    groups=((Step(0.25, _PRESS),), *RELEASED.groups),
    shuffled=(False, *RELEASED.shuffled),
    intact_prob=1 / 7,
)

# Tone alone, for the global branch. No sepia: what a black-and-white photo was toned with can be
# found without learning, and in a colour photo it takes colours away for good.
FADED = Recipe(
    "faded",
    groups=(
        (
            Step(0.7, (sample_fading,)),
            Step(0.4, (sample_yellowing,)),
            Step(0.4, (partial(sample_rgb_shift, shift=(-30, 30)),)),
            Step(0.5, (sample_uneven_fading, sample_vignette)),
        ),
    ),
    shuffled=(True,),
    intact_prob=1 / 7,
)

_FINE_PRESS = tuple(partial(press, pitch=(2.0, 5.0), opacity=(0.05, 0.45)) for press in _PRESS)

# What the scratch detector is trained on: scanned prints and postcards, damaged, and with much that
# is no damage. Sizes are those of squares of 128 to 256 px out of a photo of 640. In the order of
# time: the scene, the lens, the press, the print on the card, its wear, the scanner's JPEG.
WORN = Recipe(
    "worn",
    groups=(
        (Step(0.35, (sample_twigs,)), Step(0.2, (sample_glints,))),
        (
            Step(1.0, (partial(sample_gaussian_blur, kernel_sizes=(3, 5), sigma=(0.5, 1.5)),)),
            Step(0.6, (partial(sample_film_grain, sigma=(2.0, 14.0)),)),
            Step(0.5, (sample_sepia, sample_fading, sample_uneven_fading)),
        ),
        (Step(0.35, _FINE_PRESS),),
        (Step(0.4, (sample_captions,)), Step(0.2, (sample_paper_texture,))),
        (
            Step(0.6, (sample_chips,)),
            Step(0.25, (sample_creases, sample_creases, sample_cracks, sample_folds)),
            Step(0.15, (sample_scratches, sample_hairs)),
            Step(0.04, (sample_blotches, sample_torn_border)),
        ),
        (Step(0.8, (sample_jpeg,)),),
    ),
    shuffled=(False,) * 6,
    intact_prob=0.2,
)

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe for recipe in (RELEASED, PAPER, HEAVY, LIGHT, PRINTS, SCANS, FADED, WORN)
}
