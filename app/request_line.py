"""Mending the first line of legacy requests, before gunicorn refuses it.

Programs of the legacy dialect put a text into the address as it is: `GET /api?…&messagedata=Hello world HTTP/1.1`, octets beyond
ASCII, a `#`. RFC 9112 section 3.2 has no such line, and gunicorn refuses it with a bare 400 (what stands behind a `#` it drops).
Here those octets are percent-encoded, as the program should have done, and the line is read once more.

Why that lets nobody smuggle a request past somebody in front of us:

- The line has been cut off at its CRLF when it comes here, and no header is touched: where this request ends and the next begins
  is decided before and after, by gunicorn alone. A line with a bare LF or another control character stays refused.
- Only the query of the addresses of the legacy dialect is mended, for GET and POST. Method and path are the first two words
  for everybody who reads the line, however he treats what follows; a filter by path sees the path that we serve.
- The version is the last word. A query that itself contains a blank and `HTTP/` could be read in two ways, and is left refused.
- The line was measured before, so mending makes at most 3 octets of each of its at most 8,190.
"""

import re
from typing import Any

from gunicorn.http.errors import InvalidHTTPVersion, InvalidRequestLine  # type: ignore[import-untyped]  # it carries no annotations
from gunicorn.http.message import Request  # type: ignore[import-untyped]  # it carries no annotations

_LEGACY_LINE = re.compile(rb"((?:GET|POST) /(?:api|ozeki|httpapi)/?\?)([^\x00-\x1f\x7f]+)( HTTP/1\.[01])")
_IMPOSSIBLE = re.compile(rb"[^\x21-\x7e]|#")
_SECOND_VERSION = re.compile(rb" HTTP/", re.IGNORECASE)


def mend(line: bytes) -> bytes | None:
    """Return a request line with what its query may not contain percent-encoded; None for one that is not to be mended."""
    match = _LEGACY_LINE.fullmatch(line)
    if match is None or _SECOND_VERSION.search(match[2]):
        return None
    head, query, version = match.groups()
    return head + _IMPOSSIBLE.sub(lambda found: b"%%%02X" % found[0][0], query) + version


class TolerantRequest(Request):  # type: ignore[misc]  # gunicorn carries no annotations
    """A request whose line is mended where it is refused, or where it would lose a part of the query."""

    def parse_request_line(self, line_bytes: Any) -> None:
        """Read the line; one that is refused is mended if it can be. Raises: InvalidRequestLine, InvalidHTTPVersion."""
        line = bytes(line_bytes)
        if b"#" in line:
            line = mend(line) or line
        try:
            super().parse_request_line(line)
        except (InvalidRequestLine, InvalidHTTPVersion):
            mended = mend(line)
            if mended is None:
                raise
            super().parse_request_line(mended)
