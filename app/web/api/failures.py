"""What went wrong in a request, as the one table of refusals knows it, for each dialect to say in its own words."""

import logging

from werkzeug.exceptions import HTTPException

from app.authentication import TooManyAttempts
from app.db import CommitFailed, Unavailable
from app.intake import end_process
from app.refusals import Refused, RequestRefused

_LOG = logging.getLogger("pennywire.api")

EXPECTED = (RequestRefused, Unavailable, CommitFailed, HTTPException)
"""What a view answers by itself; anything else is a fault of ours."""

RETRY_AFTER_S = 2

_UNAVAILABLE = Refused("unavailable", "The gateway cannot do this now; nothing was done. Try again in a few seconds.")
_UNKNOWN = Refused("unknown_outcome", "Whether this was done is not known. Look before you ask again.")
_INTERNAL = Refused("internal", "The gateway failed; the reason is in its log. Look whether it was done before you ask again.")
_TOO_LARGE = Refused("body_too_large", "The body is larger than this gateway reads. Send fewer messages at once.")
_UNREADABLE = Refused("malformed_body", "The request could not be read to its end. Send it again.")


def refused_by(error: Exception) -> Refused:
    """Return the refusal that an exception stands for. After a failed COMMIT the process is asked to end."""
    if isinstance(error, RequestRefused):
        return error.refused
    if isinstance(error, Unavailable):
        return _UNAVAILABLE
    if isinstance(error, CommitFailed):
        end_process()
        return _UNKNOWN
    if isinstance(error, HTTPException):
        return _TOO_LARGE if error.code == _TOO_LARGE.refusal.status else _UNREADABLE
    _LOG.error("a request of an API failed", exc_info=error)
    return _INTERNAL


def retry_headers(error: Exception, refused: Refused) -> dict[str, str]:
    """Return the header that tells when to come again, where that is known. Units: seconds."""
    if isinstance(error, TooManyAttempts):
        return {"Retry-After": str(error.wait_s)}
    return {"Retry-After": str(RETRY_AFTER_S)} if refused.code in ("unavailable", "unknown_outcome") else {}
