"""``python -m data_tools``: see ``data_tools.cli``."""

import sys

from oldphoto.system.interrupt import quiet_interrupt

if __name__ == "__main__":  # worker processes import this module again
    with quiet_interrupt():
        from data_tools.cli import main
    sys.exit(main())
