"""Ctrl-C while modules are imported."""

import signal
import subprocess
import sys

import pytest

from oldphoto.system.interrupt import quiet_interrupt

CODE = """
import os, signal
from oldphoto.system.interrupt import quiet_interrupt
with quiet_interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    print("not reached")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_ctrl_c_in_an_import_is_one_sentence_and_130():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr == "oldphoto: stopped before any work had begun\n"
    assert done.stdout == ""


def test_afterwards_ctrl_c_is_what_it_was():
    with quiet_interrupt():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_where_ctrl_c_is_ignored_it_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with quiet_interrupt():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
