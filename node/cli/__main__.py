"""`python -m node.cli` is `wildgrass`, for who starts it as a process with the same Python."""

import sys

from node.cli import main

if __name__ == "__main__":
    sys.exit(main())
