"""The facts about this machine for ``oldphoto doctor``: what is installed, and what works."""

import csv
import importlib
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import psutil
import torch
from safetensors import SafetensorError, safe_open
from torch.nn import functional as F

from oldphoto import metrics, samples
from oldphoto.checks import InputError
from oldphoto.course.doctor.checks import Facts, StoredRun
from oldphoto.course.publishing.notebooks import all_notebooks
from oldphoto.system.files import sha256_of
from oldphoto.system.memory import available_bytes
from oldphoto.system.packages import conflicts, is_hosted, needed_here, version_of
from oldphoto.system.processes import num_processors
from oldphoto.weights.store import RESULTS_FILE, SHIPPED

METRIC_FILES = Path(metrics.__file__).parent / "weights"
BATCHES, RUNS = 6, 5  # of the small computation: the fastest batch counts


def look(notebooks: Path | None = None) -> Facts:
    """Return the facts about this machine; it takes a few seconds.

    Args:
        notebooks: folder of the notebooks; None looks for it.
    """
    needs = needed_here()
    folders = {
        "current": Path.cwd(),
        "temporary": Path(tempfile.gettempdir()),
        "cache MPLCONFIGDIR": _figure_cache(),
        "cache JUPYTER_RUNTIME_DIR": _jupyter_folder(),
    }
    return Facts(
        python=tuple(sys.version_info[:3]),
        needs=needs,
        versions={name: version_of(name) for name in needs},
        conflicts=tuple(conflicts()),
        memory=psutil.virtual_memory().total,
        free_memory=available_bytes(torch.device("cpu")),
        cores=num_processors(),
        gpu=_gpu(),
        unused_gpu=shutil.which("nvidia-smi") is not None,
        not_writable={p: str(f) for p, f in folders.items() if not can_write(f)},
        free_disk=shutil.disk_usage(Path.cwd()).free,
        torchvision=torchvision_state(),
        damaged=tuple(damaged_weights(SHIPPED) + cut_files(METRIC_FILES) + missing_samples()),
        font_error=_font_error(),
        widget_error=_widget_error(),
        runs=stored_runs(notebooks),
        benchmark=benchmark_seconds(),
    )


def _gpu() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    return "Apple (mps)" if torch.backends.mps.is_available() else ""


def _figure_cache() -> Path:
    import matplotlib

    return Path(matplotlib.get_cachedir())


def _jupyter_folder() -> Path:
    from jupyter_core.paths import jupyter_runtime_dir

    return Path(jupyter_runtime_dir())


def can_write(folder: Path) -> bool:
    """Try to write into a folder, or into the nearest one above it that is there."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            return True
    except OSError:
        return False


def torchvision_state() -> str:
    """Return "ok", "patched", or in one line why torchvision does not load."""
    try:
        compat = importlib.import_module("oldphoto.system.torchvision_compat")
    except (ImportError, RuntimeError, OSError) as error:
        return " ".join(str(error).split())[:150]
    return "patched" if compat.was_needed() else "ok"


def damaged_weights(folder: Path) -> list[str]:
    """Return the files of weights below folder that differ from the checksum in their card."""
    cards = sorted(card for card in folder.glob("*/*.json") if card.name != RESULTS_FILE)
    if not cards:
        return [f"the folder of weights {folder.name}"]
    return [str(c.with_suffix(".safetensors").relative_to(folder)) for c in cards if _differs(c)]


def _differs(card: Path) -> bool:
    try:
        wanted = json.loads(card.read_text(encoding="utf-8"))["sha256"]
        return sha256_of(card.with_suffix(".safetensors")) != wanted
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return True


def cut_files(folder: Path) -> list[str]:
    """Return the files of weights in folder that do not open; there is no card to compare with."""
    return [path.name for path in sorted(folder.glob("*.safetensors")) if not _opens(path)]


def _opens(path: Path) -> bool:
    try:
        with safe_open(path, framework="numpy"):
            return True
    except (SafetensorError, OSError):
        return False


def missing_samples() -> list[str]:
    """Return the sample photos that their table names and that are not there."""
    folder = Path(samples.__file__).parent
    try:
        with (folder / "SOURCES.csv").open(encoding="utf-8", newline="") as file:
            names = [row["file"] for row in csv.DictReader(file)]
    except OSError:
        return ["the table of the sample photos"]
    return [f"sample photo {name}" for name in names if not (folder / name).is_file()]


def _font_error() -> str:
    """Look for the font of the figures, without a substitute."""
    from matplotlib import font_manager, rcParams

    try:
        font_manager.findfont(rcParams["font.sans-serif"][0], fallback_to_default=False)
    except ValueError as error:
        return str(error).splitlines()[0]
    return ""


def _widget_error() -> str:
    """Make a slider, and check that JupyterLab can draw it."""
    try:
        widgets = importlib.import_module("ipywidgets")
        widgets.IntSlider()
    except (ImportError, AttributeError, TypeError) as error:
        return " ".join(str(error).split())
    if not is_hosted() and version_of("jupyterlab_widgets") is None:
        return "the package jupyterlab_widgets is missing"
    return ""


def stored_runs(folder: Path | None) -> tuple[StoredRun, ...]:
    """Return the stored runs of the notebooks; nothing where there are no notebooks.

    Raises:
        InputError: if a folder is named and holds no notebooks.
    """
    try:
        notebooks = all_notebooks(folder)
    except InputError:
        if folder is not None:
            raise
        return ()
    return tuple(
        StoredRun(n.name, float(m["seconds"]), int(float(m["peak_memory_mib"]) * 2**20))
        for n in notebooks
        if {"seconds", "peak_memory_mib"} <= (m := n.measured).keys()
    )


def benchmark_seconds() -> float:
    """Return the processor time of a small training step, on one thread.

    It is processor time, and the fastest of several batches counts: what else the machine is doing
    at the moment should not matter.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, 32, 64, 64, generator=generator)
    kernel = torch.randn(32, 32, 3, 3, generator=generator, requires_grad=True)
    try:
        return min(_batch_seconds(x, kernel) for _ in range(BATCHES))
    finally:
        torch.set_num_threads(threads)


def _batch_seconds(x: torch.Tensor, kernel: torch.Tensor) -> float:
    start = time.process_time()
    for _ in range(RUNS):
        features = F.relu(F.conv2d(x, kernel, padding=1))
        F.conv2d(features, kernel, padding=1).square().mean().backward()
    return (time.process_time() - start) / RUNS
