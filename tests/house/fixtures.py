"""Fixtures of real parts: mail server, processes, browser. (People: the root conftest.py.)"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.house.smtp import SmtpServer


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
