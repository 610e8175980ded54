"""Debian's Chromium, started so that it asks nothing of the outside world."""

import os
import shutil

from playwright.sync_api import Browser, Playwright

VARIABLE = "PENNYWIRE_TEST_CHROMIUM"

OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """Return the browser that `PENNYWIRE_TEST_CHROMIUM` names, or the one of this machine, or None."""
    return os.environ.get(VARIABLE) or shutil.which("chromium") or shutil.which("chromium-browser")


def launch(playwright: Playwright, executable: str) -> Browser:
    """Start the browser."""
    return playwright.chromium.launch(executable_path=executable, args=list(OPTIONS))
