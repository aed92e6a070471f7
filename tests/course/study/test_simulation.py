"""What the notebook on user studies shows: photos, methods, repeated studies, tables, figures."""

import re

import numpy as np
import pytest
from matplotlib import pyplot

from oldphoto.checks import InputError
from oldphoto.course.study import simulation as lab
from oldphoto.course.study.raters import simulate
from oldphoto.course.study.study import Study
from oldphoto.course.study.table import paper_table, top_table

STUDY = Study(tuple(f"p{n}" for n in range(12)), ("a", "b", "c"))
WEIGHTS = {"a": 1.0, "b": 2.0, "c": 6.0}


@pytest.fixture(scope="module")
def repeated():
    return lab.repeat_study(STUDY, WEIGHTS, 15, 1.2, 40, seed=0)


def test_photos_have_holes_where_the_mask_says():
    jobs = lab.study_photos(list(lab.CUTS), side=256, seed=1)
    assert len(jobs) == 6
    for photo, mask in jobs.values():
        assert photo.shape == (256, 256, 3) and photo.dtype == np.uint8
        assert 0.029 < mask.mean() < 0.071 and (photo[mask] == 255).all()
    again = lab.study_photos(["porch"], side=256, seed=1)["porch"]  # its holes are its own
    assert np.array_equal(again[1], jobs["porch"][1])
    assert not np.array_equal(lab.study_photos(["porch"], side=256, seed=2)["porch"][1], again[1])
    with pytest.raises(InputError, match="got 'zoo'"):
        lab.study_photos(["zoo"])


def test_the_six_methods_are_those_of_the_papers_study():
    photo, mask = lab.study_photos(["family"], side=64)["family"]
    methods = lab.six_methods()
    names = {"new model" if name == "ours" else name for name in methods}
    assert names == set(paper_table().methods)
    del methods["DIP"], methods["Sequential"]  # slow, and tested elsewhere
    pictures = lab.restore_all({"family": (photo, mask)}, methods)["family"]
    assert all(p.shape == photo.shape and p.dtype == np.uint8 for p in pictures.values())
    assert len({p.tobytes() for p in pictures.values()}) == len(methods)


def test_only_472_rankings_fit_the_papers_table():
    percentages = paper_table().percentages
    assert [n for n in range(2, 900) if lab.misfit(percentages, n) < 0.01] == [472]
    counts = np.round(percentages * 4.72)
    assert counts.sum(axis=0).tolist() == [472 * k for k in range(1, 6)]
    assert lab.misfit(np.array([50.0, 26.0]), 4) == pytest.approx(1.0)


def test_intervals_over_answers_are_too_short(repeated):
    widths = {unit: (ends[1] - ends[0]).mean() for unit, ends in repeated.intervals.items()}
    assert widths["raters"] > 1.5 * widths["answers"]
    assert repeated.covers("raters").mean() > 0.8 > repeated.covers("answers").mean() + 0.1
    assert (repeated.intervals["raters"][0] <= repeated.percentages).all()


def test_a_study_repeats_and_its_words_are_its_numbers(repeated):
    again = lab.repeat_study(STUDY, WEIGHTS, 15, 1.2, 2, seed=0)
    assert np.array_equal(again.percentages, repeated.percentages[:2])
    percent = 100 * repeated.covers("answers").mean()
    assert f"over answers: {percent:.0f} percent" in repeated.words()


def test_without_taste_both_intervals_are_alike():
    repeated = lab.repeat_study(STUDY, WEIGHTS, 30, 0.0, 12, seed=3)
    widths = {unit: (ends[1] - ends[0]).mean() for unit, ends in repeated.intervals.items()}
    assert widths["raters"] == pytest.approx(widths["answers"], rel=0.15)


def test_tables_stand_side_by_side():
    table = top_table(simulate(STUDY, WEIGHTS, 4, seed=0))
    html = lab.tables_html({"ours <1>": table, "the paper": paper_table()})
    assert html.count("<table>") == 2 and "ours &lt;1&gt;" in html
    assert re.search(r"<td[^>]*>DIP</td><td>2.75</td><td>6.99</td>", html)
    assert html.count("<tr>") == 1 + 3 + 1 + 6
    assert f"[{table.low[2, 0]:.0f}, {table.high[2, 0]:.0f}]" in lab.tables_html({"": table}, True)


def test_figures_are_described_by_their_numbers(repeated):
    table = top_table(simulate(STUDY, WEIGHTS, 9, seed=0))
    fig, words = lab.draw_tops({"made up": table, "the paper": paper_table()})
    assert f"made up: c is first in {table.row('c')[0]:.0f} percent" in words
    assert "new model is first in 65 percent" in words
    assert [len(axis.lines) for axis in fig.axes] == [3, 6]
    styles = [(line.get_linestyle(), line.get_marker()) for line in fig.axes[1].lines]
    assert len(set(styles)) == 6  # no meaning by colour alone
    fig, words = lab.draw_repeated(repeated)
    assert len(fig.axes) == 2 and "dashed and red" in words
    pyplot.close("all")
