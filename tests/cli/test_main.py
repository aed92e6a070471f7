"""The command line: help without torch, wrong use in one sentence, exit codes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.cli import main as cli


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "the following arguments are required: command"),
        (["fly"], "invalid choice: 'fly'"),
        (["train"], "the following arguments are required: --run"),
        (["train", "--run", "x", "--preset", "huge"], "invalid choice: 'huge'"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(arguments, expected, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert expected in error and error.count("\n") == 1


def test_input_errors_become_one_sentence(monkeypatch, capsys, tmp_path):
    from oldphoto.cli import train

    def refuse(_):
        raise InputError("expected this, got that")

    monkeypatch.setattr(train, "run", refuse)
    assert cli.main(["train", "--run", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "oldphoto train: expected this, got that\n"


def test_ctrl_c_is_no_traceback(monkeypatch, capsys, tmp_path):
    from oldphoto.cli import train

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "run", interrupt)
    assert cli.main(["train", "--run", str(tmp_path)]) == 130
    assert "what was finished is kept" in capsys.readouterr().err


def test_a_file_named_like_an_option_is_a_file(monkeypatch, tmp_path):
    from oldphoto.cli import restore

    given = []
    monkeypatch.setattr(restore, "run", lambda args: given.append(args) or 0)
    monkeypatch.chdir(tmp_path)
    for name in ("--help.jpg", "-1.png"):
        (tmp_path / name).touch()
    assert cli.main(["restore", "-1.png", "--help.jpg", "--output", "out"]) == 0
    assert [Path(path).name for path in given[0].photos] == ["-1.png", "--help.jpg"]
    with pytest.raises(SystemExit):
        cli.main(["restore", "-2.png", "--output", "out"])


@pytest.mark.skipif(sys.platform == "win32", reason="there such a file is simply not found")
def test_a_path_too_long_for_any_file_is_one_sentence(capsys, tmp_path):
    assert cli.main(["restore", "n" * 300 + ".png", "--output", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "no file can have so long a name" in error and error.count("\n") == 1


def test_help_does_not_wait_for_torch():
    code = (
        "import sys, oldphoto.cli.main as cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: print('TORCH' if 'torch' in sys.modules else 'LIGHT')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(name in done.stdout for name in cli.COMMANDS)
    assert done.stdout.rstrip().endswith("LIGHT")


def test_what_the_system_refuses_is_one_sentence(monkeypatch, capsys, tmp_path):
    from oldphoto.cli import train

    def locked(_):
        raise PermissionError(13, "Permission denied", "album")

    monkeypatch.setattr(train, "run", locked)
    assert cli.main(["train", "--run", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("oldphoto train: album: Permission denied;") and error.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("module", ["oldphoto.cli.main", "oldphoto.cli.restore", "torch", "PIL"])
def test_ctrl_c_while_a_module_is_imported_is_no_traceback(module):
    code = (
        "import os, runpy, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "sys.argv = ['oldphoto', 'restore', 'photo.jpg', '--output', 'out']\n"
        "runpy.run_module('oldphoto', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr == "oldphoto: stopped before any work had begun\n"


@pytest.mark.parametrize(
    "words", [["restore", "", "--output", "o"], ["restore", "a", "--mask", ""]]
)
def test_an_empty_word_is_not_the_folder_that_one_is_in(words, capsys):
    assert cli.main(words) == 2
    assert "of the call is empty, perhaps a variable without a value" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="links need rights of their own on Windows")
def test_a_link_that_leads_back_to_itself_is_one_sentence(tmp_path, capsys):
    (tmp_path / "out").symlink_to("out")
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    assert cli.main(["restore", str(tmp_path / "a.png"), "--output", str(tmp_path / "out")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps the folder that one is in")
def test_a_deleted_folder_to_be_in_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    assert cli.main(["doctor"]) == 2
    assert "the folder that you are in was deleted" in capsys.readouterr().err
