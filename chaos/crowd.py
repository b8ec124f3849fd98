"""The people of a run: they sign up, confirm, leave; the owner sends, pauses, cancels, suppresses.

Everything goes over HTTP, as theirs would, and is asked for again until there is an answer. What
was answered is written down as an act, because the mails are judged by it.
"""

from __future__ import annotations

import io
import itertools
import queue
import random
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace

from PIL import Image

from chaos.evidence import NEVER, Act, Person, Sent, Stop
from chaos.web import Answer, GivenUp, Unsure, Web, insist
from chaos.world import World
from mailape.campaigns import dispatch
from tests.house.ledger import Letter

BODY = """# Hello {{ subscriber.first_name | default: "friend" }}

This is **chaos**, sent to {{ subscriber.email }} by [us](https://news.example/a?b=1&c=2).

[Another link](https://news.example/more) and [leave]({{ unsubscribe_url }}).
"""
# What makes every mail of a message larger than the rows offer with a small SIZE.
LARGE = "A word and another. " * 4_000
_PAUSED = "The mail server takes no mail as large as this one: "
_CONFIRM = re.compile(r"http://[^\s\"<>]+/confirm/[^\s\"<>]+")
_LEAVE = re.compile(rb"^List-Unsubscribe:\s*<([^>]+)>", re.IGNORECASE | re.MULTILINE)


READERS, ACTORS = 2, 3
# Seconds, on a busy machine: for its build, and behind what others have on their way.
LARGE_PAUSES_WITHIN = 60.0
PASTED = 3_000  # lines, which keep the web server busy for a second or so


class _Counted:
    """How many are inside at this moment."""

    def __init__(self) -> None:
        self._inside = 0
        self._guard = threading.Lock()

    @property
    def none(self) -> bool:
        return not self._inside

    def __enter__(self) -> None:
        with self._guard:
            self._inside += 1

    def __exit__(self, *fault: object) -> None:
        with self._guard:
            self._inside -= 1


class Crowd:
    """Everybody. `begin` starts their threads, `end` waits for what they still have to do."""

    def __init__(self, world: World, web: Web, seed: int) -> None:
        self.world, self.web = world, web
        self.people = world.people
        self.sent: list[Sent] = []
        self.asked: dict[str, float] = {}  # who signed up, and when that was answered
        self.pasted: set[str] = set()  # suppressed among many others, and that was answered
        self.pictures: dict[str, tuple[int, int]] = {}  # width and height by their address
        self.given_up: list[str] = []
        self.acts = 0
        self.lists = {world.weekly.pk: world.weekly, world.daily.pk: world.daily}
        self._public = {one.pk: one.public_id for one in self.lists.values()}
        self._letters: queue.Queue[Letter] = queue.Queue()
        self._seed, self._own = seed, threading.local()
        self._guard = threading.Lock()
        self._busy, self._over = True, False
        self._patience_ends = NEVER
        self._threads: list[threading.Thread] = []
        self._numbers = itertools.count(1)
        self._acting, self._pasting = _Counted(), _Counted()
        self._stopped: set[str] = set()

    # --- running ---

    def begin(self, acts: Mapping[str, float], pause: float) -> None:
        """Starts reading mails and, about every `pause` seconds, one of `acts` by their weights."""
        for _ in range(READERS):
            self.go(self._read_mails)
        for _ in range(ACTORS if acts else 0):
            self.go(lambda: self._act_on(acts, pause * ACTORS))

    def rest(self) -> None:
        """No new acts from here on; what was begun is brought to an answer."""
        self._busy = False

    def end(self, within: float) -> None:
        """Waits for those who still ask. `given_up` then holds what nobody answered."""
        self._busy, self._over = False, True
        self._patience_ends = time.monotonic() + within
        for thread in self._threads:
            thread.join(within + 20)
            if thread.is_alive():
                self.given_up.append("somebody still waits for an answer")

    @property
    def is_pasting(self) -> bool:
        """Whether many lines are on their way to the web server, or being taken in there."""
        return not self._pasting.none

    @property
    def is_quiet(self) -> bool:
        """Whether nobody is in the middle of an act, and every confirmation is being acted on."""
        return self._acting.none and self._letters.empty()

    def go(self, work: Callable[[], None]) -> None:
        """Does it in a thread of its own, which `end` waits for."""
        thread = threading.Thread(target=work, daemon=True, name=f"crowd-{len(self._threads)}")
        thread.start()
        self._threads.append(thread)

    @property
    def _random(self) -> random.Random:
        """Chance of this thread's own: the seed decides it, however the threads are mixed."""
        if not hasattr(self._own, "random"):
            self._own.random = random.Random(f"{self._seed} {threading.current_thread().name}")
        found: random.Random = self._own.random
        return found

    def _insist(self, ask: Callable[[], Answer]) -> Answer | None:
        try:
            return insist(ask, lambda: time.monotonic() < self._patience_ends)
        except GivenUp as fault:
            self.given_up.append(str(fault))
            return None

    def _act_on(self, acts: Mapping[str, float], pause: float) -> None:
        deeds = {
            "sign-up": self.sign_up, "leave": self.leave, "end": self.end_one, "add": self.add,
            "suppress": self.suppress, "pause": self.pause_and_resume, "cancel": self.cancel,
            "send-large": self.send_large, "paste": self.paste, "picture": self.picture,
        }  # fmt: skip
        names, weights = list(acts), list(acts.values())
        while self._busy:
            time.sleep(self._random.expovariate(1 / pause))
            with self._acting:
                if self._busy:
                    deeds[self._random.choices(names, weights)[0]]()
                    self.acts += 1

    # --- acts of readers ---

    def _begun(self, address: str, kind: str, lists: frozenset[int]) -> tuple[Person, int]:
        person = self.people[address]
        with self._guard:
            person.acts.append(Act(kind, time.time(), None, lists))
            return person, len(person.acts) - 1

    def _ended(self, act: tuple[Person, int], answer: Answer | None) -> None:
        person, place = act
        if answer is not None and answer.good:
            person.acts[place] = replace(person.acts[place], ended=time.time())

    def sign_up(self) -> None:
        """A new person fills the form in; she confirms when the mail comes."""
        number = next(self._numbers)
        address = f"n{number}@new{number % 5}.example"
        self.people[address] = Person(address, self.world.weekly.workspace_id)
        url = f"http://x/subscribe/{self._public[self.world.weekly.pk]}"
        answer = self._insist(lambda: self.web.submit(url, email=address))
        if answer is not None and answer.good:
            self.asked[address] = time.time()

    def read(self, letter: Letter) -> None:
        """Called by the mail server for each letter."""
        if "/confirm/" in letter.content.decode("ascii", "replace").replace("=\r\n", ""):
            self._letters.put(letter)

    def _read_mails(self) -> None:
        while True:
            try:
                letter = self._letters.get(timeout=0.2)
            except queue.Empty:
                if self._over:
                    return
                continue
            with self._acting:
                self._confirm(letter)

    def _confirm(self, letter: Letter) -> None:
        found = _CONFIRM.search(letter.part("plain"))
        address = letter.to.lower()
        if not found or address.startswith("u"):  # those never confirm
            return
        act = self._begun(address, "joined", frozenset([self.world.weekly.pk]))
        self._ended(act, self._insist(lambda: self.web.submit(found.group())))

    def leave(self) -> None:
        """One click in a newsletter that somebody got."""
        letter = self._some_letter()
        if letter is None:
            return
        link = _LEAVE.search(letter.content.replace(b"\r\n ", b""))
        sent = next((s for s in self.sent if s.sender == letter.sender.lower()), None)
        if link is None or sent is None:
            return
        url = link.group(1).decode("ascii")
        act = self._begun(letter.to.lower(), "left", sent.lists)
        fields = {"List-Unsubscribe": "One-Click"}
        self._ended(act, self._insist(lambda: self.web.post_form(url, fields)))

    letters: Callable[[], list[Letter]] = staticmethod(list)  # set by the run

    def _some_letter(self) -> Letter | None:
        taken = [one for one in self.letters()[-400:] if one.sender.endswith("@news.example")]
        return self._random.choice(taken) if taken else None

    # --- acts of the owner ---

    def _somebody(self) -> str | None:
        known = [a for a in self.world.ids if a in self.people and self.people[a].acts]
        mine = [a for a in known if self.people[a].workspace == self.world.weekly.workspace_id]
        return self._random.choice(mine) if mine else None

    def end_one(self) -> None:
        """The owner takes somebody off the weekly list."""
        address = self._somebody()
        if address is None:
            return
        weekly = self.world.weekly.pk
        act = self._begun(address, "left", frozenset([weekly]))
        path = f"lists/{self._public[weekly]}/subscribers/{self.world.ids[address]}"
        self._ended(act, self._insist(lambda: self.web.api("DELETE", path)))

    def add(self) -> None:
        """The owner adds somebody who agreed elsewhere."""
        address = f"a{next(self._numbers)}@added.example"
        self.people[address] = Person(address, self.world.weekly.workspace_id)
        weekly = self.world.weekly.pk
        act = self._begun(address, "joined", frozenset([weekly]))
        body = {"email": address, "confirmed": True}
        path = f"lists/{self._public[weekly]}/subscribers"
        self._ended(act, self._insist(lambda: self.web.api("POST", path, body)))

    def suppress(self) -> None:
        """The owner suppresses somebody's address."""
        address = self._somebody()
        if address is None:
            return
        act = self._begun(address, "suppressed", frozenset())
        body = {"address": address, "reason": "owner"}
        self._ended(act, self._insist(lambda: self.web.api("POST", "suppressions", body)))

    def paste(self) -> None:
        """The owner pastes thousands of addresses that are never to be mailed, some of readers."""
        number = next(self._numbers)
        lines = [f"x{number}-{n}@pasted.example" for n in range(PASTED)]
        known = {address for address in [self._somebody()] if address}
        acts = [self._begun(address, "suppressed", frozenset()) for address in known]
        fields = {"lines": "\n".join([*lines, *known]), "reason": "owner", "source": "chaos"}
        cookie = self.world.cookie
        with self._pasting:
            answer = self._insist(lambda: self.web.post_as(cookie, "/suppressions/new", fields))
        for act in acts:
            self._ended(act, answer)
        if answer is not None and answer.status == 302:
            self.pasted.update(lines, known)
        elif answer is not None:
            self.given_up.append(f"lines were not taken in: {answer.status} {answer.text[:300]}")

    def picture(self) -> None:
        """The owner adds a picture that nobody has seen. Where that fails she does without."""
        width, height = self._random.randint(100, 200), 100
        noise = self._random.randbytes(width * height * 3)
        file = io.BytesIO()
        Image.frombytes("RGB", (width, height), noise).save(file, "PNG")
        cookie, content = self.world.cookie, file.getvalue()
        try:
            answer = self.web.upload_as(cookie, "/images", "image", content)
        except Unsure:
            return
        if answer.status == 200:
            self.pictures[answer.data["url"]] = width, height
        else:
            self.given_up.append(f"a picture was not taken in: {answer.status} {answer.text[:300]}")

    def send_large(self) -> None:
        """The owner sends what is too large: it must pause and say so. Then she cancels it."""
        sent = self.send(frozenset([self.world.daily.pk]), body=BODY + LARGE)
        end = time.monotonic() + LARGE_PAUSES_WITHIN
        while sent is not None:
            shown = self._insist(lambda: self.web.api("GET", f"messages/{sent.public}"))
            if shown is None or shown.data["reason"].startswith(_PAUSED):
                break
            if time.monotonic() > end or shown.data["status"] == "sent":
                self.given_up.append(
                    f"too large, and {shown.data['status']} {shown.data['reason']}"
                )
                break
            time.sleep(0.5)
        if sent is not None:
            self._stop(sent, "cancel")

    def send(self, lists: frozenset[int], body: str = BODY) -> Sent | None:
        """The owner writes a message to these lists and sends it."""
        sender, address = self.world.senders.pop(0)
        subject = f"Chaos {len(self.sent) + 1}"
        draft = {
            "lists": [self._public[one] for one in sorted(lists)],
            "subject": subject, "body": body, "sender": sender,
        }  # fmt: skip
        made = self._once("messages", draft)
        if made is None or made.status != 201:
            self.given_up.append(f"no draft: {made}")
            return None
        public = made.data["id"]
        sent = Sent(0, self.world.weekly.workspace_id, subject, address, lists, time.time())
        sent.public = public
        with self._guard:
            self.sent.append(sent)
            if body != BODY:
                self._stopped.add(public)  # by whoever sends it, and nobody else
        answer = self._once(f"messages/{public}/send", {})
        if answer is None or answer.status not in {202, 409}:
            self.given_up.append(f"not sent: {answer}")
        return sent

    def _once(self, path: str, body: object) -> Answer | None:
        """A POST that is repeated under one key until it is known to have happened, once."""
        words = {"Idempotency-Key": uuid.UUID(int=self._random.getrandbits(128)).hex}

        def ask() -> Answer:
            answer = self.web.api("POST", path, body, words)
            if answer.status == 409 and "under way" in answer.text:
                raise Unsure(answer.text)
            return answer

        return self._insist(ask)

    def pause_and_resume(self) -> None:
        """The owner pauses what is on its way, and lets it go on after a while."""
        sent = self._on_its_way()
        if sent is None or not self._stop(sent, "pause"):
            return
        time.sleep(self._random.uniform(0.5, 4))
        self.resume(sent)

    def cancel(self) -> None:
        """The owner cancels what is on its way."""
        sent = self._on_its_way()
        if sent is not None:
            self._stop(sent, "cancel")

    def _on_its_way(self) -> Sent | None:
        """The newest message, once: two who stop the same one could not be told apart."""
        with self._guard:
            if not self.sent or self.sent[-1].public in self._stopped:
                return None
            self._stopped.add(self.sent[-1].public)
            return self.sent[-1]

    def _stop(self, sent: Sent, kind: str) -> bool:
        path = f"messages/{sent.public}/{kind}"
        answer = self._insist(lambda: self.web.api("POST", path, {}))
        if answer is None or (answer.status != 202 and not self._is(sent, kind)):
            return False
        sent.stops.append(Stop(kind, time.time()))
        return True

    def _is(self, sent: Sent, kind: str) -> bool:
        """Whether the first of several tries was heard and only its answer was lost."""
        answer = self._insist(lambda: self.web.api("GET", f"messages/{sent.public}"))
        wanted = ("paused", dispatch.BY_A_PERSON) if kind == "pause" else ("cancelled", "")
        if answer is None or not answer.good:
            return False
        shown = answer.data
        return bool(shown["status"] == wanted[0] and shown["reason"].startswith(wanted[1]))

    def resume(self, sent: Sent) -> None:
        """The owner lets a message go on, whoever paused it."""
        # Her own pause ends once: what is resumed later was paused by the engine.
        if sent.stops and sent.stops[-1].kind == "pause" and sent.stops[-1].until == NEVER:
            sent.stops[-1] = replace(sent.stops[-1], until=time.time())
        self._insist(lambda: self.web.api("POST", f"messages/{sent.public}/resume", {}))
