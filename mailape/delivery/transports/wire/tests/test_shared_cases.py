"""The session keeps the same contract as the plain client: the same cases, another transport.

They run against aiosmtpd, a server that we did not write and that offers no PIPELINING.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from mailape.delivery.tests.test_smtp import (  # noqa: F401 - collected here
    test_4xx_and_5xx_concern_the_recipient_and_the_next_one_goes,
    test_a_bad_certificate_breaks_a_route_that_demands_tls,
    test_a_bad_certificate_is_no_worse_than_no_tls_where_none_is_demanded,
    test_a_kept_connection_that_was_closed_is_replaced_without_a_word,
    test_a_line_cut_before_the_dot_is_tried_later_and_behind_it_in_doubt,
    test_a_line_cut_in_the_middle_of_the_content_is_never_taken_for_sent,
    test_a_line_end_in_an_address_is_no_command,
    test_a_login_that_fails_for_now_does_not,
    test_a_login_that_is_refused_breaks_the_route,
    test_a_mail_that_may_not_go_any_more_does_not,
    test_a_mail_too_large_for_the_server_is_nobodys_fault,
    test_a_non_ascii_local_part_needs_smtputf8_and_concerns_that_one_only,
    test_bytes_arrive_as_they_left_and_dots_survive,
    test_connections_are_kept_from_one_call_to_the_next,
    test_garbage_behind_the_dot_is_in_doubt,
    test_it_gives_a_sign_of_life_while_the_server_is_silent,
    test_mails_are_taken_only_when_they_can_go,
    test_never_more_connections_than_allowed_and_one_until_the_route_works,
    test_nobody_there_is_a_route_that_is_down,
    test_smtps,
    test_starttls_is_used_where_it_is_offered_and_demanded_where_it_must,
    test_what_goes_wrong_before_rcpt_concerns_the_route,
    test_without_starttls_nothing_goes_out_where_it_is_demanded,
)
from mailape.delivery.transports.wire import Server, WireTransport


@pytest.fixture
def over() -> Iterator[Callable[..., WireTransport]]:
    """A transport to a server: `over(smtp.url)`."""
    opened: list[WireTransport] = []

    def make(url: str, connections: int = 4) -> WireTransport:
        opened.append(WireTransport(Server.from_url(url, helo="[127.0.0.1]"), 1, connections))
        return opened[-1]

    yield make
    for transport in opened:
        transport.close()
