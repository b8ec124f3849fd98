"""Fixtures of real parts: mail server, processes, browser. (People: the root conftest.py.)"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from playwright.sync_api import Browser, Page
from pytest_django import DjangoDbBlocker

from tests.house import instances
from tests.house.browser import Pages, chromium
from tests.house.instances import Instance, instance
from tests.house.smtp import SmtpServer


@pytest.fixture(scope="module")
def standing(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Makes rows once for all tests of a module: `world = standing(lambda: worlds.build(owner))`.

    They lie in a transaction around those of the tests. What a test changes in the database is
    taken back as ever; of the objects it must be given a copy (`copy.deepcopy`). Not for a module
    with tests that commit (`transaction=True`).
    """
    around = transaction.atomic()

    def make(deed: Callable[[], Any]) -> Any:
        with django_db_blocker.unblock():
            return deed()

    make(around.__enter__)
    yield make
    make(lambda: transaction.set_rollback(True))
    make(lambda: around.__exit__(None, None, None))


@pytest.fixture
def smtp_server() -> Iterator[Callable[..., SmtpServer]]:
    """Starts SMTP servers: `smtp_server(starttls=True, user="ann", password="secret")`."""
    with contextlib.ExitStack() as stack:

        def start(**options: Any) -> SmtpServer:
            return stack.enter_context(SmtpServer(**options))

        yield start


@pytest.fixture
def smtp(smtp_server: Callable[..., SmtpServer]) -> SmtpServer:
    """A plain SMTP server on a free port that takes everything until its script says otherwise."""
    return smtp_server()


@pytest.fixture
def processes() -> Iterator[Callable[..., Instance]]:
    """Makes instances with processes of their own: `processes(SMTP_URL=smtp.url)`."""
    with contextlib.ExitStack() as stack:

        def make(**variables: str) -> Instance:
            return stack.enter_context(instance(**variables))

        yield make


@pytest.fixture(scope="session")
def live_site() -> Iterator[Instance]:
    """One `mailape up` for all journeys, ready, its administrator made; mail goes to the Outbox,
    newsletters without the ten seconds before.

    Each journey opens an account of its own: `email, password = live_site.open_account()`.
    """
    with instance(TAKE_BACK="0") as site:
        site.accounts_at_once = 8
        site.migrate()
        site.open_account("admin@example.org", admin=True)
        site.up()
        yield site


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium itself. Most journeys want `page` or `pages`."""
    with chromium() as started:
        yield started


@pytest.fixture
def pages(
    browser: Browser, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pages]:
    """Opens pages: `pages(width=375, scheme="dark", javascript=False)`.

    Paths begin at `live_site`, or at the test's own instance, where it has a fixture `site`. At the
    end a fault that the browser saw fails the test: an error in a script, a breach of the content
    security policy, an answer of 500.
    """
    name = "site" if "site" in request.fixturenames else "live_site"
    site: Instance = request.getfixturevalue(name)
    opened = Pages(browser, site.url)
    yield opened
    failed = getattr(request.node, "failed", False)
    if failed or opened.faults:
        folder = Path(os.environ.get("MAILAPE_PICTURES") or tempfile.gettempdir())
        print("pictures:", *opened.photograph(folder / f"mailape-{request.node.name}"))
        print(site.output()[-3000:])
    opened.close()
    assert not opened.faults, opened.faults


@pytest.fixture
def page(pages: Pages) -> Page:
    """A page at 1280 × 800 in light colours."""
    return pages()


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Each worker of xdist begins with one of the slowest.

    It takes its share of the list from the front, others help it from behind, and the last test
    before its turn nobody takes over: one slow test behind another would be the end of the run.
    """
    yield  # whoever chooses and orders
    if (workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))) == 1:
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    rest = [item for item in items if item not in slow]
    share = len(items) / workers
    for number, item in enumerate(slow):
        turn, worker = divmod(number, workers)
        rest.insert(round(worker * share) + turn, item)
    items[:] = rest


def pytest_sessionfinish() -> None:
    """Nothing of the instance that others were copies of is left."""
    instances.forget()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Lets `pages` see whether its test failed."""
    report = yield
    if report.when == "call":
        item.failed = report.failed  # type: ignore[attr-defined]
    return report
