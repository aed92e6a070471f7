"""Exercises of notebook 15: the solutions do what the package does."""

from oldphoto.course.exercises import notebook_15 as exercises


def test_masks_are_grown_as_the_package_grows_them():
    from oldphoto.inference.restorer import dilate

    for mask, pixels in exercises.grow.trials:
        assert (exercises.grow.solution(mask, pixels) == dilate(mask, pixels)).all()
