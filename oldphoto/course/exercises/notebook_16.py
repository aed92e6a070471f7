"""Exercises of notebook 16: a schedule that fits into the time, and what a run waits for."""

from oldphoto.course.exercises.engine import Exercise, Sheet


def _photos_in(minutes: float, share: float, seconds_per_photo: float, batch: int) -> int:
    steps = int(60 * minutes * share / (seconds_per_photo * batch))
    return steps * batch


photos_in = Exercise(
    title="a schedule that fits",
    level="complete a line",
    solution=_photos_in,
    trials=((180, 0.5, 0.013, 16), (45.5, 0.3, 0.4, 8), (1, 0.2, 0.07, 4)),
    tolerance=1e-9,
    misconceptions={
        "The pace divides: a slower computer takes fewer photos.": (
            lambda minutes, share, seconds_per_photo, batch: (
                int(60 * minutes * share * seconds_per_photo / batch) * batch
            )
        ),
        "An hour has 3600 seconds, a minute 60.": (
            lambda minutes, share, seconds_per_photo, batch: (
                int(3600 * minutes * share / (seconds_per_photo * batch)) * batch
            )
        ),
        "The share multiplies. Dividing by it makes the time longer.": (
            lambda minutes, share, seconds_per_photo, batch: (
                int(60 * minutes / share / (seconds_per_photo * batch)) * batch
            )
        ),
        "The pace is in seconds, the time in minutes.": (
            lambda minutes, share, seconds_per_photo, batch: (
                int(minutes * share / (seconds_per_photo * batch)) * batch
            )
        ),
        "This stage would take the time of all three: `share` is not used.": (
            lambda minutes, share, seconds_per_photo, batch: (
                int(60 * minutes / (seconds_per_photo * batch)) * batch
            )
        ),
        "A step takes a whole batch: the number of photos must be a multiple of it.": (
            lambda minutes, share, seconds_per_photo, batch: (
                60 * minutes * share / seconds_per_photo
            )
        ),
        "A step takes a whole batch, and part of one is no step. Count steps first.": (
            lambda minutes, share, seconds_per_photo, batch: int(
                60 * minutes * share / seconds_per_photo
            )
        ),
        "This is the number of steps. How many photos are that?": (
            lambda minutes, share, seconds_per_photo, batch: int(
                60 * minutes * share / (seconds_per_photo * batch)
            )
        ),
        "The pace is that of one photo; a step takes as long as its whole batch.": (
            lambda minutes, share, seconds_per_photo, batch: (
                int(60 * minutes * share / seconds_per_photo) * batch
            )
        ),
        "This rounds up: the last step would end after the time.": (
            lambda minutes, share, seconds_per_photo, batch: (
                (int(60 * minutes * share / (seconds_per_photo * batch)) + 1) * batch
            )
        ),
    },
    hints=(
        "How many seconds does this stage get, and how many does a step of `batch` photos take?",
        "Round the number of steps down, then multiply it by the batch.",
    ),
    praise="The learning rate falls to 0 with the last step that still fits.",
)


def _waits_for() -> str:
    return "b"


waits_for = Exercise(
    title="what the run waits for",
    level="investigate",
    solution=_waits_for,
    misconceptions={
        "A faster card would wait longer: it has nothing to compute on.": "a",
        "Half precision makes the card faster. Is the card the slow part?": "c",
        "The batch is larger, but the photos for it arrive at the same pace.": "d",
    },
    hints=(
        "Two things happen at once: photos are prepared, and photos are learned from.",
        "The slower of the two sets the pace. Which measure makes that one faster?",
    ),
    praise="The slower part sets the pace. Here that is the processor.",
)

sheet = Sheet("16", (waits_for, photos_in))
