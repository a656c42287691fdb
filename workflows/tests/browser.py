"""Chromium for tests, without traffic to other machines."""

import contextlib
import os
import shutil

ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
]
NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium():
    """Return the path of an installed Chromium, by default that of `CHROMIUM`, or None."""
    wanted = os.environ.get("CHROMIUM")
    return wanted or next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def open_browser():
    """Run Chromium with a new profile and yield its context.

    `violations` of the context lists what the Content-Security-Policy blocked, and errors of scripts.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        context.set_default_timeout(20_000)
        context.violations = []
        context.on("console", lambda message: _collect(context.violations, message))
        context.on("weberror", lambda error: context.violations.append(f"{error.page.url}: {error.error}"))
        yield context
        browser.close()


def _collect(violations, message):
    if message.type == "error":
        violations.append(f"{message.page.url}: {message.text}")
