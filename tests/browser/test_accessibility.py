"""Every page by the rules of WCAG 2.2 AA, as axe-core checks them in the browser. Pages are found as a visitor does: by their links."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from demonstration import PASSWORD, Demonstration
from werkzeug.exceptions import HTTPException

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CHECK = """rules => axe.run(document, {runOnly: rules}).then(found => found.violations.map(
    violation => `${violation.id}: ${violation.nodes.map(node => node.html).slice(0, 2).join(" ")}`))"""
LINKS = "[...document.querySelectorAll('a[href]')].map(link => link.getAttribute('href')).filter(href => href.startsWith('/'))"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.peers,
    pytest.mark.full,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not AXE.exists(), reason="no axe-core: npm ci in tests/browser"),
]


class Crawl:
    """Follows links, and opens one page of each view: of each kind and tab too, where the address names those."""

    def __init__(self, page: Any, address: str, made: Demonstration) -> None:
        self.page = page
        self.address = address
        self.views = made.app.url_map.bind("")
        self.seen: set[str] = set()

    def pages(self, start: str) -> Iterator[str]:
        """Open page after page, and yield the path of each."""
        waiting = deque([start])
        while waiting:
            path = waiting.popleft()
            view = self._view(path)
            if not view or view in self.seen:
                continue
            self.seen.add(view)
            answer = self.page.request.get(self.address + path, max_redirects=0)
            if answer.status == 302:
                waiting.append(answer.headers["location"])
            elif answer.headers["content-type"].startswith("text/html") and "content-disposition" not in answer.headers:
                self.page.goto(self.address + path)
                yield path
                waiting.extend(self.page.evaluate(LINKS))

    def _view(self, path: str) -> str:
        try:
            endpoint, arguments = self.views.match(urlsplit(path).path)
        except HTTPException:
            return ""
        arguments.update({name: values[0] for name, values in parse_qs(urlsplit(path).query).items()})
        marks = [str(arguments[name]) for name in ("kind", "tab", "direction", "folder", "by") if name in arguments]
        return " ".join([str(endpoint), *marks])


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("name", "fewest"), [("admin", 60), ("waterworks", 12)])
def test_no_page_keeps_anybody_out(demonstration: Any, visit: Any, name: str, fewest: int, dark: bool) -> None:
    address, made = demonstration
    page = visit(address, dark=dark).open("/sign-in")
    found = _look(page, "/sign-in")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(address + "/")
    crawl = Crawl(page, address, made)

    found += [complaint for path in crawl.pages("/") for complaint in _look(page, path)]

    assert found == []
    assert len(crawl.seen) >= fewest


def test_the_checker_finds_what_is_wrong(demonstration: Any, visit: Any) -> None:
    page = visit(demonstration[0]).open("/sign-in")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<button></button><input>')")

    rules = {complaint.split(": ")[1] for complaint in _look(page, "/sign-in")}

    assert {"button-name", "label"} <= rules


def _look(page: Any, path: str) -> list[str]:
    page.evaluate(AXE.read_text())
    return [f"{path}: {complaint}" for complaint in page.evaluate(CHECK, RULES)]
