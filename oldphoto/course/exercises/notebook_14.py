"""Exercises of notebook 14: error in holes, remaining damage, uncertainty, honest claims."""

import numpy as np
import torch
from torch import Tensor

from oldphoto.course.exercises.engine import Exercise, Sheet

_rng = np.random.default_rng(0)
_clean = _rng.integers(0, 256, (6, 10, 3), dtype=np.uint8)
_restored = _rng.integers(0, 256, (6, 10, 3), dtype=np.uint8)
_mask = np.zeros((6, 10), dtype=bool)
_mask[1:4, 2:6] = True
_noise = torch.Generator().manual_seed(0)
# Enough values that two different answers do not get the same fraction by chance.
_samples = 0.3 * torch.randn(8, 3, 16, 24, generator=_noise)
_truth = 0.5 * torch.randn(3, 16, 24, generator=_noise)


def _mse_inside(restored: np.ndarray, clean: np.ndarray, mask: np.ndarray) -> float:
    difference = restored.astype(float) - clean
    return (difference[mask] ** 2).mean()


mse_inside = Exercise(
    title="the error inside the hole",
    level="modify",
    solution=_mse_inside,
    trials=((_restored, _clean, _mask), (_clean, _restored, ~_mask)),
    misconceptions={
        "This is the root of it. Return the mean squared error.": (
            lambda restored, clean, mask: np.sqrt(
                ((restored.astype(float) - clean)[mask] ** 2).mean()
            )
        ),
        "This is the sum. A larger hole would have a larger error.": (
            lambda restored, clean, mask: ((restored.astype(float) - clean)[mask] ** 2).sum()
        ),
        "Brighter and darker cancel: square first, then take the mean.": (
            lambda restored, clean, mask: (restored.astype(float) - clean)[mask].mean() ** 2
        ),
        "The errors of sound pixels are still in it. Choose the pixels of the hole first.": (
            lambda restored, clean, mask: (
                ((restored.astype(float) - clean) ** 2).mean() / mask.mean()
            )
        ),
        "This is the error of the whole photo; sound pixels hide what happens in the hole.": (
            lambda restored, clean, mask: ((restored.astype(float) - clean) ** 2).mean()
        ),
        "This is the error OUTSIDE the hole.": (
            lambda restored, clean, mask: ((restored.astype(float) - clean)[~mask] ** 2).mean()
        ),
        "Sound pixels were set to 0 but still counted. Leave them out of the mean.": (
            lambda restored, clean, mask: (
                ((restored.astype(float) - clean) * mask[..., None]) ** 2
            ).mean()
        ),
        "uint8 cannot go below 0: 3 - 5 gives 254. Convert the photo to float first.": (
            lambda restored, clean, mask: ((restored - clean)[mask].astype(float) ** 2).mean()
        ),
        "uint8 ends at 255 and begins again at 0, in the difference and in its square. Turn "
        "the photo into float first.": (
            lambda restored, clean, mask: ((restored - clean)[mask] ** 2).mean()
        ),
        "You divide by the number of pixels, but each of them has three values.": (
            lambda restored, clean, mask: (
                ((restored.astype(float) - clean)[mask] ** 2).sum() / mask.sum()
            )
        ),
        "This is the mean absolute error. PSNR is made from squares.": (
            lambda restored, clean, mask: np.abs(restored.astype(float) - clean)[mask].mean()
        ),
    },
    hints=(
        "photo[mask] takes only the pixels where the mask is true.",
        "Choose the pixels after subtracting and before squaring and taking the mean.",
    ),
    praise="Over the whole photo, 96 % of sound pixels would hide the error of a 4 % hole.",
)


def _kept_fraction(left: np.ndarray, damage: np.ndarray) -> float:
    return (left * damage).sum() / (damage * damage).sum()


_damage = _rng.normal(size=(5, 7))

kept_fraction = Exercise(
    title="which fraction of a damage is left",
    level="complete a line",
    solution=_kept_fraction,
    trials=((0.4 * _damage + 0.1 * _rng.normal(size=(5, 7)), _damage), (_damage, 2 * _damage)),
    misconceptions={
        "This is the correlation. It does not say how much is left, only how similar it is.": (
            lambda left, damage: np.corrcoef(left.ravel(), damage.ravel())[0, 1]
        ),
        "This compares lengths, so unrelated errors count.": (
            lambda left, damage: np.linalg.norm(left) / np.linalg.norm(damage)
        ),
        "Sums of both signs cancel: a quotient of sums says little.": (
            lambda left, damage: left.sum() / damage.sum()
        ),
        "A mean of quotients: where the damage is near 0, they are huge.": (
            lambda left, damage: (left / damage).mean()
        ),
        "This fits the damage to the remaining error. It must be the other way round.": (
            lambda left, damage: (left * damage).sum() / (left * left).sum()
        ),
        "This counts every error, including errors unrelated to the damage.": (
            lambda left, damage: np.abs(left).mean() / np.abs(damage).mean()
        ),
        "A sum grows with the photo. Divide, so that 1 means all of the damage.": (
            lambda left, damage: (left * damage).sum()
        ),
        "This is the fraction that was REMOVED.": (
            lambda left, damage: 1 - (left * damage).sum() / (damage * damage).sum()
        ),
    },
    hints=(
        "Set the derivative of the sum of (left - k * damage)**2 with respect to k to zero.",
        "k is a quotient of two sums: left times damage, and damage times damage.",
    ),
    praise="1 means unchanged, 0 means removed, and unrelated errors do not count.",
)


def _covered(samples: Tensor, truth: Tensor) -> Tensor:
    distance = (truth - samples.mean(dim=0)).abs()
    return (distance <= 2 * samples.std(dim=0)).float().mean()


covered = Exercise(
    title="how often the truth lies within two spreads",
    level="complete a line",
    solution=_covered,
    trials=((_samples, _truth), (_samples + 0.2, _truth)),
    limits=(0.0, 1.0),
    misconceptions={
        "This is in percent. Return a fraction.": lambda samples, truth: (
            100 * ((truth - samples.mean(dim=0)).abs() <= 2 * samples.std(dim=0)).float().mean()
        ),
        "This is a number of values. Return a fraction.": lambda samples, truth: (
            ((truth - samples.mean(dim=0)).abs() <= 2 * samples.std(dim=0)).float().sum()
        ),
        "This is whether the truth lies between the smallest and the largest sample.": (
            lambda samples, truth: (
                ((truth >= samples.amin(dim=0)) & (truth <= samples.amax(dim=0))).float().mean()
            )
        ),
        "You compare the truth with each sample. Compare it with their mean.": (
            lambda samples, truth: (
                ((truth - samples).abs() <= 2 * samples.std(dim=0)).float().mean()
            )
        ),
        "This is ONE standard deviation on each side; use two.": lambda samples, truth: (
            ((truth - samples.mean(dim=0)).abs() <= samples.std(dim=0)).float().mean()
        ),
        "Values far below the mean are counted as near. Use the absolute distance.": (
            lambda samples, truth: (
                ((truth - samples.mean(dim=0)) <= 2 * samples.std(dim=0)).float().mean()
            )
        ),
        "This is the mean and spread of all values together; each value has its own.": (
            lambda samples, truth: (
                ((truth - samples.mean()).abs() <= 2 * samples.std()).float().mean()
            )
        ),
        "This is the fraction OUTSIDE.": lambda samples, truth: (
            ((truth - samples.mean(dim=0)).abs() > 2 * samples.std(dim=0)).float().mean()
        ),
        "Divided by the number of samples, the spread is too small, because the mean comes "
        "from the same samples. Divide by one less, as torch does by default.": (
            lambda samples, truth: (
                ((truth - samples.mean(dim=0)).abs() <= 2 * samples.std(dim=0, correction=0))
                .float()
                .mean()
            )
        ),
        "This is the variance; the spread is its root.": lambda samples, truth: (
            ((truth - samples.mean(dim=0)).abs() <= 2 * samples.var(dim=0)).float().mean()
        ),
    },
    hints=(
        "Over which dimension do you take mean and std to get one of each per value?",
        "Compare the distance from the mean with twice the std, and take the mean of the result.",
    ),
    praise="For Gaussian noise it is about 95 %. A calibrated network comes close to that.",
)


honest_claim = Exercise(
    title="what may be claimed",
    level="investigate",
    solution="c",
    misconceptions={
        "The eye was masked: the network has invented it.": "a",
        "Samples that agree show that the network is certain, not that it is right.": "b",
        "The record says what was done to the file. It cannot make the picture true.": "d",
    },
    hints=(
        "For each sentence: would it still be true if the original had looked different there?",
        "Only one of them says what was done, not what was there.",
    ),
    praise="Report what was done, not what the result seems to show.",
)

sheet = Sheet("14", (mse_inside, kept_fraction, covered, honest_claim))
