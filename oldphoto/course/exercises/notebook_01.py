"""Exercises of notebook 01: PSNR, noise that stays in range, variances, margins."""

import math

import numpy as np

from oldphoto.course.exercises.engine import Exercise, Sheet

_rng = np.random.default_rng(1)
_clean = _rng.integers(0, 256, (8, 10, 3), dtype=np.uint8)
_output = _rng.integers(0, 256, (8, 10, 3), dtype=np.uint8)
_close = np.clip(_clean.astype(int) + _rng.integers(-9, 10, (8, 10, 3)), 0, 255).astype(np.uint8)
_flat = (90 + _clean // 4, 97 + _close // 4)  # photos without black and white
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
    trials=((_output, _clean), (_close, _clean), _flat),
    misconceptions={
        "The peak is the largest value that a pixel can have, not the largest one of this photo.": (
            lambda output, clean: 10 * np.log10(float(clean.max()) ** 2 / _mse(output, clean))
        ),
        "The peak is the largest value that a pixel can have, not that of the output.": (
            lambda output, clean: 10 * np.log10(float(output.max()) ** 2 / _mse(output, clean))
        ),
        "The peak is the largest value that a pixel can have, not the range of this photo.": (
            lambda output, clean: 10 * np.log10(float(np.ptp(clean)) ** 2 / _mse(output, clean))
        ),
        "256 is the number of values. The largest one is one less.": (
            lambda output, clean: 10 * np.log10(256**2 / _mse(output, clean))
        ),
        "This is a ratio to the mean square of the photo (SNR). PSNR takes the peak.": (
            lambda output, clean: (
                10 * np.log10((clean.astype(float) ** 2).mean() / _mse(output, clean))
            )
        ),
        "The mean error is taken off: a photo that is too light everywhere would be perfect.": (
            lambda output, clean: 10 * np.log10(255**2 / (output.astype(float) - clean).var())
        ),
        "The three colours of a pixel are added up. Take the mean over them as well.": (
            lambda output, clean: 10 * np.log10(255**2 / (3 * _mse(output, clean)))
        ),
        "The root belongs to the factor 20; with 10 the squares stay.": (
            lambda output, clean: 5 * np.log10(255**2 / _mse(output, clean))
        ),
        "int16 has no room for the squares of differences. Convert the photos to float.": (
            lambda output, clean: (
                10 * np.log10(255**2 / ((output.astype(np.int16) - clean) ** 2).mean())
            )
        ),
        "uint8 is limited to 0 to 255: 3 - 5 gives 254. Convert the photos to float first.": (
            lambda output, clean: 10 * np.log10(255**2 / ((output - clean) ** 2).mean())
        ),
        "This is the natural logarithm. Decibels use base 10.": (
            lambda output, clean: 10 * np.log(255**2 / _mse(output, clean))
        ),
        "The peak is the largest value a pixel can have. In these photos that is not 1.": (
            lambda output, clean: 10 * np.log10(1 / _mse(output, clean))
        ),
        "The error is squared, so the peak must be squared as well.": (
            lambda output, clean: 10 * np.log10(255 / _mse(output, clean))
        ),
        "The factor 20 belongs to the root of the MSE; with the MSE itself it is 10.": (
            lambda output, clean: 20 * np.log10(255**2 / _mse(output, clean))
        ),
        "The factor 20 belongs to the root of the MSE; here the root is missing.": (
            lambda output, clean: 20 * np.log10(255 / _mse(output, clean))
        ),
        "The logarithm alone is in bels; a decibel is a tenth of a bel.": (
            lambda output, clean: np.log10(255**2 / _mse(output, clean))
        ),
        "This is the SUM of the squared errors. Take their mean.": (
            lambda output, clean: 10 * np.log10(255**2 / (_mse(output, clean) * clean.size))
        ),
        "The sign is the wrong way round: the smaller the error, the larger the PSNR.": (
            lambda output, clean: 10 * np.log10(_mse(output, clean) / 255**2)
        ),
        "This is the squared mean absolute error. Square first, then take the mean.": (
            lambda output, clean: (
                10 * np.log10(255**2 / np.abs(output.astype(float) - clean).mean() ** 2)
            )
        ),
        "This is the mean squared error. Divide the squared peak by it; take the logarithm.": (
            lambda output, clean: _mse(output, clean)
        ),
    },
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
    misconceptions={
        "Noise has negative values, too. Clip the sum, not the noise.": (
            lambda photo, noise: np.clip(np.rint(photo + np.clip(noise, 0, 255)), 0, 255).astype(
                np.uint8
            )
        ),
        "This stretches the whole photo to the range. Change only what lies outside it.": (
            lambda photo, noise: np.rint(
                255 * (photo + noise - (photo + noise).min()) / np.ptp(photo + noise)
            ).astype(np.uint8)
        ),
        "This rounds up: each pixel is half a level too light on average.": (
            lambda photo, noise: np.clip(np.ceil(photo + noise), 0, 255).astype(np.uint8)
        ),
        "256 is no value of uint8: it becomes 0. The largest one is 255.": (
            lambda photo, noise: (
                np.clip(np.rint(photo + noise), 0, 256).astype(np.int64).astype(np.uint8)
            )
        ),
        "The noise became uint8 before the sum, but uint8 has no negative values and starts again "
        "at 0 after 255.": lambda photo, noise: photo + noise.astype(np.int64).astype(np.uint8),
        "Bright pixels became dark and dark ones bright: uint8 starts again at 0 after 255.": (
            lambda photo, noise: (photo + noise).astype(np.int64).astype(np.uint8)
        ),
        "Rounded, but not clipped: uint8 starts again at 0 after 255.": (
            lambda photo, noise: np.rint(photo + noise).astype(np.int64).astype(np.uint8)
        ),
        "Nearly. astype cuts the fraction off, so each pixel is half a level too dark on "
        "average. (The authors' code does this.)": (
            lambda photo, noise: np.clip(photo + noise, 0, 255).astype(np.uint8)
        ),
        "The values are right but not whole: round them, and return uint8.": (
            lambda photo, noise: np.clip(photo + noise, 0, 255)
        ),
        "The values of this photo go from 0 to 255, not from 0 to 1.": (
            lambda photo, noise: np.clip(photo + noise, 0, 1)
        ),
        "Some values are below 0 or above 255, and they are not whole numbers yet.": (
            lambda photo, noise: photo + noise
        ),
        "Some values are below 0 or above 255.": lambda photo, noise: np.rint(photo + noise),
    },
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
    misconceptions={
        "Variances add, standard deviations do not: a mean of n values has sigma^2 / n.": (
            lambda sigma, kernel_size: sigma / kernel_size**2
        ),
        "This is the variance. The standard deviation is its root.": (
            lambda sigma, kernel_size: sigma**2 / kernel_size**2
        ),
        "The square has kernel_size * kernel_size pixels, not kernel_size.": (
            lambda sigma, kernel_size: sigma / math.sqrt(kernel_size)
        ),
        "A mean of many independent values varies less than each of them.": (
            lambda sigma, kernel_size: sigma
        ),
        "This is the standard deviation of the SUM of the pixels. A blur takes the mean.": (
            lambda sigma, kernel_size: sigma * kernel_size
        ),
    },
    hints=(
        "The mean is a sum, divided by n. What is the variance of a sum of n independent values?",
        "The sum has the variance n sigma^2, so the mean has n sigma^2 / n^2. Take the root; n is "
        "the number of pixels in the square.",
    ),
    praise="This is why the order of blur and noise matters so much.",
)


smallest_margin = Exercise(
    title="the smallest margin",
    level="investigate",
    solution=5,
    tolerance=1e-9,
    misconceptions={
        "Enough for the first filter alone. The second one reaches further out.": 3,
        "Enough for the second filter alone. What does it read at the rim?": 2,
        "Not yet enough: some pixels at the rim are still wrong. Count them.": 4,
        "It is enough, but not the smallest. How far does each filter reach?": 8,
        "It is enough, but not the smallest: try one less.": 6,
        "The kernel is 7 wide, but it reaches only half of that to each side.": 7,
        "More than enough. How far does each filter reach?": 10,
        "Kernel sizes are widths. How far does a kernel reach to one side?": 12,
        "Without a margin the rim of the crop is different: try it.": 0,
    },
    hints=(
        "Try margins from 0 upwards until the difference is 0.",
        "Each filter reaches kernel_size // 2 pixels; the second needs correct pixels to read.",
    ),
    praise="The margins of successive filters add up.",
)

sheet = Sheet("01", (psnr, add_noise, left_after_box, smallest_margin))
