"""Photos whose names are beyond ASCII, or no text at all, in a terminal that knows neither."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_tools.catalogue import read_catalogue
from oldphoto.archive.engines import run_pool
from oldphoto.archive.manifest import Manifest
from oldphoto.archive.run import restore_archive
from oldphoto.archive.storage import Storage
from oldphoto.archive.worker import Settings
from oldphoto.checks import InputError
from oldphoto.cli.main import main
from oldphoto.course.study.study import Study
from oldphoto.system.outputs import OutputFolder
from oldphoto.training.run_record import catalogue_hash
from tests.archive.workers import make_quick

ROOT = Path(__file__).parents[2]
NAMES = ["Großmutter Ä.png", "plain.png", "写真.png"]
NO_TEXT = os.fsdecode(b"M\xfcller.png") if os.name != "nt" else "M\udcfcller.png"
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")


def photos(folder: Path, names: list[str]) -> Path:
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (200, 240, 3), np.uint8)
    for number, name in enumerate(names):
        Image.fromarray(np.roll(pixels, 20 * number, axis=1)).save(folder / name)
    return folder


@pytest.mark.skipif(os.name == "nt", reason="file names are always Unicode there")
def test_where_letters_are_ascii_the_records_hold_the_names_all_the_same(tmp_path):
    folder = photos(tmp_path / "in", NAMES)
    odd = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    run = partial(
        subprocess.run, env=os.environ | odd, cwd=ROOT, capture_output=True, encoding="ascii"
    )
    for command in ("catalogue", "split", "catalogue"):  # the last two read what the first wrote
        done = run([sys.executable, "-m", "data_tools", command, str(folder)], check=False)
        assert done.returncode == 0, done.stderr
    rows = read_catalogue(folder / "catalogue.csv")
    assert sorted(row.path for row in rows) == sorted(NAMES)
    assert {row.status for row in rows} == {"kept"}
    done = run([sys.executable, "-m", "oldphoto", "restore", "Ö.png", "--output", "x"], check=False)
    assert done.returncode == 2
    assert "expected a photo or a folder of photos at \\xd6.png" in done.stderr


def test_tables_escape_the_bytes_of_a_name_that_is_no_text(tmp_path):
    with OutputFolder(tmp_path) as out:
        path = out.write_text("scores.csv", f"{NO_TEXT},1\nGroßmutter,2\n", "evaluate")
    assert path.read_text(encoding="utf-8") == "M\\udcfcller.png,1\nGroßmutter,2\n"


def test_a_training_photo_whose_name_is_no_text_has_a_hash():
    assert catalogue_hash([Path(NO_TEXT)]) != catalogue_hash([Path("Mller.png")])


@only_linux
def test_an_archive_leaves_out_what_its_manifest_cannot_name(tmp_path):
    pytest.importorskip("pyarrow")
    folder, out, listed = photos(tmp_path / "in", [*NAMES, NO_TEXT]), tmp_path / "out", []
    engine = partial(run_pool, num_workers=1, batch_size=2)
    rows = list(
        restore_archive(
            [str(folder)], str(out), engine, Settings(), False, listed.append, make_quick(out)
        )
    )
    assert sorted(Path(row.source).name for row in rows) == sorted(NAMES)
    assert not any(row.error for row in rows)
    assert listed[0].num_lost == 1
    assert listed[0].left_out == [
        f"left out (its name is not UTF-8 text: rename it): {folder / NO_TEXT}"
    ]
    assert len(Manifest(Storage(str(out))).read()) == len(NAMES)


def test_a_list_of_photos_in_another_encoding_is_refused(tmp_path, capsys):
    pytest.importorskip("pyarrow")
    (tmp_path / "list.txt").write_bytes("Großmutter.png\n".encode("latin-1"))
    words = ["restore", str(tmp_path / "list.txt"), "--output", str(tmp_path / "out")]
    assert main([*words, "--engine", "pool"]) == 2
    assert "list.txt is not UTF-8 text: save the list as UTF-8" in capsys.readouterr().err


def test_a_study_names_what_a_database_can_hold():
    with pytest.raises(InputError, match=r"the name of photo .* is not UTF-8 text: rename it"):
        Study((NO_TEXT,), ("ours", "input"), 0)
