"""What an action of the legacy dialect works on, and the switch that allows the dialect."""

from dataclasses import dataclass

from app.core import Core
from app.intake import Intake
from app.lifecycle import Folder
from app.refusals import RequestRefused
from app.snapshot import UserView
from app.web.api.legacy_answers import Form
from app.web.api.parameters import Parameters

FOLDERS = {
    "inbox": Folder.INBOX,
    "outbox": Folder.OUTBOX,
    "sent": Folder.SENT,
    "notsent": Folder.NOT_SENT,
    "scheduled": Folder.SCHEDULED,
    "deleted": Folder.DELETED,
}

MOST_DOWNLOADED = 1_000
"""Most messages of one download, and the number where none is named."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a user, read and allowed. `repeatable` means that an identical one shall get the same answer."""

    core: Core
    intake: Intake
    user: UserView
    parameters: Parameters
    form: Form
    repeatable: bool


def require_legacy(user: UserView) -> None:
    """Raises: RequestRefused where the user may not use this address."""
    if not user.legacy_api_enabled:
        raise RequestRefused(
            "legacy_api_off",
            f"The legacy API is switched off for the user {user.username}. An operator can switch it on, on the user's Advanced tab.",
        )


def folder(name: str) -> Folder:
    """Return the folder that a client names; without a name, the inbox. Raises: RequestRefused."""
    plain = name.strip().lower().replace(" ", "").replace("_", "").replace("-", "") or "inbox"
    if plain not in FOLDERS:
        raise RequestRefused("invalid_parameter", f"There is no folder {name[:40]!r}. Known: {', '.join(FOLDERS)}.", "folder")
    return FOLDERS[plain]


def limit(text: str) -> int:
    """Return how many messages a client wants, at most `MOST_DOWNLOADED`. Raises: RequestRefused."""
    plain = text.strip()
    if not plain:
        return MOST_DOWNLOADED
    if not (plain.isascii() and plain.isdigit() and len(plain) < 10 and int(plain)):  # nobody means more digits
        raise RequestRefused("invalid_parameter", f"The limit is {text[:40]!r}; it must be a whole number from 1.", "limit")
    return min(int(plain), MOST_DOWNLOADED)
