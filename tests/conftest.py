"""Settings of all tests: one computing thread for each process, and an option."""

import os
import tempfile
from typing import Any

import pytest

# Several processes share the cores already: threads that wait for each other on a busy core make
# the tests up to ten times as slow. It counts only before torch and OpenCV are imported, and
# processes that the tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The records of output folders do not go into the user's own state folder.
os.environ.setdefault("OLDPHOTO_STATE", tempfile.mkdtemp(prefix="oldphoto-state-"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that lets the slow notebooks be opened in the browser as well."""
    parser.addoption(
        "--every-notebook",
        action="store_true",
        help="open all notebooks in JupyterLab, not only some quick ones; nbval runs all",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``--dist loadfile``, give each notebook to the next free process.

    All notebooks are one file of tests: one process would run them for ten minutes, while the
    others have nothing left to do.
    """
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByFileAndNotebook(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid if "test_nbval.py::" in nodeid else super()._split_scope(nodeid)

    return ByFileAndNotebook(config, log)
