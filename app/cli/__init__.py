"""The command line: what the browser does, and what only a shell can do."""

from app.cli.root import main

__all__ = ["main"]
