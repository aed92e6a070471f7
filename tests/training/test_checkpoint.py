"""Checkpoints: exact round trip, whole or not at all, damage passed over, refusals."""

import os
import random

import numpy as np
import pytest
import torch
from torch import nn

from oldphoto.checks import InputError
from oldphoto.system.files import sha256_of, write_json
from oldphoto.training import checkpoint


def make_parts(width: int = 4) -> dict[str, checkpoint.Stateful]:
    torch.manual_seed(0)
    network = nn.Linear(width, 1)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1)
    return {"network": network, "optimizer": optimizer}


def do_step(parts: dict) -> float:
    """One step that uses all three random generators."""
    noise = random.random() + np.random.rand()
    loss = (parts["network"](torch.randn(8, 4)) - noise).square().mean()
    parts["optimizer"].zero_grad()
    loss.backward()
    parts["optimizer"].step()
    return loss.item()


def test_three_steps_and_three_more_equal_six(tmp_path):
    random.seed(1)
    np.random.seed(1)
    parts = make_parts()
    losses = [do_step(parts) for _ in range(3)]
    checkpoint.save_checkpoint(tmp_path, 3, parts, {"best": 0.5})
    losses += [do_step(parts) for _ in range(3)]

    random.seed(99)
    np.random.seed(99)
    fresh = make_parts()
    assert checkpoint.load_newest(tmp_path, fresh) == (3, {"best": 0.5})
    assert [do_step(fresh) for _ in range(3)] == losses[3:]
    assert torch.equal(fresh["network"].weight, parts["network"].weight)


def test_nothing_saved_yet_is_none(tmp_path):
    assert checkpoint.load_newest(tmp_path, make_parts()) is None


def test_only_the_newest_two_are_kept(tmp_path):
    for step in (1, 2, 3):
        checkpoint.save_checkpoint(tmp_path, step, make_parts())
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"step-0000000{s}.{kind}" for s in (2, 3) for kind in ("json", "pt")]


def test_what_a_kill_in_the_last_save_left_behind_goes_when_the_run_is_resumed(tmp_path):
    for step in (2, 3):
        checkpoint.save_checkpoint(tmp_path, step, make_parts())
    for left_behind in ("step-00000001.pt", "step-00000004.pt", "step-00000005.pt.x.partial"):
        (tmp_path / left_behind).write_bytes(b"half")
    assert checkpoint.load_newest(tmp_path, make_parts())[0] == 3
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"step-0000000{s}.{kind}" for s in (2, 3) for kind in ("json", "pt")]


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "no sum", "no text"])
def test_a_damaged_newest_checkpoint_is_passed_over(tmp_path, damage):
    for step in (1, 2):
        checkpoint.save_checkpoint(tmp_path, step, make_parts())
    newest = checkpoint.checkpoint_path(tmp_path, 2)
    content = newest.read_bytes()
    if damage == "cut":
        newest.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        newest.write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])
    elif damage == "gone":
        newest.unlink()
    else:
        newest.with_suffix(".json").write_text("[]" if damage == "no sum" else "", encoding="utf-8")
    said: list[str] = []
    assert checkpoint.load_newest(tmp_path, make_parts(), report=said.append)[0] == 1
    assert len(said) == 1 and newest.name in said[0]


def test_all_damaged_is_an_error_not_a_fresh_start(tmp_path):
    checkpoint.save_checkpoint(tmp_path, 1, make_parts())
    checkpoint.checkpoint_path(tmp_path, 1).write_bytes(b"")
    with pytest.raises(InputError, match="all of them are damaged"):
        checkpoint.load_newest(tmp_path, make_parts(), report=lambda _: None)


def test_a_full_disk_leaves_the_checkpoint_before_it(tmp_path, monkeypatch):
    checkpoint.save_checkpoint(tmp_path, 1, make_parts())

    def full(payload, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save_checkpoint(tmp_path, 2, make_parts())
    monkeypatch.undo()
    assert not list(tmp_path.glob("*.partial"))
    assert checkpoint.load_newest(tmp_path, make_parts())[0] == 1


def test_another_configuration_is_refused_by_name(tmp_path):
    checkpoint.save_checkpoint(tmp_path, 1, make_parts())
    with pytest.raises(InputError, match="network is of another configuration"):
        checkpoint.load_newest(tmp_path, make_parts(width=5))
    with pytest.raises(InputError, match=r"holds \['network', 'optimizer'\]"):
        checkpoint.load_newest(tmp_path, {"network": nn.Linear(4, 1)})


class Code:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return (os.system, ("touch ran",))


@pytest.mark.parametrize(
    "payload",
    [
        {"model": {"weight": torch.zeros(2)}, "epoch": 3},
        [1, 2, 3],
        torch.zeros(3),
        {"step": 1, "random": {}, "parts": [1], "extra": {}},
        {"step": 1, "random": {}, "parts": {"network": 3, "optimizer": "x"}, "extra": {}},
        {"step": 1, "random": {}, "parts": {"network": {}, "optimizer": {}}, "extra": {}},
        Code(),
        b"not a file of torch",
    ],
    ids=lambda payload: type(payload).__name__,
)
def test_a_checkpoint_of_another_program_is_refused_in_a_sentence(tmp_path, monkeypatch, payload):
    monkeypatch.chdir(tmp_path)
    path = checkpoint.checkpoint_path(tmp_path, 1)
    if isinstance(payload, bytes):
        path.write_bytes(payload)
    else:
        torch.save(payload, path)
    write_json(path.with_suffix(".json"), {"step": 1, "sha256": sha256_of(path)})
    with pytest.raises(InputError, match=r"step-00000001\.pt"):
        checkpoint.load_newest(tmp_path, make_parts())
    assert not (tmp_path / "ran").exists()


def test_a_foreign_random_state_is_refused(tmp_path):
    path = checkpoint.save_checkpoint(tmp_path, 1, make_parts())
    payload = torch.load(path, weights_only=True)
    payload["random"]["python"] = (3, (1, 2), None)
    torch.save(payload, path)
    write_json(path.with_suffix(".json"), {"step": 1, "sha256": sha256_of(path)})
    with pytest.raises(InputError, match="holds no state of the random numbers"):
        checkpoint.load_newest(tmp_path, make_parts())


def test_foreign_and_deep_json_is_passed_over(tmp_path):
    checkpoint.save_checkpoint(tmp_path, 1, make_parts())
    for name in ("step-notes.json", "step-\u00b2.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    (tmp_path / "step-00000002.json").write_text("[" * 100_000, encoding="utf-8")
    said: list[str] = []
    assert checkpoint.load_newest(tmp_path, make_parts(), report=said.append)[0] == 1
    assert len(said) == 1
