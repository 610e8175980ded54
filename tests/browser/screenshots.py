"""Make the pictures of the README: `python tests/browser/screenshots.py`. Needs Chromium; writes `docs/img/*.png`."""

import sys
import tempfile
import threading
from pathlib import Path

from chromium import find_chromium, launch
from demonstration import PASSWORD, Demonstration, make_site
from playwright.sync_api import Page, sync_playwright
from werkzeug.serving import make_server

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "img"
WIDTH, HEIGHT = 1140, 700
DARK = frozenset({"dashboard", "credits"})
"""Pages that are pictured in dark too: pictures stay in the repository for good."""


def pages(made: Demonstration) -> dict[str, str]:
    """Return the pages to be pictured, by the name of their picture."""
    return {
        "dashboard": "/",
        "messages": "/messages/sent",
        "message": f"/message/{made.delivered_long_message()}",
        "credits": "/users/clinic/credits",
        "routes": "/routing/outbound",
    }


def picture(page: Page, address: str, made: Demonstration, suffix: str) -> None:
    """Sign in and take every page's picture."""
    page.goto(address + "/sign-in")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(address + "/")
    for name, path in pages(made).items():
        if suffix == "-dark" and name not in DARK:
            continue
        page.goto(address + path, wait_until="networkidle")
        page.screenshot(path=IMAGES / f"{name}{suffix}.png", scale="css")


def main() -> int:
    """Make all pictures, light and dark."""
    executable = find_chromium()
    if executable is None:
        sys.stderr.write("There is no Chromium. Install it, or name one in PENNYWIRE_TEST_CHROMIUM.\n")
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        app = make_site(Path(folder))
        made = Demonstration(app)
        made.fill()
        server = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as playwright:
            browser = launch(playwright, executable)
            for scheme, suffix in (("light", "-light"), ("dark", "-dark")):
                context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme, timezone_id="UTC")
                picture(context.new_page(), f"http://127.0.0.1:{server.server_port}", made, suffix)
                context.close()
            browser.close()
        server.shutdown()
        made.core.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
