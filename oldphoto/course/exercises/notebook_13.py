"""Exercises of notebook 13: the user study."""

import numpy as np

from oldphoto.course.exercises.engine import Exercise, Sheet

_rng = np.random.default_rng(13)
_places = np.array([_rng.permutation(6) + 1 for _ in range(15)])
_few = np.array([_rng.permutation(4) + 1 for _ in range(7)])
_raters = np.array([3, 1, 1, 2, 3, 3, 1, 2, 2, 3])


def _top_percentage(places: np.ndarray, k: int) -> np.ndarray:
    among_the_best = places <= k
    return 100 * among_the_best.mean(axis=0)


top_percentage = Exercise(
    title="how often among the best k",
    level="complete a line",
    solution=_top_percentage,
    trials=((_places, 2), (_places, 5), (_few, 1)),
    limits=(0.0, 100.0),
    misconceptions={
        "This is the mean over all methods as well. Each has its own number.": (
            lambda places, k: np.full(places.shape[1], 100 * (places <= k).mean())
        ),
        "These are the worse places. Place 1 is the best.": (
            lambda places, k: 100 * (places > k).mean(axis=0)
        ),
        "This divides by the places. Divide by the number of rankings.": (
            lambda places, k: 100 * (places <= k).mean(axis=0) / k
        ),
        "The table is rounded. Return the percentage as it is.": (
            lambda places, k: np.round(100 * (places <= k).mean(axis=0))
        ),
        "This counts place k alone. Top k includes all better places.": (
            lambda places, k: 100 * (places == k).mean(axis=0)
        ),
        "Place k itself belongs to the best k.": lambda places, k: 100 * (places < k).mean(axis=0),
        "This counts place k and all worse ones. Place 1 is the best.": (
            lambda places, k: 100 * (places >= k).mean(axis=0)
        ),
        "This is a fraction. The table is in percent.": (
            lambda places, k: (places <= k).mean(axis=0)
        ),
        "This is one number for each ranking. You need one for each method: check the axis.": (
            lambda places, k: 100 * (places <= k).mean(axis=1)
        ),
        "These are counts. Divide by the number of rankings.": (
            lambda places, k: (places <= k).sum(axis=0)
        ),
    },
    hints=(
        "Which places are among the best k? Compare the whole table with k at once.",
        "The mean of True and False over axis 0 is a fraction for each column.",
    ),
    praise="The curve of a method can only rise with k.",
)


tied_sum = Exercise(
    title="what a tie does to a column",
    level="investigate",
    solution=110.0,
    misconceptions={
        "This is the sum without ties. In 10 rankings two methods are first.": 100.0,
        "In a tied ranking two are first instead of one: one more, not two more.": 120.0,
        "A tie does not remove a first place: both methods are at place 1.": 90.0,
        "This is a fraction. The table is in percent.": 1.1,
    },
    hints=(
        "How many methods are at place 1 in an ordinary ranking, and how many in a tied one?",
        "Count all first places in the 100 rankings: 90 ordinary ones and 10 tied ones.",
    ),
    praise="So the sums of the columns show whether ties were allowed.",
)


def _resampled(raters: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    of_each = [np.flatnonzero(raters == rater) for rater in drawn]
    return np.concatenate(of_each)


resampled = Exercise(
    title="drawing raters, not answers",
    level="modify",
    solution=_resampled,
    trials=((_raters, np.array([2, 2, 1])), (_raters, np.array([3, 1, 1]))),
    tolerance=1e-9,
    misconceptions={
        "Each row once: a rater who was drawn twice counts twice.": (
            lambda raters, drawn: np.concatenate(
                [np.flatnonzero(raters == r) for r in np.unique(drawn)]
            )
        ),
        "Row numbers begin with 0.": lambda raters, drawn: _resampled(raters, drawn) + 1,
        "These are True and False. Return row numbers.": (
            lambda raters, drawn: np.concatenate([raters == rater for rater in drawn])
        ),
        "A rater who was drawn twice must be included twice.": (
            lambda raters, drawn: np.flatnonzero(np.isin(raters, drawn))
        ),
        "Include all rankings of each rater who was drawn, not only the first.": (
            lambda raters, drawn: np.array([np.flatnonzero(raters == r)[0] for r in drawn])
        ),
        "These are raters. Return the row numbers of their rankings.": lambda raters, drawn: drawn,
        "These are rater codes, one for each ranking. Return the row numbers.": (
            lambda raters, drawn: raters[_resampled(raters, drawn)]
        ),
        "These are the right rows in the wrong order: use the order of drawn.": (
            lambda raters, drawn: np.sort(_resampled(raters, drawn))
        ),
        "All rankings, each once: nothing was drawn anew.": (
            lambda raters, drawn: np.arange(len(raters))
        ),
    },
    hints=(
        "For one rater, np.flatnonzero(raters == rater) gives the rows of their rankings.",
        "Collect these rows for each rater in drawn, with repetitions; use np.concatenate.",
    ),
    praise="Resampling keeps all rankings of a rater together.",
)


def _kendall(places: np.ndarray) -> float:
    m, n = places.shape
    sums = places.sum(axis=0)
    squares = ((sums - sums.mean()) ** 2).sum()
    return 12 * squares / (m**2 * (n**3 - n))


def _squares(places: np.ndarray, axis: int = 0) -> float:
    sums = places.sum(axis=axis)
    return float(((sums - sums.mean()) ** 2).sum())


def _largest(places: np.ndarray) -> int:
    """Return 12 times the S of raters who all agree."""
    m, n = places.shape
    return m**2 * (n**3 - n)


kendall = Exercise(
    title="Kendall's W",
    level="complete a line",
    solution=_kendall,
    trials=((_places[:4],), (_few,)),
    misconceptions={
        "The power of n is 3 in the denominator, and n is taken off.": (
            lambda places: 12 * _squares(places) / (len(places) ** 2 * places.shape[1] ** 3)
        ),
        "Without brackets Python multiplies by what stands behind the division.": (
            lambda places: (
                12 * _squares(places) / len(places) ** 2 * (places.shape[1] ** 3 - places.shape[1])
            )
        ),
        "Raters and methods are exchanged: m counts rows.": (
            lambda places: (
                12 * _squares(places) / (places.shape[1] ** 2 * (len(places) ** 3 - len(places)))
            )
        ),
        "The mean of the sums is not taken off: S measures how far they lie from it.": (
            lambda places: 12 * (places.sum(axis=0) ** 2).sum() / _largest(places)
        ),
        "With all raters agreeing this gives m, not 1: look at the power of m.": (
            lambda places: 12 * _squares(places) / _largest(places) * len(places)
        ),
        "One factor n is missing in the denominator.": (
            lambda places: 12 * _squares(places) / _largest(places) * places.shape[1]
        ),
        "With all raters agreeing this gives 1/12: the factor 12 is missing.": (
            lambda places: _squares(places) / _largest(places)
        ),
        "S is the sum of the squares, not their mean.": (
            lambda places: 12 * places.sum(axis=0).var() / _largest(places)
        ),
        "S is computed from the sums of places, not from the mean places.": (
            lambda places: 12 * places.mean(axis=0).var() * places.shape[1] / _largest(places)
        ),
        "Every rater has the same sum of places. Add up over the raters instead.": (
            lambda places: 12 * _squares(places, 1) / _largest(places)
        ),
    },
    hints=(
        "First the sums of places, one for each method; then how far they lie from their mean.",
        "m, n = places.shape; S is the sum of (sums - sums.mean()) ** 2.",
    ),
    praise="1 when all agree, near 1/m when all toss coins.",
)


num_rankings = Exercise(
    title="how many rankings lie behind the paper's table",
    level="investigate",
    solution=472,
    tolerance=1e-9,
    misconceptions={
        "This is 22 times 25, if everybody had ranked everything. What does misfit return?": 550,
        "This fits as well, because it is a multiple. Which is the smallest?": 944,
        "This is the number of people. Each ranked many photos.": 22,
    },
    hints=(
        "Each percentage is a whole number of rankings divided by their total.",
        "Try misfit(paper.percentages, n) for every n from 2 to 600; where is it below 0.01?",
    ),
    praise="All thirty numbers fit, and the counts of column k add up to k times the total.",
)

sheet = Sheet("13", (tied_sum, top_percentage, resampled, kendall, num_rankings))
