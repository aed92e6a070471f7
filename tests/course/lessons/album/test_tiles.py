"""Tiles of a scan: the plan keeps to its budget and covers the photo, and the widget shows it."""

import re

import numpy as np
import pytest

from oldphoto.config import PRESETS
from oldphoto.course.lessons.album import tiles as lab
from oldphoto.course.lessons.album import tiles_view as view
from oldphoto.course.lessons.album.reports import scan_size
from oldphoto.course.lessons.training.curves import untrained
from oldphoto.inference.memory_plan import FIXED_BYTES, PHOTO_BYTES, WorkingMemory
from oldphoto.system.memory import GIB

MIB = 2**20


@pytest.fixture(scope="module")
def network():
    return untrained(PRESETS["tiny"])


@pytest.fixture(scope="module")
def memory(network):
    return WorkingMemory.measure(network)


@pytest.fixture
def plan(network, memory):
    """A plan for 2000 x 1500 pixels, a multiple of 4, in ``budget`` bytes."""

    def make(budget: int, with_mask: bool = True, size=(1500, 2000)) -> lab.TilePlan:
        return lab.make_plan(network, memory, size, with_mask, budget)

    return make


def test_a_print_has_as_many_pixels_as_its_inches_say():
    assert scan_size((10, 15), 600) == (2362, 3543)
    assert scan_size((2.54, 5.08), 300) == (300, 600)


def test_what_fits_is_done_in_one_piece(plan, memory):
    whole = memory.predict_bytes(1500, 2000, with_mask=True)
    made = plan(whole)
    assert made.whole_bytes == made.taken_bytes == whole
    assert made.tiling is None and not made.refusal
    assert made.places == [(slice(0, 1500), slice(0, 2000))]
    assert made.grid == (1, 1) and made.work == 1
    assert lab.plan_words(made).endswith("are allowed. One piece fits.")
    assert plan(whole - 1).tiling is not None


@pytest.mark.parametrize("share", [0.9, 0.75, 0.6])
@pytest.mark.parametrize("with_mask", [True, False])
def test_tiles_keep_to_the_budget_and_cover_every_pixel(plan, memory, share, with_mask):
    whole = memory.predict_bytes(1500, 2000, with_mask)
    made = plan(int(share * whole), with_mask)
    height, width = made.tiling.tile
    tile = height * width * memory.bytes_per_pixel(with_mask)
    assert made.taken_bytes == FIXED_BYTES + PHOTO_BYTES * 1500 * 2000 + tile <= made.budget
    counts = np.zeros((1500, 2000), int)
    for place in made.places:
        counts[place] += 1
    assert counts.min() == 1
    assert made.work == pytest.approx(counts.mean())
    assert np.prod(made.grid) == len(made.places) > 1


def test_less_memory_means_more_tiles(plan, memory):
    whole = memory.predict_bytes(1500, 2000, with_mask=True)
    numbers = [len(plan(int(share * whole)).places) for share in (1, 0.8, 0.6, 0.4)]
    assert numbers == sorted(numbers) and numbers[0] == 1 < numbers[-1]


def test_what_does_not_even_fit_in_tiles_is_refused_in_a_sentence(plan):
    made = plan(PHOTO_BYTES * 1500 * 2000)
    assert made.places == [] and made.grid == (0, 0) and made.work == made.taken_bytes == 0
    words = lab.plan_words(made)
    assert "Refused: restoring 2000 x 1500 pixels needs" in words and "even in tiles" in words


def test_sides_grow_to_what_the_network_needs(plan, network):
    made = plan(64 * GIB, size=(1501, 1999))
    assert network.size_multiple == 4 and made.size == (1504, 2000)


def test_words_name_tiles_overlap_and_work(plan, memory):
    made = plan(int(0.4 * memory.predict_bytes(1500, 2000, with_mask=True)))
    (rows, columns), (height, width) = made.grid, made.tiling.tile
    words = lab.plan_words(made)
    assert words.startswith("2000 x 1500 pixels with a mask take")
    assert f"{rows} x {columns} tiles of {width} x {height} take" in words
    assert f"share {made.tiling.overlap} pixels, so {made.work:.1f} times" in words
    assert "pixels without a mask take" in lab.plan_words(plan(64 * GIB, with_mask=False))


def boxes(svg: str) -> list[tuple[float, ...]]:
    """Left, top, width and height of every see-through box."""
    sides = " ".join(f"{side}='([^']+)'" for side in ("x", "y", "width", "height"))
    return [tuple(map(float, box)) for box in re.findall(f"<rect {sides} fill='#56B4E9'", svg)]


def test_drawing_has_a_box_for_every_tile(plan, memory):
    whole = memory.predict_bytes(1500, 2000, with_mask=True)
    tiles, refused = plan(int(0.4 * whole)), plan(0)
    svg = view.draw_plans({"all": plan(whole), "some": tiles, "none": refused})
    drawn = boxes(svg)
    assert len(drawn) == 1 + len(tiles.places)
    # The first photo is 290 units wide: 2000 pixels; it stands in the middle of 320.
    assert drawn[0] == (15, 10, 290, 217.5)
    scale, (rows, columns) = 290 / 2000, tiles.places[-1]
    expected = 320 + 15 + scale * columns.start, 10 + scale * rows.start
    assert drawn[-1][:2] == pytest.approx(expected, abs=0.06)
    assert drawn[-1][0] + drawn[-1][2] == pytest.approx(320 + 15 + 290, abs=0.1)
    assert svg.count("stroke-dasharray='8 6'") == 1 and "does not fit" in svg
    assert all(f">{title}</text>" in svg for title in ("all", "some", "none"))
    assert lab.plan_words(tiles) in svg  # for those who cannot see it


def test_the_tiles_view_answers_every_setting(network, memory):
    widget = view.tiles_view(network, memory)
    photo, dpi, masked, allowed, picture, log = widget.children
    assert not allowed.continuous_update and (allowed.min, allowed.max) == (256, 8192)
    seen = set()
    for photo.value in view.PRINTS:
        for dpi.value in view.RESOLUTIONS:
            for masked.value in (False, True):
                for allowed.value in (256, 1024, 8192):
                    size = scan_size(view.PRINTS[photo.value], dpi.value)
                    budget = allowed.value * MIB
                    made = lab.make_plan(network, memory, size, masked.value, budget)
                    assert f"<p>{lab.plan_words(made)}</p>" in picture.value
                    assert f'alt="{lab.plan_words(made)}"' in picture.value
                    seen.add(picture.value)
    assert len(seen) == 3 * 4 * 2 * 3
    alone = ((photo, "9 x 13 cm"), (dpi, 600), (masked, False), (allowed, 1024))
    for control, value in alone:
        before, control.value = picture.value, value
        assert picture.value != before
    assert not log.outputs
