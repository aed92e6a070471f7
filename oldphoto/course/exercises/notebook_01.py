"""Exercises of notebook 01: PSNR, noise that stays in range, variances, margins."""

import math

import numpy as np

from oldphoto.course.exercises.engine import Exercise, Misconception, Sheet

_rng = np.random.default_rng(1)
_clean = _rng.integers(0, 256, (8, 10, 3), dtype=np.uint8)
_output = _rng.integers(0, 256, (8, 10, 3), dtype=np.uint8)
_close = np.clip(_clean.astype(int) + _rng.integers(-9, 10, (8, 10, 3)), 0, 255).astype(np.uint8)
_noise = _rng.normal(0, 40, (8, 10, 3))


def _mse(output: np.ndarray, clean: np.ndarray) -> float:
    return ((output.astype(float) - clean) ** 2).mean()


def _psnr(output: np.ndarray, clean: np.ndarray) -> float:
    mse = ((output.astype(float) - clean.astype(float)) ** 2).mean()
    return 10 * np.log10(255**2 / mse)


psnr = Exercise(
    title="PSNR",
    level="complete a line",
    solution=_psnr,
    trials=((_output, _clean), (_close, _clean)),
    misconceptions=(
        Misconception(
            lambda output, clean: 10 * np.log10(255**2 / ((output - clean) ** 2).mean()),
            "uint8 is limited to 0 to 255: 3 - 5 gives 254. Convert the photos to float first.",
        ),
        Misconception(
            lambda output, clean: 10 * np.log(255**2 / _mse(output, clean)),
            "This is the natural logarithm. Decibels use base 10.",
        ),
        Misconception(
            lambda output, clean: 10 * np.log10(1 / _mse(output, clean)),
            "The peak is the largest value a pixel can have. In these photos that is not 1.",
        ),
        Misconception(
            lambda output, clean: 10 * np.log10(255 / _mse(output, clean)),
            "The error is squared, so the peak must be squared as well.",
        ),
        Misconception(
            lambda output, clean: 20 * np.log10(255**2 / _mse(output, clean)),
            "The factor 20 belongs to the root of the MSE; with the MSE itself it is 10.",
        ),
        Misconception(
            lambda output, clean: 20 * np.log10(255 / _mse(output, clean)),
            "The factor 20 belongs to the root of the MSE; here the root is missing.",
        ),
        Misconception(
            lambda output, clean: np.log10(255**2 / _mse(output, clean)),
            "The logarithm alone is in bels; a decibel is a tenth of a bel.",
        ),
        Misconception(
            lambda output, clean: 10 * np.log10(255**2 / (_mse(output, clean) * clean.size)),
            "This is the SUM of the squared errors. Take their mean.",
        ),
        Misconception(
            lambda output, clean: 10 * np.log10(_mse(output, clean) / 255**2),
            "The sign is the wrong way round: the smaller the error, the larger the PSNR.",
        ),
        Misconception(
            lambda output, clean: (
                10 * np.log10(255**2 / np.abs(output.astype(float) - clean).mean() ** 2)
            ),
            "This is the squared mean absolute error. Square first, then take the mean.",
        ),
        Misconception(
            lambda output, clean: _mse(output, clean),
            "This is the mean squared error. Divide the squared peak by it; take the logarithm.",
        ),
    ),
    hints=(
        "First the mean of the squared differences, with both photos as float.",
        "Then 10 times np.log10 of (the largest value, squared, over that mean).",
    ),
    praise="Twice the error always costs 6 dB.",
)


def _add_noise(photo: np.ndarray, noise: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(photo + noise), 0, 255).astype(np.uint8)


add_noise = Exercise(
    title="noise that stays in range",
    level="modify",
    solution=_add_noise,
    trials=((_clean, _noise),),
    misconceptions=(
        Misconception(
            lambda photo, noise: photo + noise.astype(np.int64).astype(np.uint8),
            "Bright pixels became dark and dark ones bright: uint8 starts again at 0 after 255.",
        ),
        Misconception(
            lambda photo, noise: (photo + noise).astype(np.int64).astype(np.uint8),
            "Bright pixels became dark and dark ones bright: uint8 starts again at 0 after 255.",
        ),
        Misconception(
            lambda photo, noise: np.rint(photo + noise).astype(np.int64).astype(np.uint8),
            "Bright pixels became dark and dark ones bright: uint8 starts again at 0 after 255.",
        ),
        Misconception(
            lambda photo, noise: np.clip(photo + noise, 0, 255).astype(np.uint8),
            "Nearly. astype cuts the fraction off, so each pixel is half a level too dark on "
            "average. (The authors' code does this.)",
        ),
        Misconception(
            lambda photo, noise: np.clip(photo + noise, 0, 255),
            "The values are right but not whole: round them, and return uint8.",
        ),
        Misconception(
            lambda photo, noise: np.clip(photo + noise, 0, 1),
            "The values of this photo go from 0 to 255, not from 0 to 1.",
        ),
        Misconception(
            lambda photo, noise: photo + noise,
            "Some values are below 0 or above 255, and they are not whole numbers yet.",
        ),
        Misconception(
            lambda photo, noise: np.rint(photo + noise),
            "Some values are below 0 or above 255.",
        ),
    ),
    same_kind=True,
    # One trial of random photos: half a level of 255 must count as a difference.
    tolerance=1e-3,
    hints=(
        "Three steps: add as float, clip to the range, round.",
        "np.clip limits the range, np.rint rounds, and astype comes last.",
    ),
    praise="Values beyond black or white are lost: clipping is damage, too.",
)


def _left_after_box(sigma: float, kernel_size: int) -> float:
    return sigma / kernel_size


left_after_box = Exercise(
    title="how much noise a blur leaves",
    level="complete a line",
    solution=_left_after_box,
    trials=((30.0, 3), (10.0, 7)),
    misconceptions=(
        Misconception(
            lambda sigma, kernel_size: sigma / kernel_size**2,
            "Variances add, standard deviations do not: a mean of n values has sigma^2 / n.",
        ),
        Misconception(
            lambda sigma, kernel_size: sigma**2 / kernel_size**2,
            "This is the variance. The standard deviation is its root.",
        ),
        Misconception(
            lambda sigma, kernel_size: sigma / math.sqrt(kernel_size),
            "The square has kernel_size * kernel_size pixels, not kernel_size.",
        ),
        Misconception(
            lambda sigma, kernel_size: sigma,
            "A mean of many independent values varies less than each of them.",
        ),
        Misconception(
            lambda sigma, kernel_size: sigma * kernel_size,
            "This is the standard deviation of the SUM of the pixels. A blur takes the mean.",
        ),
    ),
    hints=(
        "The mean is a sum, divided by n. What is the variance of a sum of n independent values?",
        "The sum has the variance n sigma^2, so the mean has n sigma^2 / n^2. Take the root; n is "
        "the number of pixels in the square.",
    ),
    praise="This is why the order of blur and noise matters so much.",
)


def _smallest_margin() -> int:
    return 5


smallest_margin = Exercise(
    title="the smallest margin",
    level="investigate",
    solution=_smallest_margin,
    tolerance=1e-9,
    misconceptions=(
        Misconception(3, "Enough for the first filter alone. The second one reaches further out."),
        Misconception(2, "Enough for the second filter alone. What does it read at the rim?"),
        Misconception(4, "Not yet enough: some pixels at the rim are still wrong. Count them."),
        Misconception(8, "It is enough, but not the smallest. How far does each filter reach?"),
        Misconception(6, "It is enough, but not the smallest: try one less."),
        Misconception(7, "The kernel is 7 wide, but it reaches only half of that to each side."),
        Misconception(10, "It is enough, but not the smallest. How far does each filter reach?"),
        Misconception(12, "Kernel sizes are widths. How far does a kernel reach to one side?"),
        Misconception(0, "Without a margin the rim of the crop is different: try it."),
    ),
    hints=(
        "Try margins from 0 upwards until the difference is 0.",
        "Each filter reaches kernel_size // 2 pixels; the second needs correct pixels to read.",
    ),
    praise="The margins of successive filters add up.",
)

sheet = Sheet((psnr, add_noise, left_after_box, smallest_margin))
