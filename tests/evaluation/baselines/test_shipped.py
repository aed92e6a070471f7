"""The shipped baselines: small, trained with one budget, as good as the table beside them says."""

import csv

import numpy as np
import pytest

from oldphoto.evaluation.comparison import Metric, measure
from oldphoto.evaluation.methods import (
    BASELINES,
    OURS_OF_BASELINES,
    Sources,
    compared_methods,
)
from oldphoto.evaluation.test_photos import make_test_photos
from oldphoto.metrics.fidelity import psnr
from oldphoto.samples import sample_paths
from oldphoto.weights.store import SHIPPED, read_card

PSNR = Metric("PSNR", 2, True, of_pair=psnr)
MAX_BYTES = 1_000_000
"""Of all networks of one method together."""


@pytest.fixture(scope="module")
def table() -> dict[str, dict[str, str]]:
    """The rows that ``oldphoto evaluate`` wrote, by method."""
    text = (BASELINES / "table.csv").read_text(encoding="utf-8")
    return {row["method"]: row for row in csv.DictReader(text.splitlines())}


@pytest.fixture(scope="module")
def photos():
    return list(make_test_photos(sample_paths("held_out")))


def test_each_method_takes_at_most_a_megabyte():
    sizes: dict[str, int] = {}
    for path in BASELINES.rglob("*.safetensors"):
        method = "ours" if path.parent.name == "ours" else path.stem.partition("_")[0]
        sizes[method] = sizes.get(method, 0) + path.stat().st_size
    assert set(sizes) == {"attention", "cyclegan", "pix2pix", "sequential", "ours"}
    assert max(sizes.values()) <= MAX_BYTES


def test_every_card_says_that_the_same_budget_was_used_up():
    cards = [read_card(path)["training"] for path in BASELINES.rglob("*.json")]
    assert len(cards) == 9
    for card in cards:
        assert card["finished"] and card["num_clean"] == cards[0]["num_clean"]
        stage = card["stage"]
        same = {k: stage[k] for k in ("batch", "crop", "num_photos", "recipe", "hole_ratio")}
        assert same.items() <= cards[0]["stage"].items()
        assert card["steps"] == stage["num_photos"] // stage["batch"]


# CycleGAN, without pairs, has hardly begun to restore; it is shipped as it is.
@pytest.mark.parametrize(
    ("name", "gain"), [("attention", 3), ("cyclegan", 0), ("pix2pix", 3), ("ours", 8)]
)
def test_a_checkpoint_restores_as_well_as_the_table_says(name, gain, table, photos):
    (compared,) = compared_methods([name], Sources(weights=OURS_OF_BASELINES))
    found = measure(compared, photos, [PSNR]).mean(PSNR)
    assert found == pytest.approx(float(table[compared.name]["PSNR"]), abs=0.1)
    assert found > float(table["Input"]["PSNR"]) + gain


def test_sequential_fills_holes(photos):
    (compared,) = compared_methods(["sequential"], Sources())
    photo = photos[0]
    mask = photo.scratch_mask
    filled = compared.method.fill(photo.degraded, mask)  # without BM3D, which is slow
    assert np.array_equal(filled[~mask], photo.degraded[~mask])
    assert psnr(filled, photo.clean) > psnr(photo.degraded, photo.clean) + 3


def test_the_page_of_the_weights_has_the_numbers_of_the_table(table):
    page = (SHIPPED / "README.md").read_text(encoding="utf-8")
    section = page.partition("## All methods, same budget")[2].partition("\n## ")[0]
    lines = [[cell.strip() for cell in line.split("|")] for line in section.splitlines()]
    shown = {cells[1]: cells for cells in lines if len(cells) > 4}
    for method, row in table.items():
        name = f"{method}, this budget" if method.startswith("ours") else method
        assert shown[name][3].startswith(f"{float(row['PSNR']):.2f} ["), name
        assert shown[name][4] == f"{float(row['SSIM']):.3f}", name
