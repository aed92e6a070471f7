"""The photos with damage marked by hand: complete, licensed, and made from what was decided."""

import json

import numpy as np
import pytest

from tests.benchmarks.real_scratches import (
    DAMAGED,
    DOUBTFUL,
    FOLDER,
    HALVES,
    marked_names,
    read_marks,
    read_photo,
    sources,
)

FREE = ("No Copyright", "No known restrictions", "Public domain")


def test_every_photo_has_source_licence_decision_and_mask():
    names = sorted(row["file"].removesuffix(".jpg") for row in sources())
    assert names == sorted(path.stem for path in (FOLDER / "photos").iterdir())
    assert names == sorted(path.stem for path in (FOLDER / "masks").iterdir())
    assert names == sorted(json.loads((FOLDER / "decisions.json").read_text(encoding="utf-8")))
    assert all(row["source"] and row["licence"].startswith(FREE) for row in sources())
    for name in names:
        assert read_marks(name).shape == read_photo(name).shape[:2]
        assert read_marks(name).max() <= DOUBTFUL


def test_halves_share_no_photo_and_both_have_sound_and_damaged_ones():
    tune, held_out = (marked_names(half) for half in HALVES)
    assert not set(tune) & set(held_out)
    assert len(tune) + len(held_out) == len(sources()) == 41
    damaged = [
        sum(bool((read_marks(n) == DAMAGED).any()) for n in part) for part in (tune, held_out)
    ]
    assert damaged == [13, 13]
    assert [len(part) for part in (tune, held_out)] == [20, 21]


def test_masks_are_those_of_the_decisions(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(FOLDER.parent)
    from mark_scratches import marks_of

    decisions = json.loads((FOLDER / "decisions.json").read_text(encoding="utf-8"))
    name = "cbuilder_test002"
    marks = marks_of(read_photo(name), decisions[name])
    # JPEG decoders differ by a level between systems, so a few pixels may, too.
    assert np.mean(marks != read_marks(name)) < 1e-4
    assert (marks[99:102, 200:222] == DAMAGED).any()  # the crack
    assert not (marks[300:560, 300:900] == DAMAGED)[:, :400].any()  # the building
