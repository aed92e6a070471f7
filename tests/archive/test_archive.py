"""Archives: every photo once, none lost, none twice, nothing of the user's touched."""

import argparse
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from PIL import Image

from oldphoto.archive import engines
from oldphoto.archive import worker as archive_worker
from oldphoto.archive.engines import batches_of, run_pool, run_ray
from oldphoto.archive.manifest import NAME, Manifest, Row
from oldphoto.archive.run import Engine, restore_archive
from oldphoto.archive.storage import Storage
from oldphoto.archive.tasks import Listing, Task, list_sources, plan_tasks
from oldphoto.archive.worker import ArchiveWorker, MakeWorker, Settings
from oldphoto.checks import InputError
from oldphoto.cli import train
from oldphoto.cli.main import main
from oldphoto.system.files import sha256_of
from tests.archive.workers import MASKED, fails_to_start, inverted, make_quick, no_mask

pytest.importorskip("pyarrow")

POOL: Engine = partial(run_pool, num_workers=2, batch_size=2)


def here(make_worker: MakeWorker, tasks: list[Task]) -> Iterator[Row]:
    """Run the batches in this process."""
    worker = make_worker()
    for batch in batches_of(tasks, 2):
        yield from worker(batch)


@pytest.fixture(params=["pool", "ray"])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "pool":
        return POOL
    pytest.importorskip("ray")
    return partial(run_ray, num_workers=2, batch_size=2, num_cpus=0.5)


def draw(path: Path, level: int, poison: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((20, 24, 3), level, np.uint8)
    if poison:
        pixels[0, 0] = 1, 2, 3
    Image.fromarray(pixels).save(path)
    return path


def run(words: list[str], out: Path, engine: Engine, **more: object) -> dict[str, Row]:
    """Restore with quick workers; every photo comes once."""
    rows = list(
        restore_archive(
            words, str(out), engine, Settings(), True, make_worker=make_quick(out, **more)
        )
    )
    assert len({row.source for row in rows}) == len(rows)
    return {Path(row.source).name: row for row in rows}


def test_every_photo_is_restored_once_and_a_second_run_does_nothing(
    tmp_path: Path, engine: Engine
) -> None:
    for number in range(5):
        draw(tmp_path / "scans" / f"{number}.png", 10 * number)
    draw(tmp_path / "scans" / "1950" / "5.png", 50)
    (tmp_path / "scans" / "bad.png").write_bytes(b"no picture")
    out, begun = tmp_path / "out", tmp_path / "begun.txt"

    rows = run([str(tmp_path / "scans")], out, engine, record=str(begun))

    assert set(rows) == {f"{number}.png" for number in range(6)} | {"bad.png"}
    assert rows["5.png"].result == "1950/5.png"
    assert [name for name, row in rows.items() if row.error] == ["bad.png"]
    for number in range(6):
        row = rows[f"{number}.png"]
        assert sha256_of(out / row.result) == row.result_sha256
        assert sha256_of(Path(row.source)) == row.sha256
        assert np.asarray(Image.open(out / row.result))[0, 0, 0] == 255 - 10 * number
    assert Manifest(Storage(str(out))).read() == {row.source: row for row in rows.values()}
    hidden = [path for path in (out / ".oldphoto").rglob("*") if path.is_file()]
    assert [path.name for path in hidden] in ([], ["lock"])
    before = begun.read_text()

    again = run([str(tmp_path / "scans")], out, engine, record=str(begun))

    assert begun.read_text() == before
    good = {name: row for name, row in rows.items() if not row.error}
    assert {name: row for name, row in again.items() if not row.error} == good


def test_a_photo_that_kills_its_process_is_named_and_the_others_are_restored(
    tmp_path: Path, engine: Engine
) -> None:
    for number in range(6):
        draw(tmp_path / "scans" / f"{number}.png", 10 * number, poison=number == 2)
    out, begun = tmp_path / "out", tmp_path / "begun.txt"

    rows = run([str(tmp_path / "scans")], out, engine, record=str(begun))

    assert [name for name, row in rows.items() if row.error] == ["2.png"]
    assert "died 3 times" in rows["2.png"].error
    assert not (out / "2.png").exists()
    assert sorted(path.name for path in out.glob("*.png")) == [f"{n}.png" for n in (0, 1, 3, 4, 5)]


@pytest.mark.parametrize("who", ["worker", "driver"])
def test_after_a_kill_each_photo_is_there_once(tmp_path: Path, who: str, engine_name: str) -> None:
    import psutil

    for number in range(12):
        draw(tmp_path / "scans" / f"{number}.png", 10 * number)
    out, begun = tmp_path / "out", tmp_path / "begun.txt"
    script = tmp_path / "drive.py"
    script.write_text(textwrap.dedent(DRIVER), encoding="utf-8")
    words = [
        sys.executable,
        str(script),
        str(tmp_path / "scans"),
        str(out),
        str(begun),
        engine_name,
    ]
    process = subprocess.Popen(words, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    try:
        wait_for(lambda: begun.exists() and len(begun.read_text().splitlines()) >= 4)
        if who == "worker":
            os.kill(int(begun.read_text().split()[0]), signal.SIGTERM)
        else:
            workers = {int(line.split()[0]) for line in begun.read_text().splitlines()}
            process.kill()
            # Workers that nobody listens to end by themselves.
            wait_for(lambda: not any(psutil.pid_exists(number) for number in workers))
        code = process.wait(120)
    finally:
        process.kill()
    assert (code == 0) == (who == "worker")

    rows = run([str(tmp_path / "scans")], out, here, record=str(begun))

    assert len(rows) == 12 and not any(row.error for row in rows.values())
    assert sorted(path.name for path in out.glob("*.png")) == sorted(rows)
    for row in rows.values():
        assert sha256_of(out / row.result) == row.result_sha256
    # At most the batches that were running are begun twice.
    assert len(begun.read_text().splitlines()) <= 12 + 4


@pytest.fixture(params=["pool", "ray"])
def engine_name(request: pytest.FixtureRequest) -> str:
    if request.param == "ray":
        pytest.importorskip("ray")
    return str(request.param)


DRIVER = """
import sys
from functools import partial
from oldphoto.archive.engines import batches_of, run_pool, run_ray
from oldphoto.archive.run import restore_archive
from oldphoto.archive.worker import Settings
from tests.archive.workers import make_quick

if __name__ == "__main__":
    source, out, begun, name = sys.argv[1:]
    more = {"num_cpus": 0.5} if name == "ray" else {}
    engine = partial({"pool": run_pool, "ray": run_ray}[name], num_workers=2, batch_size=2, **more)
    worker = make_quick(out, record=begun, seconds=0.5)
    list(restore_archive([source], out, engine, Settings(), make_worker=worker))
"""


def wait_for(condition: object, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_other_settings_restore_anew_and_files_of_the_user_stay(tmp_path: Path) -> None:
    draw(tmp_path / "scans" / "a.png", 10)
    draw(tmp_path / "scans" / "b.png", 20)
    out, begun = tmp_path / "out", tmp_path / "begun.txt"
    mine = draw(out / "b.png", 77).read_bytes()

    rows = run([str(tmp_path / "scans")], out, here)
    assert "not a file that this command wrote" in rows["b.png"].error
    assert (out / "b.png").read_bytes() == mine

    run([str(tmp_path / "scans")], out, here, made_with="other", record=str(begun))
    assert len(begun.read_text().splitlines()) == 1  # a.png
    assert (out / "b.png").read_bytes() == mine

    draw(out / "a.png", 99)  # the user paints on a result
    rows = run([str(tmp_path / "scans")], out, here)
    assert "not a file that this command wrote" in rows["a.png"].error
    assert np.asarray(Image.open(out / "a.png"))[0, 0, 0] == 99


@pytest.mark.skipif(os.name == "nt", reason="links need rights of their own on Windows")
def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    draw(tmp_path / "scans" / "1950" / "a.png", 10)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "1950").symlink_to(elsewhere)
    rows = run([str(tmp_path / "scans")], tmp_path / "out", here)
    assert rows["a.png"].error
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("killed_at", ["manifest", "names"])
def test_a_run_killed_between_manifest_and_names_is_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: str
) -> None:
    """Old results of other settings are replaced: neither the old nor the new one may be lost."""
    photos = [draw(tmp_path / "scans" / f"{name}.png", 10) for name in "ab"]
    out = tmp_path / "out"
    run([str(tmp_path / "scans")], out, here)
    old = sha256_of(out / "a.png")

    manifest = Manifest(Storage(str(out)))
    tasks = plan_tasks(
        list_sources([str(tmp_path / "scans")], False, manifest.storage), manifest.read()
    )
    brighter = ArchiveWorker(str(out), lambda pixels, mask: pixels + 1, no_mask, None, "brighter")
    kept = brighter.storage.place_file
    placed = []

    def dying(path: Path, name: str) -> None:
        if name.endswith(".parquet"):
            if killed_at == "manifest":
                raise KeyboardInterrupt
        elif name.endswith(".png"):
            if placed:
                raise KeyboardInterrupt
            placed.append(name)
        kept(path, name)

    monkeypatch.setattr(brighter.storage, "place_file", dying)
    with pytest.raises(KeyboardInterrupt):
        brighter(tasks)
    assert (sha256_of(out / "a.png") == old) == (killed_at == "manifest")
    assert sha256_of(out / "b.png") == old

    rows = run([str(tmp_path / "scans")], out, here, made_with="once more")
    assert not any(row.error for row in rows.values())
    assert {sha256_of(out / photo.name) for photo in photos} == {old}


def test_a_clock_that_was_set_back_makes_no_old_row_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(tmp_path / "scans" / "a.png", 10)
    draw(tmp_path / "scans" / "b.png", 20)
    out, now = tmp_path / "out", 4e9
    monkeypatch.setattr(archive_worker, "time", SimpleNamespace(time=lambda: now))

    def stopped(make_worker: MakeWorker, tasks: list[Task]) -> Iterator[Row]:
        yield from make_worker()(tasks[-1:])
        raise KeyboardInterrupt

    run([str(tmp_path / "scans")], out, here)
    for now in (2e9, 0.0):
        draw(tmp_path / "scans" / "b.png", 30 + int(now / 1e9))
        with pytest.raises(KeyboardInterrupt):
            run([str(tmp_path / "scans")], out, stopped)
    draw(tmp_path / "scans" / "b.png", 40)
    rows = run([str(tmp_path / "scans")], out, here)
    assert not any(row.error for row in rows.values())
    assert np.asarray(Image.open(out / "b.png"))[0, 0, 0] == 255 - 40


def test_workers_that_cannot_start_end_the_run(tmp_path: Path) -> None:
    draw(tmp_path / "scans" / "a.png", 10)
    with pytest.raises(RuntimeError, match="before they begin a photo"):
        list(
            restore_archive(
                [str(tmp_path / "scans")],
                str(tmp_path / "out"),
                POOL,
                Settings(),
                make_worker=fails_to_start,  # type: ignore[arg-type]
            )
        )


def test_an_object_store_is_read_and_written(tmp_path: Path) -> None:
    store = Storage("memory://scans/of")
    for name in ("x/1.png", "2.jpg"):
        store.write(name, draw(tmp_path / Path(name).name, 30).read_bytes())
    store.write("x/notes.txt", b"")
    out = Storage("memory://scans/restored")
    listing = list_sources(["memory://scans/of"], True, out)
    assert listing.left_out == [
        "left out (the ending is none of a photo's): 1 in memory://scans/of"
    ]
    worker = ArchiveWorker("memory://scans/restored", inverted, no_mask, None, "test")
    rows = worker(plan_tasks(listing, {}))
    assert [(row.result, row.error) for row in rows] == [("2.jpg", ""), ("x/1.png", "")]
    assert out.sha256("x/1.png") == rows[1].result_sha256
    again = worker(plan_tasks(listing, worker.manifest.read()))
    assert again == rows


def test_lists_of_photos(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    draw(tmp_path / "a.png", 1)
    (tmp_path / "list.txt").write_text("a.png\n\nmemory://b/c.png\n", encoding="utf-8")
    out = Storage(str(tmp_path / "out"))
    expected = {str(tmp_path / "a.png"): "", "memory://b/c.png": ""}
    assert list_sources([str(tmp_path / "list.txt")], False, out).folders == expected
    table = pyarrow.table({"source": ["a.png", "memory://b/c.png"]})
    parquet.write_table(table, tmp_path / "list.parquet")
    assert list_sources([str(tmp_path / "list.parquet")], False, out).folders == expected
    for bad in ({"source": ["a.png", None]}, {"path": ["a.png"]}):
        parquet.write_table(pyarrow.table(bad), tmp_path / "bad.parquet")
        with pytest.raises(InputError):
            list_sources([str(tmp_path / "bad.parquet")], False, out)


def test_a_name_stays_when_photos_are_added() -> None:
    first = plan_tasks(Listing({"/y/a.jpg": ""}, []), {})
    known = {task.source: Row(task.source, task.result) for task in first}
    both = plan_tasks(Listing({"/x/a.jpg": "", "/y/a.jpg": ""}, []), known)
    assert [task.result for task in both] == ["a_2.jpg", "a.jpg"]


def test_a_manifest_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"my own")
    with pytest.raises(InputError, match="not a manifest of this program"):
        Manifest(Storage(str(tmp_path))).read()


def test_the_command_gives_the_bytes_of_the_local_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scans = [draw(tmp_path / "scans" / f"{number}.png", 40 * number + 20) for number in range(2)]
    (tmp_path / "scans" / "notes.jpg").write_bytes(b"no picture")
    draw_mask(tmp_path / "masks" / "1.png", 3)
    words = [str(tmp_path / "scans"), "--device", "cpu", "--precision", "fp32"]
    words += ["--mask", str(tmp_path / "masks")]
    assert main(["restore", *words, "--output", str(tmp_path / "local")]) == 1
    pool = ["--engine", "pool", "--workers", "1"]
    assert main(["restore", *words, "--output", str(tmp_path / "pool"), *pool]) == 1
    printed = capsys.readouterr()
    assert "2 of 3 photos are in" in printed.out
    assert "notes.jpg not restored" in printed.err
    assert "no mask for 2 of 3 photos" in printed.err
    for scan in scans:
        one, other = (tmp_path / engine / scan.name for engine in ("local", "pool"))
        assert one.read_bytes() == other.read_bytes()


def test_ray_gets_a_task_as_a_row_and_back() -> None:
    done = Row("a.png", "b.png", sha256="1", finished=2.0, mask_sha256="3")
    for task in (Task("a.png", "b.png", mask="m.png"), Task("a.png", "b.png", done)):
        assert engines._task(engines._flat(task)) == task


def draw_mask(path: Path, columns: int) -> Path:
    """Mark the first columns of a photo of ``draw``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros((20, 24), np.uint8)
    mask[:, :columns] = 255
    Image.fromarray(mask).save(path)
    return path


def test_masks_from_files_come_to_their_photos_and_a_new_mask_is_new_work(
    tmp_path: Path, engine: Engine
) -> None:
    for name in ("a.png", "1950/a.png", "b.png"):
        draw(tmp_path / "scans" / name, 10)
    masks, out, begun = tmp_path / "scans" / "masks", tmp_path / "out", tmp_path / "begun.txt"
    draw_mask(masks / "a.png", 4)
    draw_mask(masks / "1950" / "A.png", 6)

    def restored() -> dict[str, int]:
        """Restore; return how many pixels of each result were masked."""
        make = make_quick(out, record=str(begun))
        words = [str(tmp_path / "scans")]
        rows = restore_archive(
            words, str(out), engine, Settings(), True, make_worker=make, masks=masks
        )
        found = {}
        for row in rows:
            assert not row.error
            pixels = np.asarray(Image.open(out / row.result))[..., 0]
            found[row.result] = int((pixels == MASKED).sum())
            assert row.masked_fraction == pytest.approx(found[row.result] / pixels.size)
        return found

    assert restored() == {"a.png": 80, "1950/a.png": 120, "b.png": 0}
    assert restored() == {"a.png": 80, "1950/a.png": 120, "b.png": 0}
    assert len(begun.read_text().splitlines()) == 3
    draw_mask(masks / "a.png", 5)
    assert restored() == {"a.png": 100, "1950/a.png": 120, "b.png": 0}
    assert len(begun.read_text().splitlines()) == 4


def test_masks_that_cannot_belong_to_an_archive_are_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = draw(tmp_path / "a.png", 10)
    words = ["restore", str(photo), "--output", str(tmp_path / "out"), "--engine", "pool"]
    draw_mask(tmp_path / "masks" / "other.png", 3)
    for more, told in (
        (["--mask", str(photo)], "a folder of masks"),
        (["--mask", str(tmp_path / "masks")], "has the name of a photo"),
        (["--inverted"], "give their folder with --mask"),
        (["--mask", "auto", "--save-masks", str(tmp_path / "new")], "needs --engine local"),
    ):
        assert main([*words, *more]) == 2
        assert told in capsys.readouterr().err
    assert not list(tmp_path.glob("out/*.png"))


def test_the_snippets_of_the_page_are_yaml_and_commands_that_exist() -> None:
    page = (Path(__file__).parents[2] / "oldphoto" / "archive" / "README.md").read_text("utf-8")
    blocks = dict(re.findall(r"```(bash|yaml)\n(.*?)```", page, re.DOTALL))
    service, job = yaml.safe_load_all(blocks["yaml"])
    pod = job["spec"]["template"]["spec"]
    # A pod of an indexed job is called JOB-INDEX, and found below the name of the service.
    host = f"{job['metadata']['name']}-0.{service['metadata']['name']}"
    container = pod["containers"][0]
    assert f"--rdzv-endpoint={host}:29500" in container["args"]
    assert service["spec"]["selector"]["job-name"] == job["metadata"]["name"]
    assert pod["subdomain"] == service["metadata"]["name"]
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    for words in (container["args"], blocks["bash"].replace("\\\n", " ").split()):
        parser.parse_args([str(word) for word in words[words.index("train") + 1 :]])


def test_another_attention_is_another_way_to_restore(tmp_path: Path) -> None:
    fast, exact = (
        ArchiveWorker.load(str(tmp_path), Settings(device="cpu", attention=attention)).made_with
        for attention in ("fast", "exact")
    )
    assert fast != exact
