"""The memory that may be taken: what is free, a container's limit, and the caller's limit."""

import psutil
import pytest
import torch

from oldphoto.checks import InputError
from oldphoto.system import memory
from oldphoto.system.memory import GIB, available_bytes, budget_bytes, used_bytes

CPU = torch.device("cpu")


def test_never_more_than_is_free():
    assert 0 < available_bytes(CPU) <= psutil.virtual_memory().available * 1.1
    assert used_bytes(CPU) > 1 << 20


def test_a_container_limit_counts(tmp_path, monkeypatch):
    limit, use = tmp_path / "limit", tmp_path / "use"
    limit.write_text("3000\n", encoding="ascii")
    use.write_text("1000\n", encoding="ascii")
    monkeypatch.setattr(memory, "_CGROUPS", ((limit, use),))
    assert available_bytes(CPU) == int(0.85 * 2000)
    use.write_text("4000\n", encoding="ascii")
    assert available_bytes(CPU) == 0


@pytest.mark.parametrize("content", ["max\n", "9223372036854771712\n"])
def test_a_container_without_limit_changes_nothing(tmp_path, monkeypatch, content):
    limit, use = tmp_path / "limit", tmp_path / "use"
    limit.write_text(content, encoding="ascii")
    use.write_text("1000\n", encoding="ascii")
    monkeypatch.setattr(memory, "_CGROUPS", ((limit, use), (tmp_path / "no", tmp_path / "no")))
    assert available_bytes(CPU) > GIB // 16


def test_the_callers_limit_includes_what_the_process_holds(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda _: 10 * GIB)
    monkeypatch.setattr(memory, "used_bytes", lambda _: 1 * GIB)
    assert budget_bytes(CPU, None) == 10 * GIB
    assert budget_bytes(CPU, 3) == 2 * GIB
    assert budget_bytes(CPU, 100) == 10 * GIB
    assert budget_bytes(CPU, 0.5) == 0


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf")])
def test_limits_that_mean_nothing_are_refused(wrong):
    with pytest.raises(InputError, match="memory limit must be greater than 0 GiB and finite, got"):
        budget_bytes(CPU, wrong)
