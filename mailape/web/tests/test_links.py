"""The pages behind the links of our mails."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from mailape.core import keys, links
from mailape.delivery.models import SubscriberMessage
from mailape.lists import manage, subscribe
from mailape.lists.models import ConsentRecord, Status, Subscription
from mailape.privacy.erase import erase
from mailape.web.tests import worlds
from mailape.web.tests.worlds import World

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def statuses(world: World) -> list[str]:
    return list(
        Subscription.objects.filter(subscriber=world.person)
        .order_by("pk")
        .values_list("status", flat=True)
    )


def paths(world: World) -> dict[str, str]:
    subscribe.sign_up(world.list, "new@example.org", "", worlds.FORM)
    person = Subscription.objects.get(subscriber__email="new@example.org").subscriber
    return {
        "confirm": f"/confirm/{worlds.confirmation(world.list, person)}",
        "unsubscribe": f"/u/{world.links.unsubscribe}",
        "preferences": f"/p/{world.links.preferences}",
    }


@pytest.mark.parametrize("name", ["confirm", "unsubscribe", "preferences"])
def test_looking_changes_nothing_and_finds_one_form(world: World, stranger: Client, name: str):
    path = paths(world)[name]
    before = list(Subscription.objects.order_by("pk").values())
    consents = ConsentRecord.objects.count()
    page = stranger.get(path)
    assert page.status_code == 200
    assert len(re.findall(r'<form[^>]*method="post"', page.content.decode())) == 1
    assert stranger.head(path).status_code == 200
    assert stranger.head(path).content == b""
    assert list(Subscription.objects.order_by("pk").values()) == before
    assert ConsentRecord.objects.count() == consents


@pytest.mark.parametrize("name", ["confirm", "unsubscribe", "preferences"])
def test_it_needs_no_cookie_sets_none_and_passes_the_token_to_nobody(
    world: World, stranger: Client, name: str
):
    path = paths(world)[name]
    for response in (stranger.get(path), stranger.post(path)):
        assert response.status_code == 200
        assert not response.cookies
        assert "Cookie" not in response.get("Vary", "")
        assert response["Referrer-Policy"] == "no-referrer"
        assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize("kind", ["confirm", "u", "p", "v"])
def test_an_altered_or_foreign_token_is_a_friendly_page(world: World, stranger: Client, kind: str):
    own = {
        "confirm": worlds.confirmation(world.list, world.person),
        "u": world.links.unsubscribe,
        "p": world.links.preferences,
        "v": world.links.click,
    }
    wrong = [token for name, token in own.items() if name != kind]
    wrong += [own[kind][:-1], own[kind] + "A", own[kind].replace("-", "_"), "x", "1-2-3", "é"]
    for token in wrong:
        for call in (stranger.get, stranger.post):
            response = call(f"/{kind}/{token}", ONE_CLICK)
            assert response.status_code == 404, token
            assert "This link does not work" in response.content.decode()
    assert statuses(world) == ["confirmed"]


# --- confirmation ---------------------------------------------------------------------------------


def test_the_button_confirms_and_a_second_click_shows_the_same(world: World, stranger: Client):
    path = paths(world)["confirm"]
    hers = Subscription.objects.get(subscriber__email="new@example.org")
    for _ in range(2):
        page = stranger.post(path)
        assert page.status_code == 200
        assert "You are on the list" in page.content.decode()
    hers.refresh_from_db()
    assert hers.status == Status.CONFIRMED
    assert ConsentRecord.objects.filter(method="confirmation").count() == 1
    assert "You had confirmed before" in stranger.get(path).content.decode()


def test_the_record_of_the_confirmation_holds_no_token(world: World, stranger: Client):
    path = paths(world)["confirm"]
    stranger.post(path)
    record = ConsentRecord.objects.get(method="confirmation")
    assert path.rpartition("/")[2] not in f"{record.source}{record.wording}"


def test_a_link_that_is_not_valid_any_more_offers_to_sign_up_again(world: World, stranger: Client):
    path = paths(world)["confirm"]
    subscribe.unsubscribe(
        Subscription.objects.get(subscriber__email="new@example.org").subscriber_id,
        None,
        worlds.WORD,
    )
    for call in (stranger.get, stranger.post):
        page = call(path)
        assert page.status_code == 404
        assert f"/subscribe/{world.list.public_id}" in page.content.decode()
    manage.archive(world.list)
    assert "/subscribe/" not in stranger.get(path).content.decode()


# --- unsubscribe ----------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_one_click_ends_it_at_once_without_a_redirect(world: World, stranger: Client, content: str):
    path = f"/u/{world.links.unsubscribe}"
    for _ in range(2):
        if content.startswith("multipart"):
            answer = stranger.post(path, ONE_CLICK)
        else:
            answer = stranger.post(path, "List-Unsubscribe=One-Click", content_type=content)
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/plain")
        assert len(answer.content) < 100
    assert statuses(world) == ["unsubscribed"]
    assert ConsentRecord.objects.filter(method="one_click").count() == 1


def test_it_ends_the_subscriptions_to_all_lists_of_the_message_and_no_other(
    world: World, stranger: Client
):
    second = manage.create(world.owner.workspace, "Second")
    third = manage.create(world.owner.workspace, "Third")
    for which in (second, third):
        worlds.on_list(which, world.person.email)
    message = worlds.sent(world.owner, [world.list, second], "To both")
    token = links.for_person(message.pk, world.person.pk).unsubscribe
    stranger.post(f"/u/{token}", ONE_CLICK)
    assert statuses(world) == ["unsubscribed", "unsubscribed", "confirmed"]


def test_an_old_link_works_without_its_delivery_and_after_a_new_key(world: World, stranger: Client):
    token = world.links.unsubscribe
    SubscriberMessage.objects.all().delete()
    keys.add()
    assert stranger.post(f"/u/{token}", ONE_CLICK).status_code == 200
    assert statuses(world) == ["unsubscribed"]


def test_a_person_gets_a_goodbye_with_the_way_back(world: World, stranger: Client):
    path = f"/u/{world.links.unsubscribe}"
    goodbye = stranger.post(path)
    assert "Goodbye" in goodbye.content.decode()
    assert statuses(world) == ["unsubscribed"]
    back = stranger.post(path, {"back": "yes"})
    assert "Welcome back" in back.content.decode()
    assert statuses(world) == ["confirmed"]


def test_nobody_comes_back_to_what_was_never_confirmed(world: World, stranger: Client):
    other = manage.create(world.owner.workspace, "Other")
    worlds.on_list(other, world.person.email, confirmed=False)
    message = worlds.sent(world.owner, [other], "Other")
    path = f"/u/{links.for_person(message.pk, world.person.pk).unsubscribe}"
    stranger.post(path)
    stranger.post(path, {"back": "yes"})
    assert Subscription.objects.get(list=other).status == Status.UNSUBSCRIBED


def test_an_erased_person_is_a_friendly_page(world: World, stranger: Client):
    tokens = world.links
    erase(world.person)
    for path in (f"/u/{tokens.unsubscribe}", f"/p/{tokens.preferences}", f"/v/{tokens.click}"):
        assert stranger.get(path).status_code == 404
    assert stranger.post(f"/u/{tokens.unsubscribe}", ONE_CLICK).status_code == 404


# --- preferences ----------------------------------------------------------------------------------


def test_only_her_lists_of_this_workspace_are_shown(world: World, stranger: Client, charlie):
    manage.create(world.owner.workspace, "Not hers")
    elsewhere = manage.create(charlie.workspace, "Elsewhere")
    worlds.on_list(elsewhere, world.person.email)
    html = stranger.get(f"/p/{world.links.preferences}").content.decode()
    assert "Apples" in html
    assert "Not hers" not in html
    assert "Elsewhere" not in html


def test_what_is_not_ticked_ends_and_what_is_ticked_comes_back(world: World, stranger: Client):
    second = manage.create(world.owner.workspace, "Second")
    worlds.on_list(second, world.person.email)
    path = f"/p/{world.links.preferences}"
    saved = stranger.post(path, {"list": [second.public_id]})
    assert "Your choice is saved" in saved.content.decode()
    assert statuses(world) == ["unsubscribed", "confirmed"]
    stranger.post(path, {"list": [world.list.public_id, "x", worlds.foreign("list")]})
    assert statuses(world) == ["confirmed", "unsubscribed"]


def test_leave_all_leaves_all(world: World, stranger: Client):
    second = manage.create(world.owner.workspace, "Second")
    worlds.on_list(second, world.person.email, confirmed=False)
    path = f"/p/{world.links.preferences}"
    stranger.post(path, {"leave_all": "yes", "list": [world.list.public_id]})
    assert statuses(world) == ["unsubscribed", "unsubscribed"]
    assert stranger.get(path).status_code == 200


def test_she_cannot_put_herself_on_a_list_she_never_confirmed(world: World, stranger: Client):
    other = manage.create(world.owner.workspace, "Other")
    path = f"/p/{world.links.preferences}"
    stranger.post(path, {"list": [world.list.public_id, other.public_id]})
    assert not Subscription.objects.filter(list=other).exists()


# --- view in browser ------------------------------------------------------------------------------


def test_a_message_that_was_never_compiled_has_no_page(world: World, stranger: Client):
    assert stranger.get(f"/v/{world.links.click}").status_code == 404


def test_the_message_is_shown_sandboxed_without_her_other_links(world: World, stranger: Client):
    from mailape.delivery import compile, sources

    compiled = compile.revision(world.sent, sources.newsletter(world.sent))
    world.sent.revision = compiled
    world.sent.save()
    page = stranger.get(f"/v/{world.links.click}")
    assert page.status_code == 200
    assert page["Content-Security-Policy"].startswith("sandbox ")
    assert "allow-scripts" not in page["Content-Security-Policy"]
    assert "allow-same-origin" not in page["Content-Security-Policy"]
    html = page.content.decode()
    for token in (world.links.unsubscribe, world.links.preferences):
        assert token not in html


@pytest.mark.parametrize("path", ["/u/test", "/p/test", "/v/test"])
def test_a_link_of_a_test_mail_says_that_it_was_one(stranger: Client, path: str):
    for response in (stranger.get(path), stranger.post(path, {"List-Unsubscribe": "One-Click"})):
        assert response.status_code == 200
        assert "This link was in a test mail" in response.content.decode()
