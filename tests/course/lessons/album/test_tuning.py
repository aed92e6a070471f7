"""Fine-tuning: it trains, measures both halves of the album, and its words follow its numbers."""

import numpy as np
import pytest
from matplotlib import pyplot

from oldphoto.course.lessons.album import tuning
from oldphoto.course.lessons.album.tuning import Round
from oldphoto.samples import sample_paths

START = Round(0, [20.0, 22.0], [20.0])


def test_gains_are_differences_of_means():
    rounds = [START, Round(5, [99.0], [0.0]), Round(9, [23.0, 21.0], [18.5])]
    assert tuning.gains(rounds) == (1.0, -1.5)


@pytest.mark.parametrize(
    ("album", "rest", "expected"),
    [
        (22.0, 19.0, "photos trained on: better by 1.0 dB; the rest of the album: WORSE by 1.0 dB"),
        (21.05, 20.5, "no change worth a word (+0.05 dB); the rest of the album: better by 0.5"),
    ],
)
def test_words_follow_the_numbers(album, rest, expected):
    assert expected in tuning.gain_words([START, Round(9, [album], [rest])])


def test_a_short_run_trains_and_measures(tmp_path):
    photos = sample_paths("clean")
    rounds = tuning.fine_tune(
        photos[:4], photos[4:5], tmp_path, learning_rate=4e-4, num_rounds=2, steps=2
    )
    assert [r.step for r in rounds] == [0, 2, 4]
    assert [len(r.trained_on) for r in rounds] == [4, 4, 4]
    assert [len(r.rest) for r in rounds] == [1, 1, 1]
    scores = [np.mean(r.trained_on) for r in rounds]
    assert len(set(scores)) == 3  # the second round goes on where the first stopped
    assert (tmp_path / "2" / "weights" / "mapping_scratch.safetensors").is_file()


def test_learning_by_heart_helps_the_same_crops_alone():
    photos, others = sample_paths("clean")[1:3], sample_paths("held_out")[1:3]
    rounds = tuning.learn_by_heart(photos, others, steps=16, every=8)
    assert [r.step for r in rounds] == [0, 8, 16]
    trained, rest = tuning.gains(rounds)
    assert trained > rest + 0.1
    assert rounds[0] == tuning.learn_by_heart(photos, others, steps=1)[0]


def test_the_figure_begins_at_no_change():
    fig = tuning.draw_rounds({"a": [START, Round(9, [23.0, 21.0], [18.5])]})
    lines = fig.axes[0].lines
    assert list(lines[0].get_ydata()) == [0, 1] and list(lines[1].get_ydata()) == [0, -1.5]
    pyplot.close(fig)
