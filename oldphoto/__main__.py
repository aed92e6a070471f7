"""Let ``python -m oldphoto`` run the command line."""

import sys

from oldphoto.system.interrupt import quiet_interrupt


def run() -> int:
    """Run the command line; Ctrl-C ends it in one sentence from here on."""
    with quiet_interrupt():
        from oldphoto.system.commands import use_utf8_names

        use_utf8_names()
        from oldphoto.cli.main import main
    return main()


if __name__ == "__main__":  # worker processes import this module again
    sys.exit(run())
