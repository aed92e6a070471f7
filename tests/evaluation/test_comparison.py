"""The comparison of methods: known columns, empty rows, intervals, and the table in three forms."""

import csv
import io
import json
from html.parser import HTMLParser

import numpy as np
import pytest

from oldphoto.checks import InputError
from oldphoto.evaluation import comparison_table
from oldphoto.evaluation.comparison import (
    ComparedMethod,
    Metric,
    best,
    difference,
    measure,
    metrics,
)
from oldphoto.evaluation.comparison_table import NOT_AVAILABLE, PAPER, as_csv, as_html, as_markdown
from oldphoto.evaluation.methods import (
    METHODS,
    OURS,
    OURS_PLAIN,
    Sources,
    compared_methods,
    training_note,
)
from oldphoto.evaluation.test_photos import TestPhoto
from oldphoto.metrics.bootstrap import bootstrap_difference
from oldphoto.metrics.fidelity import psnr
from oldphoto.metrics.files import NotAvailableError


def _photo(number: int) -> TestPhoto:
    rng = np.random.default_rng(number)
    clean = rng.integers(60, 180, (20, 24, 3), dtype=np.uint8)
    mask = np.zeros((20, 24), bool)
    mask[3:9, 4:10] = True
    degraded = clean + np.uint8(10 + number)
    degraded[mask] = 255
    return TestPhoto(f"photo{number}", degraded, clean, mask)


PHOTOS = [_photo(number) for number in range(4)]
COLUMNS = [
    Metric("PSNR", 2, True, of_pair=psnr),
    Metric("level", 1, False, of_pair=lambda output, clean: float(output.mean())),
    Metric("FID", 1, False, of_set=lambda outputs, cleans: float(len(outputs) + len(cleans))),
    Metric("BRISQUE", 1, False, missing="needs a file"),
]


def _rows():
    def darker(photo, mask=None):
        return photo - np.uint8(10)

    made = [
        ComparedMethod("Input", lambda photo, mask: photo),
        ComparedMethod("Pix2Pix", None, missing="train it"),
        ComparedMethod(OURS, darker, num_parameters=1234567, note="trained on 5 photos"),
    ]
    return [measure(compared, PHOTOS, COLUMNS) for compared in made]


def test_every_photo_is_measured_and_missing_things_stay_empty():
    given, absent, ours = _rows()
    assert given.per_photo["PSNR"] == [psnr(p.degraded, p.clean) for p in PHOTOS]
    assert ours.per_photo["level"] == pytest.approx([p.degraded.mean() - 10 for p in PHOTOS])
    assert ours.of_set == {"FID": 8.0} and ours.mean(COLUMNS[2]) == 8.0
    assert len(ours.seconds) == 4 and min(ours.seconds) >= 0
    assert absent.mean(COLUMNS[0]) is None and not absent.restored
    assert given.mean(COLUMNS[3]) is None


def test_a_metric_that_one_photo_does_not_allow_is_said_and_the_others_are_measured():
    def choosy(output: np.ndarray, clean: np.ndarray) -> float:
        if output is not photos[0].degraded:
            raise NotAvailableError("too small for it")
        return 1.0

    photos = [_photo(0), _photo(1), _photo(2)]
    columns = [Metric("Choosy", 1, False, of_pair=choosy), Metric("PSNR", 2, True, of_pair=psnr)]
    row = measure(ComparedMethod("Input", lambda degraded, _: degraded), photos, columns)
    assert row.mean(columns[0]) is None and len(row.per_photo["PSNR"]) == 3
    text = as_markdown([row], columns, None)
    assert f"Choosy of Input is {NOT_AVAILABLE}: {photos[1].name}: too small for it" in text


def test_the_best_row_depends_on_the_direction_of_the_column():
    rows = _rows()
    assert best(rows, COLUMNS[0]) == OURS
    assert best(rows, Metric("PSNR", 2, False)) == "Input"
    assert best(rows, COLUMNS[3]) is None


def test_differences_are_taken_photo_by_photo():
    given, absent, ours = _rows()
    found = difference(given, ours, COLUMNS[1])
    assert found.mean == pytest.approx(10) and found.low == pytest.approx(10)
    psnrs = given.per_photo["PSNR"], ours.per_photo["PSNR"]
    assert difference(given, ours, COLUMNS[0]) == bootstrap_difference(*psnrs)
    assert difference(absent, ours, COLUMNS[0]) is None
    assert difference(given, ours, COLUMNS[2]) is None  # one number for all photos


def test_markdown_has_our_numbers_the_papers_and_what_is_missing():
    text = as_markdown(_rows(), COLUMNS, OURS)
    lines = text.splitlines()
    assert lines[0].startswith("| method | PSNR ↑ | level ↓ | FID ↓ | BRISQUE ↓ |")
    assert lines[2].startswith("| Input |") and lines[2].endswith("12.92 | 0.49 | 0.59 | 306.80 |")
    assert lines[3].count(NOT_AVAILABLE) == 4  # the row of a method that is not there
    ours = _rows()[2]
    interval = ours.interval(COLUMNS[0])
    expected = f"**{interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}]**"
    assert expected in lines[4] and "1,234,567" in lines[4] and "23.33" in lines[4]
    assert f"- {OURS}: trained on 5 photos" in lines
    assert "- BRISQUE is not available: needs a file" in lines
    assert "- Pix2Pix is not available: train it" in lines
    assert "best in FID only" in text
    assert any(line.startswith("- Input: PSNR -") and "*" in line for line in lines)
    assert all(line.count("|") == lines[0].count("|") for line in lines[:5])


def test_csv_can_be_read_back():
    rows = _rows()
    read = list(csv.DictReader(io.StringIO(as_csv(rows, COLUMNS))))
    assert [line["method"] for line in read] == ["Input", "Pix2Pix", OURS]
    assert float(read[2]["PSNR"]) == pytest.approx(rows[2].mean(COLUMNS[0]), rel=1e-5)
    assert float(read[2]["PSNR low"]) <= float(read[2]["PSNR"]) <= float(read[2]["PSNR high"])
    assert read[1]["PSNR"] == read[1]["seconds"] == "" and read[1]["paper PSNR"] == "22.18"
    assert float(read[0]["FID"]) == 8 and read[0]["FID low"] == ""


class _Pictures(HTMLParser):
    def __init__(self):
        super().__init__()
        self.names, self.sources = [], []

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.names.append(dict(attributes)["alt"])
            self.sources.append(dict(attributes)["src"])


def test_html_holds_all_pictures_itself():
    rows = _rows()
    rows[0].compared = ComparedMethod("<Input>", rows[0].compared.method)
    page = as_html(rows, COLUMNS, PHOTOS, OURS)
    parser = _Pictures()
    parser.feed(page)
    assert parser.names[:3] == ["photo0, <Input>", f"photo0, {OURS}", "photo0, clean"]
    assert len(parser.names) == 4 * 3 and "<Input>" not in page
    assert all(source.startswith("data:image/jpeg;base64,") for source in parser.sources)


def test_the_papers_table_is_that_of_the_slides():
    assert list(PAPER) == [
        "Input", "Attention", "DIP", "Pix2Pix", "Sequential", OURS_PLAIN, OURS,
    ]  # fmt: skip
    columns = list(zip(*PAPER.values(), strict=True))
    names = list(PAPER)
    # The note under the table says so of the paper's own ranking.
    assert names[int(np.argmax(columns[0]))] == names[int(np.argmax(columns[1]))] == "Attention"
    assert names[int(np.argmin(columns[2]))] == "Pix2Pix"
    assert names[int(np.argmin(columns[3]))] == OURS
    assert "FID only" in comparison_table.PAPER_NOTE


def test_without_files_the_columns_say_how_to_get_them():
    columns = {metric.name: metric for metric in metrics(None)}
    for name in ("LPIPS (AlexNet)", "LPIPS (VGG)", "FID"):
        assert "oldphoto download" in columns[name].missing
        assert columns[name].of_pair is None and columns[name].of_set is None
    for name in ("PSNR", "SSIM", "LPIPS-squeeze (Caffe)"):
        assert columns[name].of_pair is not None and not columns[name].missing


def test_what_is_said_of_a_training_is_what_its_json_holds(tmp_path):
    path = tmp_path / "x.json"
    stage = {"num_photos": 2400, "crop": 64}
    for finished, ending in ((True, "crops of 64 px"), (False, "stopped early")):
        card = {"training": {"num_clean": 28, "stage": stage, "finished": finished}}
        path.write_text(json.dumps(card), encoding="utf-8")
        said = training_note(path)
        assert said.startswith("trained on 28 clean photos, 2,400 shown")
        assert said.endswith(ending)
    card["training"]["perceptual_features"] = "SqueezeNetFeatureExtractor of x.safetensors"
    path.write_text(json.dumps(card), encoding="utf-8")
    assert "which favours it" in training_note(path)  # trained on what it is judged by
    assert "earlier" not in training_note(path)
    card["training"] |= {"started_from": "the weights first", "perceptual_features": "none here"}
    path.write_text(json.dumps(card), encoding="utf-8")
    assert training_note(path).endswith(", after earlier training")
    path.write_text("{}", encoding="utf-8")
    assert training_note(path) == ""


def test_rows_come_in_the_order_of_the_slides_and_name_what_they_lack(tmp_path):
    found = compared_methods(["ours", "pix2pix", "input"], Sources(baselines=tmp_path))
    assert [c.name for c in found] == ["Input", "Pix2Pix", OURS]
    assert found[1].method is None and "oldphoto baseline pix2pix" in found[1].missing
    assert found[2].num_parameters > 100_000 and "trained on" in found[2].note
    titles = [c.name for c in compared_methods(list(METHODS), Sources())]
    assert [name for name in titles if name in PAPER] == [n for n in PAPER if n in titles]
    with pytest.raises(InputError, match="method must be one of"):
        compared_methods(["magic"], Sources())
    with pytest.raises(InputError, match="size of DIP"):
        Sources(dip_size="huge")
