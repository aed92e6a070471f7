"""Streams that are missing, closed, full or narrow; text that would command the terminal."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from oldphoto.system.streams import printable, steady_streams


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Müller 北京 é", "Müller 北京 é"),
        ("a\x1b]0;title\x07.jpg", "a\\x1b]0;title\\x07.jpg"),
        ("two\nlines\r\t", "two\\nlines\\r\\t"),
        ("gpj\u202e.exe", "gpj\\u202e.exe"),
        ("\x9b31m", "\\x9b31m"),
        (os.fsdecode(b"\xff.jpg"), "\\udcff.jpg"),
    ],
)
def test_printable(text, shown):
    assert printable(text) == shown


def test_a_letter_that_the_encoding_lacks_is_escaped(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="cp1252"))
    with steady_streams() as output:
        print("Łódź.jpg restored")
    assert raw.getvalue().startswith(b"\\u0141\xf3d\\u017a.jpg restored")
    assert not output.failed


def test_a_missing_stream_is_the_null_device(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with steady_streams():
        print("nobody reads this", file=sys.stderr)
        assert sys.stderr.fileno() > 2
    assert sys.stderr is None


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(28, "full"), ValueError("closed")])
def test_what_cannot_be_written_stops_nothing_and_is_known(monkeypatch, error):
    class Broken(io.StringIO):
        def write(self, text):
            raise error

    monkeypatch.setattr(sys, "stdout", Broken())
    with steady_streams() as output:
        print("lost")
    assert output.failed


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of Unix")
@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_the_command_runs_with_closed_streams(tmp_path, closed):
    code = "import sys; from oldphoto.cli.main import main; sys.exit(main(['course', 'list']))"
    (tmp_path / "code.py").write_text(code, encoding="utf-8")
    line = f"'{sys.executable}' code.py {closed}"
    assert subprocess.run(line, shell=True, cwd=tmp_path).returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of Unix")
def test_a_closed_descriptor_is_not_given_to_the_next_file(tmp_path):
    code = (
        "import os\nfrom oldphoto.system.streams import steady_streams\n"
        "with steady_streams():\n"
        "    file = open('photo', 'wb')\n"
        "    os.write(2, b'a message of a library')\n"
    )
    line = f"'{sys.executable}' -c \"$CODE\" 2>&-"
    env = os.environ | {"CODE": code}
    assert subprocess.run(line, shell=True, cwd=tmp_path, env=env).returncode == 0
    assert (tmp_path / "photo").read_bytes() == b""


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of Unix")
def test_a_closed_pipe_is_no_traceback():
    line = f"'{sys.executable}' -m oldphoto --help | true"
    done = subprocess.run(line, shell=True, capture_output=True, text=True)
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_a_full_disk_under_the_output_is_exit_code_1():
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "oldphoto", "course", "list"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "")
