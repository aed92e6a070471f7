"""The README is true: its commands exist, its picture and numbers are those of today's weights."""

import argparse
import csv
import importlib
import io
import re
import shlex
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from oldphoto.cli.main import main
from oldphoto.course.publishing.readme import fresh_readme, package_tree, write_block
from oldphoto.samples import sample_photo
from tests.benchmarks.draw_readme_picture import PICTURE, QUALITY, draw_picture

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"(?:python -m|torchrun [^`\n]*?-m --) oldphoto ([^`\n&)]+)")
ROWS = {"Input": "degraded input", "ours with partial non-local": "ours"}
# Another processor rounds otherwise; other weights differ by far more than this.
TOLERANCES = {"PSNR": 0.05, "SSIM": 0.005, "LPIPS-squeeze (Caffe)": 0.005, "BRISQUE": 0.7}


def commands() -> list[str]:
    """Return what follows ``oldphoto`` in each command of the README."""
    return [found.partition("#")[0].strip() for found in COMMAND.findall(README)]


def test_there_are_commands_and_they_show_most_of_what_there_is():
    shown = {command.split()[0] for command in commands()}
    assert {"restore", "train", "evaluate", "course", "doctor", "study", "download"} <= shown


@pytest.mark.parametrize("command", commands())
def test_a_command_is_understood(command, parse):
    parse(command)


@pytest.mark.parametrize("command", ["restore a --no-such-option", "study no-such-action"])
def test_a_wrong_command_would_be_found(command, parse):
    with pytest.raises(SystemExit):
        parse(command)


@pytest.fixture
def parse():
    """Return a function that reads one command line without carrying it out."""

    def read(command: str) -> None:
        name, *words = shlex.split(command)
        parser = argparse.ArgumentParser()
        importlib.import_module(f"oldphoto.cli.{name}").add_arguments(parser)
        # "python -m oldphoto baseline" alone names the command in a sentence.
        if words:
            parser.parse_args(words)

    return read


def test_the_machines_that_test_run_the_test_command_of_the_readme():
    (command,) = re.findall(r"^python3 -m venv .* -m pytest .*$", README, re.MULTILINE)
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))
    steps = [step.get("run", "") for step in workflow["jobs"]["tests"]["steps"]]
    windows = command.replace("python3", "python").replace(".venv/bin/", ".venv\\Scripts\\")
    assert {"bash .ci/run", command, windows} <= set(steps)


def test_the_parts_made_from_the_code_are_fresh():
    assert fresh_readme(ROOT / "README.md") == README, "run `python -m oldphoto course equations`"


def test_every_link_to_a_line_leads_into_its_file():
    links = re.findall(r"\]\((\S+)#L(\d+)\)", README)
    assert len(links) == 10
    for path, line in links:
        assert 1 <= int(line) <= len((ROOT / path).read_text(encoding="utf-8").splitlines())


def test_a_folder_without_a_docstring_or_a_place_is_named(tmp_path):
    for name in ("networks", "surprise"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    with pytest.raises(ValueError, match="surprise"):
        package_tree(tmp_path)


def test_a_page_without_the_part_is_refused():
    with pytest.raises(ValueError, match="no part between"):
        write_block("# Title\n", "tree", "new")


def blocks_differ(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest difference between the means of squares of 8 x 8 pixels, in levels."""
    height, width = (side // 8 for side in one.shape[:2])
    difference = one.astype(float) - other
    squares = difference[: height * 8, : width * 8].reshape(height, 8, width, 8, 3)
    return float(np.abs(squares.mean((1, 3))).max())


def test_the_picture_is_what_the_shipped_weights_give():
    stored = np.asarray(Image.open(PICTURE))
    file = io.BytesIO()
    picture = draw_picture()
    Image.fromarray(picture).save(file, "JPEG", quality=QUALITY)
    drawn = np.asarray(Image.open(file))
    assert blocks_differ(stored, drawn) < 3, "run `python tests/benchmarks/draw_readme_picture.py`"
    assert np.abs(stored.astype(int) - drawn).mean() < 0.5
    # The same photo without its restoration is far from it.
    width = sample_photo("taped_postcard").shape[1]
    assert blocks_differ(stored[:, :width], drawn[:, -width:]) > 12


def readme_numbers() -> dict[str, list[float]]:
    """Return the first number of each column of the table of results, by method."""
    lines = [line.strip("|").split("|") for line in README.splitlines() if line.startswith("| ")]
    return {
        cells[0].strip(): [float(re.findall(r"[\d.]+", cell)[0]) for cell in cells[1:]]
        for cells in lines
        if cells[0].strip() in ROWS.values()
    }


def test_the_results_are_those_of_the_shipped_weights(tmp_path, capsys):
    assert main(["evaluate", "--methods", "input", "ours", "--output", str(tmp_path)]) == 0
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        measured = {row["method"]: row for row in csv.DictReader(file)}
    numbers = readme_numbers()
    for method, title in ROWS.items():
        for stored, (column, tolerance) in zip(numbers[title], TOLERANCES.items(), strict=True):
            assert abs(float(measured[method][column]) - stored) < tolerance, (title, column)


def test_the_python_lines_restore_a_photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(sample_photo("brewery")[:64, :96]).save("photo.jpg")
    Image.fromarray(np.full((64, 96), 0, np.uint8)).save("mask.png")
    (lines,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, object] = {}
    exec(lines, names)
    restored = names["restored"]
    assert isinstance(restored, Image.Image) and restored.size == (96, 64)


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / ".github/CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == project["version"]
    assert f"version = {{{project['version']}}}" in README
    changes = (ROOT / ".github/CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {project['version']}\n" in changes
