"""Debian's Chromium, driven by Playwright. It reaches this machine and nothing else."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from tests.house import parts

FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The mail in a page's frame would be drawn by a process of its own, begun anew at each look.
    "--disable-site-isolation-trials",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]
# Milliseconds until something that should be on a page must be there, on a slow machine that does
# something else besides.
PATIENCE = 20_000
# No fault of the page: that it answers 403 or 404, and that htmx drops a question whose answer
# nobody waits for any more (what could not be reached, it calls a sendError besides).
_NO_FAULT = re.compile(
    r"Failed to load resource: .* status of 4\d\d|^htmx:(afterRequest|sendAbort)\b"
)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """One Chromium for the whole run; skips where there is none (with CI=true it fails)."""
    program = parts.find_chromium()
    if program is None:
        line = parts.line_that_adds([parts.CHROMIUM])
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no Chromium here; add it: {line}")
    expect.set_options(timeout=PATIENCE)
    # Playwright's own loop runs in this thread, and Django would take our queries for async ones.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program, headless=True, chromium_sandbox=False, args=FLAGS
        )
        yield started
        started.close()


class Pages:
    """Opens pages and notes what went wrong in them: `pages(width=375, scheme="dark")`."""

    def __init__(self, browser: Browser, base_url: str) -> None:
        self._browser, self._base_url = browser, base_url
        self._contexts: list[BrowserContext] = []
        self.faults: list[str] = []

    def __call__(
        self,
        *,
        width: int = 1280,
        height: int = 800,
        scheme: str = "light",
        locale: str = "en-GB",
        javascript: bool = True,
    ) -> Page:
        """A page of a new browser: no cookie, no history, nothing of the other pages."""
        context = self._browser.new_context(
            base_url=self._base_url,
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            java_script_enabled=javascript,
            locale=locale,
            service_workers="block",
        )
        context.set_default_timeout(PATIENCE)
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", self._console)
        page.on("pageerror", lambda fault: self.faults.append(f"error in a script: {fault}"))
        page.on("requestfailed", lambda it: self._failed(it.url, it.failure))
        page.on("response", lambda it: self._answered(it.status, it.url))
        return page

    def _console(self, said: ConsoleMessage) -> None:
        if said.type == "error" and not _NO_FAULT.search(said.text):
            self.faults.append(f"console: {said.text}")

    def _failed(self, url: str, why: str | None) -> None:
        # A request that is under way while the page goes elsewhere is cut off: no fault.
        if why != "net::ERR_ABORTED":
            self.faults.append(f"{url}: {why}")

    def _answered(self, status: int, url: str) -> None:
        if status >= 500:
            self.faults.append(f"{status} from {url}")

    def photograph(self, folder: Path) -> list[Path]:
        """A picture of every open page, for a failed journey."""
        folder.mkdir(parents=True, exist_ok=True)
        pictures = []
        for context in self._contexts:
            for page in context.pages:
                pictures.append(folder / f"{len(pictures)}.png")
                with contextlib.suppress(Exception):
                    page.screenshot(path=pictures[-1], full_page=True)
        return pictures

    def close(self) -> None:
        for context in self._contexts:
            context.close()
