"""The faults of `chaos`, and what its mail server notices, without an instance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chaos import faults, mail_faults
from chaos.crowd import Crowd
from chaos.evidence import NEVER, Sent, Stop
from chaos.rig import Rig
from chaos.scene import Scene
from chaos.sink import Sink, unfit
from tests.house.ledger import Letter

pytestmark = pytest.mark.once
OFFERED = frozenset({"SIZE", "8BITMIME", "SMTPUTF8"})


class Clocked(SimpleNamespace):
    """Of a rig no more than its mail server and its clock."""

    clock_offset = 0.0
    parts: dict[str, object] = {}
    proxy = None
    disarm = list

    def move_clock(self, seconds: float) -> None:
        self.clock_offset += seconds

    def go_on_all(self) -> None:
        """Nothing stands still."""


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Sink(tmp_path / "ledger") as sink:
        yield Scene(cast(Rig, Clocked(sink=sink)), seed=1)


def test_a_mail_server_that_is_away_does_not_go_away_again(scene: Scene) -> None:
    """Otherwise it would come back twice, and the second time find its own port taken."""
    assert mail_faults.relay_away(scene) is True
    assert mail_faults.relay_away(scene) is False
    scene.heal()
    assert scene.rig.sink.listens


def test_a_pause_ends_with_the_first_resume() -> None:
    """The engine pauses it, too, where the way is broken; letting it go on from that is not the end
    of what a person paused long before."""
    sent = Sent(
        7, 1, "First", "m1@news.example", frozenset([1]), 100.0, stops=[Stop("pause", 99.5)]
    )
    crowd: Any = SimpleNamespace(_insist=lambda ask: None)
    Crowd.resume(crowd, sent)
    ended = sent.stops[0].until
    assert 99.5 < ended < NEVER
    Crowd.resume(crowd, sent)
    assert sent.stops[0].until == ended


def test_who_is_new_is_greylisted_for_five_minutes_of_the_moved_clock(scene: Scene) -> None:
    mail_faults.greylist_for_five_minutes(scene)
    ((digit, rule),) = scene.greylists.items()
    new, other = f"Ann{digit}@x.example", f"ann{(digit + 1) % 10}@x.example"
    assert rule.applies(new)
    assert not rule.applies(other)
    scene.rig.move_clock(299)
    assert rule.applies(new.lower())
    scene.rig.move_clock(2)
    assert not rule.applies(new)


def test_minutes_pass_in_steps_and_at_once_where_all_is_healed(scene: Scene) -> None:
    faults.pass_time(scene, 600, within=10)
    assert scene.rig.clock_offset == 0
    scene.heal()
    assert scene.rig.clock_offset == pytest.approx(600)


@pytest.mark.parametrize(
    ("to", "content", "options", "offered", "wrong"),
    [
        ("ann@x.example", b"plain", (), frozenset(), ""),
        ("ann@x.example", b"plain", ("SIZE=5",), OFFERED, ""),
        ("ann@x.example", b"plain", ("SIZE=5",), frozenset(), "SIZE was not offered"),
        ("ann@x.example", b"\xc3\xa9", (), OFFERED, "octets above 127 without BODY=8BITMIME"),
        ("ann@x.example", b"\xc3\xa9", ("BODY=8BITMIME",), OFFERED, ""),
        ("ann@x.example", b"x", ("BODY=8BITMIME",), frozenset(), "8BITMIME was not offered"),
        ("\u00e9@x.example", b"x", (), OFFERED, "an address beyond ASCII without SMTPUTF8"),
        ("\u00e9@x.example", b"x", ("SMTPUTF8",), OFFERED, ""),
    ],
)
def test_what_a_server_did_not_offer_is_noticed(
    to: str, content: bytes, options: tuple[str, ...], offered: frozenset[str], wrong: str
) -> None:
    letter = Letter("m1@news.example", (to,), content, 0.0, options=options)
    assert unfit(letter, offered) == wrong
