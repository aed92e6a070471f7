"""The doctor: made-up machines, one clear line and a remedy for each problem, and this machine."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest

from oldphoto.checks import InputError
from oldphoto.cli import doctor as command
from oldphoto.cli import main as cli
from oldphoto.course.doctor import checks as doctor
from oldphoto.course.doctor import facts as doctor_facts
from oldphoto.course.doctor.checks import GIB, Facts, StoredRun, examine, exit_code
from oldphoto.system.files import sha256_of

HEALTHY = Facts(
    needs={"torch": "2.4", "ipywidgets": "8"},
    versions={"torch": "2.13.0+cpu", "ipywidgets": "8.1.9"},
    runs=(StoredRun("00_restore", 20, GIB), StoredRun("04_vae", 100, GIB)),
)
PROBLEMS = {
    "old Python": ({"python": (3, 10, 2)}, "Python 3.10.2 is older than 3.11", "install Python"),
    "missing": (
        {"versions": {"torch": "2.13", "ipywidgets": None}},
        "the package ipywidgets is missing",
        "pip install -r requirements.txt",
    ),
    "too old": (
        {"versions": {"torch": "2.3.1", "ipywidgets": "8"}},
        "torch 2.3.1 is older than 2.4",
        'pip install --upgrade "torch>=2.4"',
    ),
    "torchvision": (
        {"torchvision": "no operator"},
        "torchvision does not load: no operator",
        "together",
    ),
    "memory": ({"free_memory": GIB}, "only 1.0 of 8.0 GiB of memory are free", "--jobs 1"),
    "memory of a notebook": (
        {"free_memory": 3 * GIB, "runs": (StoredRun("x", 1, 3 * GIB),)},
        "the course needs 3.5 GiB",
        "close other programs",
    ),
    "rights": (
        {"not_writable": {"current": "/readonly"}},
        "the current folder /readonly cannot be written",
        "folder of your own",
    ),
    "rights of a cache": (
        {"not_writable": {"cache MPLCONFIGDIR": "/none"}},
        "the cache MPLCONFIGDIR folder /none cannot be written",
        "set the variable MPLCONFIGDIR",
    ),
    "disk": ({"free_disk": GIB // 2}, "only 0.5 GiB of disk are free", "delete files"),
    "widgets": ({"widget_error": "no module"}, "sliders would not work: no module", "ipywidgets"),
    "fonts": ({"font_error": "no DejaVu"}, "figures have no font: no DejaVu", "matplotlib"),
    "weights": (
        {"damaged": ("small/vae_clean.safetensors",)},
        "small/vae_clean.safetensors is missing or damaged",
        "reinstall the package",
    ),
}


def texts(facts: Facts, state: str) -> list[str]:
    return [finding.text for finding in examine(facts) if finding.state == state]


def test_a_healthy_machine_has_no_problem():
    findings = examine(HEALTHY)
    assert {finding.state for finding in findings} == {"ok"}
    assert exit_code(findings) == 0


@pytest.mark.parametrize(("change", "text", "remedy"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_each_problem_has_one_line_and_a_remedy(change, text, remedy):
    findings = examine(replace(HEALTHY, **change))
    problems = [finding for finding in findings if finding.state == "problem"]
    assert len(problems) == 1 and exit_code(findings) == 1
    assert text in problems[0].text and remedy in problems[0].remedy
    assert "\n" not in str(problems[0])


def test_what_is_only_worth_knowing_is_no_problem():
    odd = replace(HEALTHY, python=(3, 14, 0), torchvision="patched", unused_gpu=True, runs=())
    assert texts(replace(HEALTHY, conflicts=("a 1 requires b",)), "note") == [
        "pip check: a 1 requires b"
    ]
    notes = texts(odd, "note")
    assert len(notes) == 4 and exit_code(examine(odd)) == 0
    assert "the newest that is tested" in notes[0] and "works around it" in notes[1]
    assert "built without it" in notes[2] and "no notebooks" in notes[3]
    with_gpu = replace(odd, gpu="H200")
    assert "graphics card: H200" in texts(with_gpu, "ok") and len(texts(with_gpu, "note")) == 3


def test_times_are_scaled_by_the_measurement():
    slow = replace(HEALTHY, benchmark=3 * doctor.REFERENCE_SECONDS)
    lines = texts(slow, "ok")
    assert "notebook 00_restore: about 60 s" in lines
    assert "notebook 04_vae: about 5.0 min" in lines
    assert "all 2 one after another: about 6.0 min (estimated from a small measurement)" in lines


def test_a_folder_under_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("here", encoding="utf-8")
    assert doctor_facts.can_write(tmp_path / "new" / "deep")
    assert not doctor_facts.can_write(tmp_path / "file")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]  # and nothing stays behind


def test_damaged_and_missing_weights_are_named(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    for name in ("whole", "cut", "gone"):
        weights = folder / f"{name}.safetensors"
        weights.write_bytes(b"0123456789")
        card = {"sha256": sha256_of(weights)}
        weights.with_suffix(".json").write_text(json.dumps(card), encoding="utf-8")
    (folder / "cut.safetensors").write_bytes(b"01234")
    (folder / "gone.safetensors").unlink()
    for number, text in enumerate(("", "[]", "5", "null", '"a"', "[" * 100_000)):
        (folder / f"odd_{number}.json").write_text(text, encoding="utf-8")
    odd = [f"odd_{number}" for number in range(6)]
    named = [str(Path("small", f"{name}.safetensors")) for name in ("cut", "gone", *odd)]
    assert doctor_facts.damaged_weights(tmp_path) == named
    assert doctor_facts.cut_files(folder) == ["cut.safetensors", "whole.safetensors"]
    assert doctor_facts.damaged_weights(tmp_path / "none") == ["the folder of weights none"]


def test_this_machine(capsys):
    assert cli.main(["doctor"]) in (0, 1)  # a full disk is no fault of the program
    printed = capsys.readouterr().out
    for part in ("Python 3", "packages are new enough", "torchvision", "memory", "CPU core"):
        assert part in printed
    assert "ok       the shipped weights and photos are intact" in printed
    assert "ok       sliders work (ipywidgets" in printed
    assert "ok       figures have their font" in printed
    assert "notebook 00_restore_a_photo: about" in printed
    assert printed.splitlines()[-1].endswith("problems") or printed.endswith("1 problem\n")


def test_missing_packages_are_told_before_anything_is_imported(monkeypatch, capsys):
    present = command.version_of
    monkeypatch.setattr(command, "version_of", lambda n: None if n == "torch" else present(n))
    assert command.run(argparse.Namespace(notebooks=None)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[0].startswith("problem  the package torch is missing; remedy:")


def test_a_named_folder_without_notebooks_is_refused(tmp_path):
    with pytest.raises(InputError, match="no notebooks of the course"):
        doctor_facts.stored_runs(tmp_path)
