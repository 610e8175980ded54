"""The stock of a link: what was claimed for it and is not answered, shared between the loop and the database worker."""

from collections import deque
from collections.abc import Callable

from app.snapshot import ConnectionView
from pennywire import Submission

WINDOWS_OUTSTANDING = 2
"""Most segments of a link that are being sent, in windows: one at the connector, one waiting for it (promise 9)."""


class Stock:
    """Claimed submissions of one link. The worker fills it, the loop empties it.

    `waiting` is appended to by the worker and taken from by the loop. `outstanding` belongs to the worker: the attempts that
    the database has as being sent. The rest is written by the loop and read by the worker, a value at a time.
    """

    __slots__ = (
        "after_user",
        "claim_at",
        "filled",
        "outstanding",
        "room_at_link",
        "token",
        "view",
        "waiting",
        "wanted",
        "whole_messages",
        "window",
    )

    def __init__(self, view: ConnectionView, token: int, *, whole_messages: bool, filled: Callable[[], None]) -> None:
        self.view = view
        self.token = token
        self.whole_messages = whole_messages
        #: Called in the loop after submissions were put into `waiting`.
        self.filled = filled
        self.waiting: deque[Submission] = deque()
        self.outstanding: set[int] = set()
        #: The largest room that the connector asked for, in segments.
        self.window = 0
        #: The free room with which the connector waits for submissions now, in segments; 0 while it does not wait.
        self.room_at_link = 0
        #: Says whether the link can use submissions now.
        self.wanted: Callable[[], bool] = bool
        #: Not to be claimed for before this moment of the monotonic clock, because it failed; the worker's.
        self.claim_at = 0.0
        #: Where the next claim goes on with its round of the users.
        self.after_user = 0

    def room(self, answered_count: int) -> int:
        """Return how many segments may be claimed, when `answered_count` outstanding ones are being recorded as answered."""
        if not self.wanted():
            return 0
        ahead = self.room_at_link + self.window - len(self.waiting)
        return min(ahead, WINDOWS_OUTSTANDING * self.window - len(self.outstanding) + answered_count)
