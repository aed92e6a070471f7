"""The set-up cell: seeds, device and versions; on Colab only small missing packages come."""

import gc
import random
import subprocess
import sys
import types

import numpy as np
import pytest
import torch

from oldphoto.checks import InputError
from oldphoto.course import setting_up


@pytest.fixture(params=["colab", "kaggle"])
def colab(monkeypatch, request):
    """Imitate Colab or Kaggle; collect the commands that would be run."""
    if request.param == "colab":
        monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    else:
        monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    commands: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command))
    return commands


def test_setup_twice_gives_the_same_numbers(capsys):
    draws = []
    for _ in range(2):
        assert setting_up.setup(seed=5, device="cpu") == "cpu"
        draws.append((random.random(), np.random.rand(), torch.rand(1).item()))
    assert draws[0] == draws[1]
    printed = capsys.readouterr().out
    assert "torch" in printed and "device cpu, seed 5" in printed


def test_what_is_loaded_is_spared_by_the_garbage_collector():
    gc.unfreeze()
    setting_up.setup(seed=0, device="cpu")
    assert gc.get_freeze_count() > 10_000
    gc.unfreeze()


def test_wrong_device_is_refused():
    with pytest.raises(InputError, match="device must be cuda, mps or cpu"):
        setting_up.setup(device="gpu")


def test_nothing_is_installed_outside_colab(monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: pytest.fail("it installs"))
    monkeypatch.setattr(setting_up, "missing_packages", lambda: ["anything"])
    setting_up.setup()


def test_colab_gets_only_what_is_missing_and_not_what_it_owns(colab, monkeypatch):
    requires = ["torch>=2.4", "numpy>=1.26", "tqdm>=4.66", "safetensors>=0.4", "zzz[x]>=1"]
    optional = ['papermill>=2.6; extra == "course"']
    monkeypatch.setattr("importlib.metadata.requires", lambda name: requires + optional)
    present = {"tqdm": "4", "safetensors": "0.4", "oldphoto": "0.1", "ipywidgets": "7"}
    present |= {"anywidget": "0.9", "psygnal": "0.8"}

    def version(name):
        if name not in present:
            raise setting_up.importlib.metadata.PackageNotFoundError(name)
        return present[name]

    monkeypatch.setattr("importlib.metadata.version", version)
    setting_up.setup()
    assert colab == [[sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "zzz"]]
    present["zzz"] = "1"
    setting_up.setup()
    assert len(colab) == 1  # the second time nothing is missing


def test_module_itself_needs_only_the_standard_library():
    code = (
        "import sys, importlib.util;"
        f"spec = importlib.util.spec_from_file_location('s', {setting_up.__file__!r});"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module);"
        "assert not {'torch', 'numpy', 'ipywidgets', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
