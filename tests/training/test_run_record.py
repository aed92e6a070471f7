"""The card of a training: a hash of its photos, steps and hours from its log, its commit."""

import hashlib
import shutil
import subprocess
from types import SimpleNamespace

import pytest

from oldphoto.checks import InputError
from oldphoto.config import TINY
from oldphoto.training import run_record
from oldphoto.training.run_record import catalogue_hash, commit, log_facts, run_facts

LOG = """step,photos_per_second,rate,l1,discriminator
20,10,0.001,3.5,1.0
40,5,0.001,2.5,0.5
50,20,0.001,1.25,0.25
"""


def write_photos(folder, **sizes):
    folder.mkdir()
    for name, size in sizes.items():
        (folder / f"{name}.png").write_bytes(bytes(size))
    return sorted(folder.iterdir())


def test_the_hash_is_that_of_names_and_sizes(tmp_path):
    photos = write_photos(tmp_path / "a", b=5, a=3)
    assert catalogue_hash(photos) == hashlib.sha256(b"a.png 3\nb.png 5").hexdigest()
    moved = write_photos(tmp_path / "z", a=3, b=5)
    assert catalogue_hash(reversed(moved)) == catalogue_hash(photos)
    grown = write_photos(tmp_path / "c", a=3, b=6)
    assert catalogue_hash(grown) != catalogue_hash(photos)
    assert catalogue_hash([*photos, tmp_path / "gone.png"]) != catalogue_hash(photos)


def test_hours_are_those_of_the_steps(tmp_path):
    (tmp_path / "log.csv").write_text(LOG)
    facts = log_facts(tmp_path / "log.csv", photos_per_step=8)
    seconds = 20 * 8 / 10 + 20 * 8 / 5 + 10 * 8 / 20
    assert facts["steps"] == 50
    assert facts["hours"] == round(seconds / 3600, 4)
    assert facts["last_terms"] == {"l1": 1.25, "discriminator": 0.25}


@pytest.mark.parametrize("seed", ['"abc"', "[]", "{}", '""', "1e999", "0.5"])
def test_a_seed_that_is_none_is_another_one(tmp_path, seed):
    weights = tmp_path / "weights"
    weights.mkdir()
    text = f'{{"preset": {{}}, "seed": {seed}}}'
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    plan = SimpleNamespace(run=tmp_path, weights=weights, preset=TINY, seed=0)
    with pytest.raises(InputError, match=r"was trained with seed .*, but now seed is 0"):
        run_record.require_same_run(plan)


HEADER = LOG.splitlines()[0] + "\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}20,0,0.001,3.5,1", f"{HEADER}20,,0.001,3.5,1", f"{HEADER}x,1,1,1,1",
        f"{HEADER}20,1", f"{HEADER}1e400,1,1,1,1", f"{HEADER}nan,1,1,1,1", "a,b\n1,2\n",
        "\0\0\n\0", f"{HEADER}20,1,1,1,1,1,1",
    ],
)  # fmt: skip
def test_a_damaged_log_does_not_cost_the_weights(tmp_path, text):
    """They are written at the end, with what the log tells."""
    (tmp_path / "log.csv").write_text(text, encoding="utf-8")
    assert log_facts(tmp_path / "log.csv", 8) == {}
    (tmp_path / "log.csv").write_bytes(b"\xff\xfe\n\xff")
    assert log_facts(tmp_path / "log.csv", 8) == {}


def test_a_run_without_a_row_says_only_what_it_knows(tmp_path):
    (tmp_path / "log.csv").write_text(LOG.splitlines()[0] + "\n")
    assert log_facts(tmp_path / "log.csv", 8) == {}
    facts = run_facts([], tmp_path / "none.csv", 8, "cpu")
    assert set(facts) == {"catalogue_sha256", "commit", "device"}
    assert facts["device"] == "cpu"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_commit_is_that_of_the_clone_and_tells_changes(tmp_path, monkeypatch):
    def git(*words):
        mine = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        done = subprocess.run(
            ["git", *mine, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    module = tmp_path / "run_record.py"
    module.write_text("first")
    monkeypatch.setattr(run_record, "__file__", str(module))
    git("init", "-q")
    assert commit() is None  # a clone of something else: this file is not one of it
    git("add", "run_record.py")
    git("commit", "-q", "-m", "first")
    assert commit() == git("rev-parse", "HEAD")
    module.write_text("second")
    assert commit() == git("rev-parse", "HEAD") + "+"


def test_without_git_there_is_no_commit(monkeypatch):
    def gone(*_args, **_kwargs):
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", gone)
    assert commit() is None


@pytest.mark.parametrize(
    "text",
    [
        "[]", "null", "[" * 100_000, "{", '{"preset": null}', '{"preset": "tiny"}',
        '{"preset": []}', '{"preset": {}, "command": 5}',
    ],
)  # fmt: skip
def test_settings_that_are_no_table_are_one_sentence(tmp_path, text):
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"config\.json (is not a JSON file|holds no settings)"):
        run_record._read(tmp_path / "config.json", run_record._TABLES)
