"""`python -m app.cli`: how the supervisor starts its children, wherever the command itself is installed."""

import sys

from app.cli import main

if __name__ == "__main__":
    sys.exit(main())
