"""The training laboratory: logs, smoothing, curves, checkpoints, kills, memory, the two widgets."""

import shutil

import ipywidgets
import numpy as np
import pytest
import torch
from matplotlib import pyplot

from oldphoto.checks import InputError
from oldphoto.config import PRESETS
from oldphoto.course.common import read_log, shortened
from oldphoto.course.lessons.training import curves as lab
from oldphoto.training.checkpoint import load_newest, save_checkpoint
from oldphoto.training.memory_estimate import StepCost

LOG = {
    "step": np.arange(2.0, 22.0, 2.0),
    "photos_per_second": np.ones(10),
    "rate": np.ones(10),
    "l1": np.linspace(5, 1, 10),
    "discriminator": np.linspace(0.2, 0.3, 10),
}
COSTS = {"a": StepCost(lab.GIB, 0, lab.GIB / 4, 1.0), "b": StepCost(2 * lab.GIB, 0, lab.GIB, 9.0)}


def find(view: ipywidgets.Widget, kind: type) -> list:
    """All widgets of a kind inside a view."""
    inside = [w for child in getattr(view, "children", ()) for w in find(child, kind)]
    return ([view] if isinstance(view, kind) else []) + inside


def errors_of(view: ipywidgets.Widget) -> list:
    return [output for log in find(view, ipywidgets.Output) for output in log.outputs]


def test_shortened_changes_the_named_stages_alone():
    short = shortened(PRESETS["tiny"], {"mapping": 16})
    assert short.stages["mapping"].num_photos == 16
    assert short.stages["vae-clean"] == PRESETS["tiny"].stages["vae-clean"]
    with pytest.raises(InputError, match="stage"):
        shortened(PRESETS["tiny"], {"faces": 16})


def test_log_is_read_as_columns(tmp_path):
    (tmp_path / "log.csv").write_text("step,l1\n2,0.5\n4,0.25\n", encoding="utf-8")
    log = read_log(tmp_path)
    assert log["step"].tolist() == [2, 4] and log["l1"].tolist() == [0.5, 0.25]
    with pytest.raises(InputError, match="train first"):
        read_log(tmp_path / "elsewhere")


def test_smoothing_has_the_values_computed_by_hand():
    assert lab.smoothed(np.array([4.0, 0.0, 2.0]), 0.5).tolist() == [4, 2, 2]
    assert lab.smoothed(LOG["l1"], 0).tolist() == LOG["l1"].tolist()
    with pytest.raises(InputError, match="below 1"):
        lab.smoothed(LOG["l1"], 1)


def test_words_say_which_way():
    assert lab.curve_words(LOG, "l1") == "l1 falls from 4.56 to 1.44 in 20 steps."
    assert "rises" in lab.curve_words(LOG, "discriminator")


def test_curves_have_a_panel_a_term_and_a_line_a_log():
    fig = lab.draw_curves({"one": LOG, "other": {**LOG, "kl": 1e6 * LOG["l1"]}}, ["l1", "kl"])
    assert [len(axis.lines) for axis in fig.axes] == [2, 1]
    assert [axis.get_yscale() for axis in fig.axes] == ["linear", "log"]
    pyplot.close(fig)


def test_curves_view_is_driven_through_its_range(monkeypatch):
    view = lab.curves_view({"first": LOG, "second": {n: LOG[n] for n in ("step", "discriminator")}})
    stage, term = find(view, ipywidgets.Dropdown)
    fraction, picture = find(view, ipywidgets.IntSlider)[0], find(view, ipywidgets.HTML)[0]
    assert term.options == ("l1", "discriminator") and "first: l1 falls" in picture.value
    fraction.value = fraction.max
    term.value = "discriminator"
    term.value = "l1"  # of the first stage alone
    drawn, genuine = [], lab.draw_curves
    monkeypatch.setattr(lab, "draw_curves", lambda *a: drawn.append(a) or genuine(*a))
    stage.value = "second"
    assert term.options == ("discriminator",) and "second: discriminator rises" in picture.value
    assert len(drawn) == 1  # not once for the stage and once more for its terms
    assert not errors_of(view)


def test_memory_view_is_driven_through_its_range():
    view = lab.memory_view(COSTS)
    photos, picture = find(view, ipywidgets.IntSlider)[0], find(view, ipywidgets.HTML)[0]
    for value in (photos.min, 4, photos.max):
        photos.value = value
        assert f"{1 + photos.value / 4:.2f} GiB." in picture.value
    assert not errors_of(view)


def run_with_checkpoints(folder):
    """A run whose checkpoints of steps 1, 2 and 3 were saved; the oldest is removed by then."""
    layer = torch.nn.Linear(3, 2)
    for step in (1, 2, 3):
        save_checkpoint(folder / "checkpoints", step, {"layer": layer})
    return layer


def test_damaged_checkpoint_is_passed_over(tmp_path):
    layer = run_with_checkpoints(tmp_path)
    assert lab.saved_steps(tmp_path) == [2, 3]
    assert lab.damage(tmp_path).name == "step-00000003.pt"
    said = []
    step, _ = load_newest(tmp_path / "checkpoints", {"layer": layer}, report=said.append)
    assert step == 2 and "damaged" in said[0]


def test_parts_of_a_checkpoint_are_counted(tmp_path):
    run_with_checkpoints(tmp_path)
    parts = {part.name: part for part in lab.checkpoint_parts(tmp_path)}
    assert (parts["layer"].num_tensors, parts["layer"].num_bytes) == (2, 4 * (6 + 2))
    assert parts["random"].num_tensors >= 2


def test_process_that_ends_by_itself_is_told(tmp_path):
    with pytest.raises(InputError, match=r"killed\.log"):
        lab.kill_after(tmp_path, ["platform"], tmp_path / "run", step=1)
    assert (tmp_path / "killed.log").read_text(encoding="utf-8")


def test_process_is_killed_once_it_has_saved(tmp_path):
    program = (
        "import itertools, pathlib, time\n"
        "place = pathlib.Path('stage/checkpoints')\n"
        "place.mkdir(parents=True)\n"
        "for step in itertools.count(1):\n"
        "    (place / f'step-{step:08d}.json').write_text('{}')\n"
        "    time.sleep(0.05)\n"
    )
    (tmp_path / "slow_program.py").write_text(program, encoding="utf-8")
    newest = lab.kill_after(tmp_path, ["slow_program"], tmp_path / "stage", step=3)
    assert newest >= 3
    assert lab.saved_steps(tmp_path / "stage")[-1] == newest


def test_untrained_networks_depend_on_the_seed_alone():
    torch.manual_seed(5)
    one = lab.untrained(PRESETS["tiny"], 1)
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), after)  # the caller's random numbers are left as they were
    torch.manual_seed(6)
    other = lab.untrained(PRESETS["tiny"], 1)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_fresh_folder_is_empty(tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "old.txt").write_text("x", encoding="utf-8")
    assert list(lab.fresh_folder(tmp_path / "runs").iterdir()) == []


def test_fresh_folder_is_elsewhere_where_nothing_can_be_written(tmp_path):
    (tmp_path / "a file").touch()
    folder = lab.fresh_folder(tmp_path / "a file" / "runs")
    assert folder.name == "runs" and list(folder.iterdir()) == []
    shutil.rmtree(folder.parent)


def test_fresh_folder_deletes_nothing(tmp_path, capsys):
    photos = tmp_path / "runs"
    (lab.fresh_folder(photos) / "grandmother.jpg").write_text("x", encoding="utf-8")
    assert list(lab.fresh_folder(photos).iterdir()) == []
    assert f"{photos} held files: they are now in {photos}_2" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "runs_2").iterdir()] == ["grandmother.jpg"]
    (tmp_path / "link").symlink_to(tmp_path / "runs_2")
    with pytest.raises(InputError, match="is a link"):
        lab.fresh_folder(tmp_path / "link")
