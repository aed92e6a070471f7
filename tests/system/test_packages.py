"""Packages needed and packages here, read without importing any of them."""

import subprocess
import sys

from oldphoto.system import packages as installed

LINES = ["torch>=2.4", "opencv-python >= 4.8", "zzz[extra]>=1.2.3", "other"]
LINES += ['jupyterlab>=4; extra == "course"', "scrapy>=2.19; extra == 'data'"]


def test_lowest_versions_of_the_package_and_of_an_extra():
    own = {"torch": "2.4", "opencv-python": "4.8", "zzz": "1.2.3"}
    assert installed.lowest_versions(LINES) == own
    assert installed.lowest_versions(LINES, "course") == own | {"jupyterlab": "4"}


def test_missing_and_too_old():
    needs = {"a": "2.4", "b": "1.26", "c": "10", "d": "2.4"}
    versions = {"a": "2.10.0", "b": "1.9", "c": None, "d": "2.13.0+cpu"}
    assert installed.missing(needs, versions) == ["c"]
    assert installed.too_old(needs, versions) == ["b"]  # 1.9 comes before 1.26


def test_the_real_needs_are_read_and_here():
    needs = installed.needed("course")
    assert {"torch", "ipywidgets"} <= needs.keys() and "scrapy" not in needs
    assert installed.missing(needs, {n: installed.version_of(n) for n in needs}) == []


def test_a_folder_that_was_not_installed_says_the_same(monkeypatch):
    def unknown(name):
        raise installed.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.requires", unknown)
    needs = installed.needed("course")
    assert {"torch", "ipywidgets"} <= needs.keys() and "scrapy" not in needs


def test_colab_needs_no_jupyter_of_ours(monkeypatch):
    assert "jupyterlab" in installed.needed_here()
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab_20260101")
    assert "jupyterlab" not in installed.needed_here()
    assert installed.needed_here()["ipywidgets"] == "7"


def test_only_the_standard_library_is_imported():
    code = (
        "import sys, oldphoto.system.packages, oldphoto.cli.doctor\n"
        "assert not {'torch', 'numpy', 'psutil', 'nbformat'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_conflicts_are_those_of_pip_check(monkeypatch):
    words = "a 1.0 has requirement b>=2, but you have b 1.9.\n"
    words += "c 1.0 requires d, which is not installed.\nNo broken requirements found.\n"
    done = subprocess.CompletedProcess([], 1, stdout=words)
    monkeypatch.setattr(installed.subprocess, "run", lambda *args, **kwargs: done)
    assert [line.split()[0] for line in installed.conflicts()] == ["a", "c"]
