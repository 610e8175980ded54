"""How an exception is named where operators read it.

Its own words may quote a text or a number, so only what we or a connector's author wrote for operators is repeated.
"""

import traceback
from pathlib import Path

from app.db import CommitFailed, Unavailable
from app.engine.status import one_line
from app.secrets import CannotDecrypt
from pennywire import InvalidSetting, LinkDown, NotTaken, OutcomeUnknown

_LONGEST = 200
_SPEAKING = (LinkDown, OutcomeUnknown, NotTaken, InvalidSetting, CannotDecrypt, Unavailable, CommitFailed)


def describe(error: BaseException) -> str:
    """Return the exception in one line: its words where they are meant for operators, else its type and its place."""
    if isinstance(error, _SPEAKING) and str(error):
        return one_line(str(error), _LONGEST)
    if isinstance(error, OSError) and error.strerror:
        return one_line(f"{type(error).__name__}: {error.strerror}", _LONGEST)
    return one_line(f"{type(error).__name__} in {place(error)}", _LONGEST)


def place(error: BaseException) -> str:
    """Return where the exception was raised, as `file:line`."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "an unknown place"
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"


def trail(error: BaseException) -> str:
    """Return the calls that led to the exception, one a line, without any values."""
    return "\n".join(f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__))
