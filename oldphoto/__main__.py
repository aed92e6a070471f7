"""Let ``python -m oldphoto`` run the command line."""

import sys

from oldphoto.cli.main import main

if __name__ == "__main__":  # worker processes import this module again
    sys.exit(main())
