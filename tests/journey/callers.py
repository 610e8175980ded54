"""HTTP as callers speak it: one request, a program that keeps its connection, and a browser with cookies and forms."""

import html
import http.client
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree as ET

TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    def json(self) -> Any:
        return json.loads(self.body)

    def records(self, kind: str) -> list[dict[str, str]]:
        """Return the records of that name in a legacy answer, each as a mapping of its elements."""
        root = ET.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", self.text).encode())
        return [{child.tag: child.text or "" for child in record} for record in root.iter(kind)]

    @property
    def words(self) -> str:
        """What a person reads on the page: its text without tags, blanks joined."""
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", self.text)).split())


def request(
    address: str,
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    """Make one request over a connection of its own. Raises: OSError, http.client.HTTPException."""
    caller = Caller(address, timeout_s)
    try:
        return caller.request(method, path, query=query, body=body, headers=headers)
    finally:
        caller.close()


class Caller:
    """A program that keeps its connection, and makes a new one after it broke."""

    def __init__(self, address: str, timeout_s: float = TIMEOUT_S) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=timeout_s)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Raises: OSError, http.client.HTTPException; the next request connects again."""
        target = f"{path}?{urlencode(query)}" if query else path
        try:
            self._connection.request(method, target, body, dict(headers or {}))
            response = self._connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()


@dataclass
class Browser:
    """A person's browser without its looks: cookies, redirects, and the hidden token of a form."""

    address: str
    cookies: dict[str, str] = field(default_factory=dict)
    #: Path of the page that is shown.
    place: str = ""

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def open(self, path: str) -> Answer:
        return self._go("GET", path, None)

    def send(self, path: str, *, to: str = "", **values: str) -> Answer:
        """Fill in a form on a page and send it to where the page is, or to another address."""
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.open(path).text)
        assert token is not None, f"The page {path} has no form."
        return self._go("POST", to or path, {"csrf_token": html.unescape(token[1]), **values})

    def _go(self, method: str, path: str, form: Mapping[str, str] | None) -> Answer:
        for _ in range(5):
            headers = {"Cookie": self.cookie}
            body = None
            if form is not None:
                headers |= {"Content-Type": "application/x-www-form-urlencoded", "Referer": self.address + path}
                body = urlencode(form).encode()
            answer = request(self.address, method, path, body=body, headers=headers)
            for name, value in re.findall(r"([\w-]+)=([^;]*)", answer.headers.get("Set-Cookie", "").partition(";")[0]):
                self.cookies[name] = value
            self.place = path
            if answer.status not in (301, 302, 303):
                return answer
            method, form, path = "GET", None, urlsplit(answer.headers["Location"]).path
        raise AssertionError(f"The page {path} sends the browser in circles.")
