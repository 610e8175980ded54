"""Mail that a page asks for and does not wait for: how long an answer takes must not tell whether there is such a user."""

import logging
import threading

from app import administration
from app.administration import InvalidField, NotThere
from app.core import Core
from app.db import CommitFailed, Unavailable
from app.mailing import MailFailed, send
from app.secrets import CannotDecrypt

AT_ONCE = 2
"""Requests that one process works on at a time; more are dropped, for whoever sends so many is no person."""

_LOG = logging.getLogger("pennywire.web")
_free = threading.BoundedSemaphore(AT_ONCE)


def send_reset_link(core: Core, name: str, *, site: str, address: str) -> threading.Thread | None:
    """Send links for a new password to the user of a name or of an e-mail address, beside the request. `address` is the caller's.

    None where too much is under way.
    """
    if not _free.acquire(blocking=False):
        _LOG.warning("dropped a request for a new password: too many at once")
        return None
    thread = threading.Thread(target=_send, args=(core, name[:254], site, address), name="reset link", daemon=True)
    thread.start()
    return thread


def _send(core: Core, name: str, site: str, address: str) -> None:
    try:
        core.database.run(lambda session: administration.count_reset_request(session, address, now=core.clock()))
        mails = core.database.run(lambda session: administration.forgotten(session, name, site=site, now=core.clock()))
        server = administration.mail_server(core.snapshots.present().options, core.vault)
        for mail in mails:
            send(server, mail)
        _LOG.info("sent %d links for a new password", len(mails))
    except (MailFailed, CannotDecrypt, InvalidField, NotThere, Unavailable, CommitFailed) as error:
        _LOG.warning("could not send a link for a new password: %s", type(error).__name__)
    finally:
        _free.release()
