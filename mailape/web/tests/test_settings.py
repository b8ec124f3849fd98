"""Settings of the workspace, members, API tokens."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from mailape.accounts import tokens
from mailape.accounts.models import ApiToken, Membership, Workspace
from mailape.campaigns.models import Message
from mailape.core import colour as colour_of
from mailape.delivery import preview, sources
from mailape.senders import access, domains, manage
from mailape.senders.models import Sender
from mailape.web import brand
from mailape.web.tests.worlds import World
from tests.house import people
from tests.house.people import Person

GIVEN = {"name": "The Orchard", "postal_address": "Gate 1\n12 Lane", "language": "de"}


def picture(kind: str = "PNG", size: tuple[int, int] = (300, 100)) -> SimpleUploadedFile:
    written = io.BytesIO()
    Image.new("RGB", size, "red").save(written, kind)
    return SimpleUploadedFile("logo.png", written.getvalue())


def test_name_address_and_language_are_saved(alice: Person):
    assert alice.client().post("/settings/save", GIVEN)["Location"] == "/settings"
    alice.workspace.refresh_from_db()
    assert alice.workspace.name == "The Orchard"
    assert alice.workspace.postal_address == "Gate 1\n12 Lane"
    assert alice.workspace.language == "de"


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("postal_address", "\n".join(["x" * 101] * 3)), ("language", "xx")],
)
def test_what_will_not_do_is_said_and_nothing_is_saved(alice: Person, field: str, value: str):
    refused = alice.client().post("/settings/save", {**GIVEN, field: value})
    assert refused.status_code == 400
    assert f'id="{field}-fault"' in refused.content.decode()
    alice.workspace.refresh_from_db()
    assert alice.workspace.name == "Alice’s workspace"


def test_a_viewer_reads_the_settings_without_a_form(alice: Person):
    viewer = people.join(alice, "vic", "viewer")
    html = viewer.client().get("/settings").content.decode()
    assert "Alice’s workspace" in html
    assert "/settings/save" not in html


# --- how readers see it ---------------------------------------------------------------------------


def test_a_logo_is_written_anew_and_shown_to_readers(world: World):
    owner = world.owner.client()
    given = {"accent": "#AA3300", "logo": picture("BMP")}
    refused = owner.post("/settings/look", given)
    assert refused.status_code == 400
    assert 'id="logo-fault"' in refused.content.decode()
    assert owner.post("/settings/look", {**given, "logo": picture()}).status_code == 302
    shown = Client().get(f"/subscribe/{world.list.public_id}").content.decode()
    logo = re.search(r'src="(/logo/[^"]+)"', shown)
    assert logo
    answer = Client().get(logo[1])
    assert answer["Content-Type"] == "image/png"
    assert "immutable" in answer["Cache-Control"]
    assert Image.open(io.BytesIO(answer.content)).size == (300, 100)
    assert "/brand/aa3300.css" in shown
    assert owner.post("/settings/logo/remove").status_code == 302
    assert Client().get(logo[1]).status_code == 404
    assert "/logo/" not in Client().get(f"/subscribe/{world.list.public_id}").content.decode()


def mail(world: World) -> str:
    """The draft as a reader would get it now."""
    return preview.of(Message.objects.get(pk=world.draft.pk)).html


def test_the_logo_stands_above_mails_unless_that_is_switched_off(world: World):
    owner = world.owner.client()
    owner.post("/settings/look", {"accent": "", "logo": picture(), "logo_in_mails": "yes"})
    html = mail(world)
    (tag,) = re.findall(r"<img[^>]*>", html)
    world.owner.workspace.refresh_from_db()
    assert f'src="{settings.SITE_URL}{brand.logo_url(world.owner.workspace)}"' in tag
    assert 'width="240"' in tag  # 300 by 100 pixels, within 240 by 80
    assert f'alt="{world.owner.workspace.name}"' in tag
    assert "/logo/" not in preview.of(world.draft).text
    assert "/logo/" in preview.confirmation(world.list).html
    assert 'name="logo_in_mails" value="yes" checked' in owner.get("/settings").content.decode()
    owner.post("/settings/look", {"accent": ""})
    assert "<img" not in mail(world)
    assert 'value="yes" checked' not in owner.get("/settings").content.decode()


def test_mails_of_before_show_the_logo_of_now(world: World):
    owner = world.owner.client()
    owner.post("/settings/look", {"accent": "", "logo": picture()})
    world.owner.workspace.refresh_from_db()
    before = brand.logo_url(world.owner.workspace)
    owner.post("/settings/look", {"accent": "", "logo": picture(size=(200, 50))})
    answer = Client().get(before)
    assert Image.open(io.BytesIO(answer.content)).size == (200, 50)
    assert answer["Cache-Control"] == "public, max-age=86400"


def test_the_name_in_the_logo_is_no_merge_tag_and_no_html(world: World):
    owner = world.owner.client()
    owner.post(
        "/settings/save", {"name": 'A "{{ list.name }}" <b>', "postal_address": "", "language": ""}
    )
    owner.post("/settings/look", {"accent": "", "logo": picture(), "logo_in_mails": "yes"})
    html = mail(world)
    assert 'alt="A &#34;{{ list.name }}&#34; &lt;b&gt;"' in html


def test_the_colour_is_typed_or_chosen_and_only_the_typed_one_is_posted(alice: Person):
    html = alice.client().get("/settings").content.decode()
    swatch = html[html.index('<input type="color"') :].partition(">")[0]
    assert 'value="#0d6b50"' in swatch
    assert 'data-swatch="accent"' in swatch
    assert " hidden" in swatch
    assert " name=" not in swatch


def test_a_colour_makes_a_sheet_that_asks_no_database(django_assert_num_queries, db):
    with django_assert_num_queries(0):
        answer = Client().get("/brand/aa3300.css")
    assert answer["Content-Type"].startswith("text/css")
    for wrong in ("red", "AA3300", "aa330", "aa3300;"):
        assert Client().get(f"/brand/{wrong}.css").status_code == 404


@pytest.mark.parametrize(
    "colour", ["000000", "ffffff", "ffff00", "0d6b50", "ff0000", "777777", "00ffcc", "1a0033"]
)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_in_every_colour(colour: str, theme: str):
    made = brand.tokens(f"#{colour}", theme)
    for ground in (*brand.GROUNDS[theme], made["accent-soft"]):
        assert colour_of.contrast(made["accent"], ground) >= 4.5, ground
    for ground in (made["accent"], made["accent-hover"]):
        assert colour_of.contrast(made["on-accent"], ground) >= 4.5, ground


def test_the_grounds_are_those_of_the_tokens():
    css = (Path(brand.__file__).parent / "static/web/css/tokens.css").read_text()
    for ground in (*brand.GROUNDS["light"], *brand.GROUNDS["dark"]):
        assert f": {ground};" in css


# --- senders --------------------------------------------------------------------------------------


def test_a_sender_is_added_changed_made_default_and_removed(alice: Person):
    browser = alice.client()
    made = browser.post("/settings/senders/new", {"name": "Mara", "email": "mara@example.org"})
    url = made["Location"]
    assert "v=DMARC1" in browser.get(url).content.decode()
    browser.post(url, {"name": "Mara", "email": "news@example.org", "reply_to": "m@example.org"})
    browser.post(f"{url}/default")
    first, second = alice.workspace.senders.order_by("-is_default")
    assert (first.email, first.reply_to) == ("news@example.org", "m@example.org")
    assert browser.post(f"{url}/remove").status_code == 409
    other = f"/settings/senders/{second.public_id}"
    for _ in range(2):
        assert browser.post(f"{other}/remove").status_code == 302
    browser.get("/settings/senders")  # which shows what was done
    html = browser.get("/settings/senders").content.decode()
    assert "Make default" not in html


def another(person: Person) -> Sender:
    return manage.add(person.workspace, name="News", email="news@example.org")


def test_a_removed_sender_comes_back_by_the_toast_and_by_a_second_click(alice: Person):
    sender, browser = another(alice), alice.client()
    url = f"/settings/senders/{sender.public_id}"
    browser.post(f"{url}/remove")
    assert f'action="{url}/restore"' in browser.get("/settings/senders").content.decode()
    assert browser.get(url).status_code == 404
    for _ in range(2):
        assert browser.post(f"{url}/restore")["Location"] == "/settings/senders"
    assert sender in access.senders(alice.workspace)


def test_no_more_senders_come_back_than_a_workspace_may_have(alice: Person, monkeypatch):
    sender, browser = another(alice), alice.client()
    url = f"/settings/senders/{sender.public_id}"
    browser.post(f"{url}/remove")
    monkeypatch.setattr(manage, "MOST", 1)
    assert browser.post(f"{url}/restore").status_code == 409
    assert sender not in access.senders(alice.workspace)


def test_a_sender_that_a_message_waits_for_is_not_removed(world: World):
    sender, browser = another(world.owner), world.owner.client()
    Message.objects.filter(pk=world.draft.pk).update(sender=sender, status="queued")
    refused = browser.post(f"/settings/senders/{sender.public_id}/remove")
    assert refused.status_code == 409
    assert world.draft.subject in refused.content.decode()
    assert sender in access.senders(world.owner.workspace)


def test_a_draft_whose_sender_is_removed_is_sent_as_the_default_one(world: World):
    sender = another(world.owner)
    Message.objects.filter(pk=world.draft.pk).update(sender=sender)
    world.owner.client().post(f"/settings/senders/{sender.public_id}/remove")
    draft = Message.objects.get(pk=world.draft.pk)
    assert sources.newsletter(draft).from_email == world.owner.workspace.senders.first().email
    shown = world.owner.client().get(f"/messages/{draft.public_id}/send").content.decode()
    assert "news@example.org" not in shown


def test_the_page_of_a_sender_says_what_the_dns_said(alice: Person, settings):
    sender = another(alice)
    url = f"/settings/senders/{sender.public_id}"
    assert "Once a mail server is set up" in alice.client().get(url).content.decode()
    settings.SMTP_URL = "smtp://127.0.0.1:1"
    domains.ask("example.org")
    assert "The DNS is being asked" in alice.client().get(url).content.decode()
    wanted = domains.look("example.org")
    domains.looked(wanted, domains.Found(answered=True, takes_mail=True, spf="v=spf1 -all"))
    shown = alice.client().get(url).content.decode()
    assert "example.org has no DMARC record" in shown
    assert "example.org says who may send for it (SPF)." in shown


@pytest.mark.parametrize(("field", "value"), [("email", "x"), ("email", ""), ("reply_to", "x")])
def test_a_senders_address_that_will_not_do_is_said_at_its_field(
    alice: Person, field: str, value: str
):
    given = {"name": "Mara", "email": "mara@example.org", "reply_to": "", field: value}
    refused = alice.client().post("/settings/senders/new", given)
    assert refused.status_code == 400
    assert f'id="{field}-fault"' in refused.content.decode()
    assert 'value="Mara"' in refused.content.decode()


# --- another workspace ----------------------------------------------------------------------------


def test_a_new_workspace_is_gone_to_and_has_a_sender(alice: Person):
    browser = alice.client()
    assert browser.post("/workspaces/new", {"name": "Second"})["Location"] == "/"
    assert "Second" in browser.get("/settings").content.decode()
    made = Workspace.objects.get(name="Second")
    assert made.senders.get().is_default
    assert browser.post("/workspaces/new", {"name": " "}).status_code == 400


# --- members and tokens ---------------------------------------------------------------------------


def test_members_are_listed_with_their_roles(alice: Person, bob: Person, charlie: Person):
    html = alice.client().get("/settings/members").content.decode()
    assert re.search(r"bob@example\.org.*Editor", html, re.DOTALL)
    assert "charlie@example.org" not in html


def test_a_token_is_shown_once_and_works(alice: Person):
    browser = alice.client()
    made = browser.post(
        "/settings/tokens", {"name": "script", "days": "30", "role": "viewer"}
    ).content.decode()
    text = re.search(r'value="(ma_[\w-]+)"', made)
    assert text
    found = tokens.find(text[1])
    assert found
    assert found.expires_at is not None
    headers = {"Authorization": f"Bearer {text[1]}"}
    assert Client().get("/api/v1/me", headers=headers).json()["role"] == "viewer"
    assert Client().post("/api/v1/lists", headers=headers).status_code == 403
    assert text[1] not in browser.get("/settings/tokens").content.decode()
    assert "no-store" in browser.get("/settings/tokens")["Cache-Control"]


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"name": "x", "days": "0"}, {"name": "x", "days": "x"},
              {"name": "x", "days": "9" * 30}],
)  # fmt: skip
def test_a_token_with_wrong_values_is_not_made(alice: Person, wrong: dict[str, str]):
    assert alice.client().post("/settings/tokens", wrong).status_code == 400
    assert not ApiToken.objects.exists()


def test_revoking_ends_ones_own_token_and_nobody_elses(world: World, bob: Person):
    url = f"/settings/tokens/{world.token.public_id}/revoke"
    Membership.objects.filter(pk=bob.member.pk).update(role="owner")
    assert bob.client().post(url).status_code == 404
    world.token.refresh_from_db()
    assert world.token.revoked_at is None
    for _ in range(2):
        assert world.owner.client().post(url)["Location"] == "/settings/tokens"
    world.token.refresh_from_db()
    assert world.token.revoked_at is not None
    assert "Apples" not in bob.client().get("/settings/tokens").content.decode()
