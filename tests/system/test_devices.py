"""The best device that is here is chosen; one that is not here is refused in a sentence."""

import os
import subprocess
import sys

import pytest
import torch

from oldphoto.checks import InputError
from oldphoto.system import devices
from oldphoto.system.devices import choose_device, is_fast_at_bf16, require_compiler


@pytest.mark.parametrize(
    ("here", "chosen"),
    [({"cuda", "mps", "cpu"}, "cuda"), ({"mps", "cpu"}, "mps"), ({"cpu"}, "cpu")],
)
def test_cuda_then_mps_then_cpu(monkeypatch, here, chosen):
    monkeypatch.setattr(devices, "_is_here", lambda kind: kind in here)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_device().type == chosen


def test_named_devices(monkeypatch):
    assert choose_device("cpu") == choose_device(torch.device("cpu")) == torch.device("cpu")
    monkeypatch.setattr(devices, "_is_here", lambda kind: kind == "cpu")
    with pytest.raises(InputError, match="device cuda is not available on this machine"):
        choose_device("cuda")
    with pytest.raises(InputError, match="device meta is not available"):
        choose_device("meta")
    with pytest.raises(InputError, match="must be cuda, mps or cpu; got 'gpu'"):
        choose_device("gpu")


def test_a_cuda_device_of_too_high_a_number_is_refused(monkeypatch):
    monkeypatch.setattr(devices, "_is_here", lambda kind: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(InputError, match="device cuda:1 is not available"):
        choose_device("cuda:1")


@pytest.mark.parametrize(("capability", "fast"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_bf16_is_fast_on_cuda_since_ampere(monkeypatch, capability, fast):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert is_fast_at_bf16(torch.device("cuda")) is fast
    assert is_fast_at_bf16(torch.device("mps")) is False


def test_bf16_is_fast_on_a_cpu_that_says_so(monkeypatch):
    names = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    for name in names:
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert is_fast_at_bf16(torch.device("cpu")) is False
    monkeypatch.setattr(torch.cpu, names[1], lambda: True)
    assert is_fast_at_bf16(torch.device("cpu")) is True
    for name in names:
        monkeypatch.delattr(torch.cpu, name)
    assert is_fast_at_bf16(torch.device("cpu")) is False


@pytest.mark.parametrize(
    ("error", "reason"), [(AssertionError(), "AssertionError"), (RuntimeError("a.\nb"), "a")]
)
def test_a_compiler_that_fails_is_one_sentence_whatever_it_says(monkeypatch, error, reason):
    def fail(_function: object) -> None:
        raise error

    monkeypatch.setattr(torch, "compile", fail)
    with pytest.raises(InputError, match=rf"does not work here \({reason}\): leave out"):
        require_compiler(torch.device("cpu"))


def test_without_a_compiler_compile_is_refused_in_a_sentence_before_anything_is_written(tmp_path):
    # The compiler is looked up once per process, so this takes one of its own.
    command = [sys.executable, "-m", "oldphoto", "train", "--preset", "tiny", "--device", "cpu"]
    done = subprocess.run(
        [*command, "--stage", "vae-clean", "--compile", "--run", str(tmp_path / "run")],
        env={**os.environ, "CXX": str(tmp_path / "no-compiler")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "torch.compile does not work here" in done.stderr
    assert "leave out --compile" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
