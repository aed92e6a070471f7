"""A JupyterLab of its own and a headless Chromium, both gone when the tests end."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oldphoto.course.publishing.kernel import kernel_environment, write_kernel

REPOSITORY = Path(__file__).parents[2]
SCREENSHOTS = REPOSITORY / "out" / "screenshots"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Windows that open by themselves would swallow the clicks, and cells out of view would not exist.
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}
START_MS = 120_000
MAKE = """async ([name, sources]) => {
  const cell = source => (
    {cell_type: 'code', source, metadata: {}, outputs: [], execution_count: null});
  const kernelspec = {name: 'python3', display_name: 'Python 3'};
  const content = {
    cells: sources.map(cell), metadata: {kernelspec}, nbformat: 4, nbformat_minor: 4};
  await window.jupyterapp.serviceManager.contents.save(
    `${name}.ipynb`, {type: 'notebook', format: 'json', content});
}"""
RUN_ALL = "() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def lab(tmp_path_factory) -> Iterator[str]:
    """Start JupyterLab on copies of the notebooks; yield its address."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(REPOSITORY / "notebooks", folder / "notebooks")
    for name, values in SETTINGS.items():
        path = folder / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    environment = os.environ | kernel_environment(write_kernel(folder / "jupyter"))
    environment |= {
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }
    port = _free_port()
    options = ["--no-browser", "--allow-root", f"--port={port}", "--IdentityProvider.token="]
    options += [f"--ServerApp.root_dir={folder / 'notebooks'}"]
    options += ["--LabApp.expose_app_in_browser=True"]  # so that a command can be run by its name
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=log, stderr=log
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/api/status", server, folder / "log.txt")
            yield address
        finally:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(15)
            server.kill()


@pytest.fixture(scope="session")
def page(tmp_path_factory):
    """A page of a fresh headless Chromium; skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium here; on Debian: apt-get install -y chromium")
    profile = tmp_path_factory.mktemp("profile")
    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            profile, executable_path=browser, headless=True, args=FLAGS
        )
        try:
            yield context.pages[0]
        finally:
            context.close()


@pytest.fixture
def run_cells(page, lab) -> Callable[[str, list[str]], None]:
    """Return a function that makes a notebook NAME with these cells, opens it, and runs it."""

    def run(name: str, sources: list[str]) -> None:
        page.set_viewport_size({"width": 1300, "height": 1000})
        page.goto(f"{lab}/lab?reset", timeout=START_MS)
        page.wait_for_function("() => window.jupyterapp !== undefined", timeout=START_MS)
        page.evaluate("() => window.jupyterapp.restored.then(() => null)")
        page.evaluate(MAKE, [name, sources])
        page.goto(f"{lab}/lab/tree/{name}.ipynb?reset", timeout=START_MS)
        page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell", timeout=START_MS)
        page.get_by_text("Python 3 | Idle").wait_for(timeout=START_MS)
        page.evaluate(RUN_ALL)

    return run


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(address: str, server: subprocess.Popen, log: Path, seconds: float = 600) -> None:
    """Wait until the server answers; fail with its log when it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(address, timeout=5).close()
            return
        time.sleep(0.3)
    pytest.fail("JupyterLab did not start:\n" + log.read_text(encoding="utf-8")[-3000:])
