"""``python -m data_tools``: see ``data_tools.cli``."""

import sys

from oldphoto.system.interrupt import quiet_interrupt

if __name__ == "__main__":  # worker processes import this module again
    with quiet_interrupt():
        from oldphoto.system.commands import use_utf8_names

        use_utf8_names()
        from data_tools.cli import main
    sys.exit(main())
