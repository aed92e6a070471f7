"""Ctrl-C while modules are being imported."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

INTERRUPTED = 130


@contextlib.contextmanager
def quiet_interrupt() -> Iterator[None]:
    """End the process at Ctrl-C with one sentence; for imports, before any work has begun.

    A KeyboardInterrupt would not do: inside an import it can come out as another error.
    """
    is_main = threading.current_thread() is threading.main_thread()
    # Where Ctrl-C is ignored (nohup) or handled by others, it stays so.
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(*_: object) -> None:
    with contextlib.suppress(OSError):
        os.write(2, b"oldphoto: stopped before any work had begun\n")
    os._exit(INTERRUPTED)
