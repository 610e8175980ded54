"""`pennywire run`: the web process and the engine on one machine, started together, kept alive and stopped together."""

from app.running.address import address_of
from app.running.announcement import Announcement
from app.running.running import CannotListen, run

__all__ = ["Announcement", "CannotListen", "address_of", "run"]
