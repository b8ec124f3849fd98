"""The suppression list: addresses, domains, and the hash of one who was erased."""

import pytest

from mailape.core import address
from mailape.core.errors import Conflict, Invalid
from mailape.lists import subscribe, suppress
from mailape.lists.models import Subscriber, Subscription, Suppression
from mailape.lists.tests.conftest import FORM, OWNER
from mailape.privacy.erase import erase


def test_the_first_reason_is_kept(letter):
    first, new = suppress.suppress(letter.workspace, "ann@example.org", reason="bounce")
    again, second = suppress.suppress(letter.workspace, "ANN@example.org", reason="owner")
    assert (new, second, again.pk, again.reason) == (True, False, first.pk, "bounce")


@pytest.mark.parametrize("text", ["example.org", "@example.org", " EXAMPLE.org "])
def test_a_domain_may_be_written_in_several_ways(letter, text):
    row, _ = suppress.suppress(letter.workspace, text)
    assert (row.kind, row.value) == ("domain", "example.org")


def test_a_bare_word_is_no_domain_unless_it_is_meant_as_one(letter):
    for word in ("word", "WORD", " word "):
        with pytest.raises(Invalid, match="“word” is no full domain"):
            suppress.suppress(letter.workspace, word)
    assert suppress.suppress(letter.workspace, "@intranet")[0].value == "intranet"


@pytest.mark.parametrize("text", ["", "@", "a b", "not a domain!", "ann@@example.org"])
def test_what_is_neither_is_refused(letter, text):
    with pytest.raises(Invalid):
        suppress.suppress(letter.workspace, text)


def test_a_domain_does_not_cover_its_neighbours(letter):
    suppress.suppress(letter.workspace, "example.org")
    assert suppress.find(letter.workspace, address.parse("a@mail.example.org")) is None
    assert suppress.find(letter.workspace, address.parse("a@notexample.org")) is None


def test_an_erased_person_leaves_no_address_and_is_not_taken_in_by_the_owner(letter):
    subscribe.add(letter, "ann@example.org", "Ann", OWNER, confirmed=True)
    erase(Subscriber.objects.get())
    assert not Subscriber.objects.exists()
    assert "ann" not in Suppression.objects.get().value
    with pytest.raises(Conflict):
        subscribe.add(letter, "Ann@example.org", "", OWNER, confirmed=True)


def test_an_erased_person_may_sign_up_again_herself(letter):
    subscribe.add(letter, "ann@example.org", "Ann", OWNER, confirmed=True)
    erase(Subscriber.objects.get())
    subscribe.sign_up(letter, "ann@example.org", "", FORM)
    assert Subscription.objects.get().confirmation_no == 1
    assert not Suppression.objects.exists()


# --- several at once ------------------------------------------------------------------------------

PASTED = """\
Ann@Example.org
bounces.example

Eve Holm
ann@example.org
*@closed.example
bob@example.org;
@intranet
not an address@x
"""


def test_of_several_lines_the_good_are_kept_and_each_bad_one_is_named(letter):
    suppress.suppress(letter.workspace, "bob@example.org", reason="bounce")
    done = suppress.several(letter.workspace, PASTED, reason="complaint", source="old list")
    assert (done.new, done.known) == (3, 1)
    assert [(line.number, line.text) for line in done.bad] == [
        (4, "Eve Holm"), (6, "*@closed.example"), (9, "not an address@x"),
    ]  # fmt: skip
    assert done.bad[1].why == "For everybody at this domain write closed.example."
    kept = dict(Suppression.objects.values_list("value", "reason"))
    assert kept == {
        "ann@example.org": "complaint", "bounces.example": "complaint", "intranet": "complaint",
        "bob@example.org": "bounce",
    }  # fmt: skip
    assert set(Suppression.objects.filter(reason="complaint").values_list("source", flat=True)) == {
        "old list"
    }


def test_several_twice_change_nothing(letter):
    suppress.several(letter.workspace, PASTED)
    again = suppress.several(letter.workspace, PASTED)
    assert (again.new, again.known, len(again.bad)) == (0, 4, 3)


def test_thousands_of_lines_are_a_few_statements_and_too_many_are_none(
    letter, django_assert_max_num_queries
):
    text = "\n".join(f"p{number}@example.org" for number in range(3000))
    with django_assert_max_num_queries(30):
        assert suppress.several(letter.workspace, text).new == 3000
    with pytest.raises(Invalid, match="At most 10,000 lines"):
        suppress.several(letter.workspace, "a@example.org\n" * 10_001)


# --- search, and the way back ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("ann", ["ann@example.org"]),
        ("ANN@Exa", ["ann@example.org"]),
        ("exam", ["example.org"]),
        ("@example.org", ["example.org"]),
        ("ann@example.org", ["ann@example.org", "example.org"]),
        ("zoe@example.org", ["example.org"]),
        ("bücher.example", ["xn--bcher-kva.example"]),
        ("%", []),
        ("nobody", []),
    ],
)
def test_search_finds_what_begins_so_and_all_that_holds_an_address(letter, text, values):
    for one in ("ann@example.org", "example.org", "bücher.example"):
        suppress.suppress(letter.workspace, one)
    found = suppress.search(letter.workspace, text).values_list("value", flat=True)
    assert sorted(found) == values


def test_one_who_was_erased_is_found_by_her_address_and_not_by_her_hash(letter):
    subscribe.add(letter, "ann@example.org", "Ann", OWNER, confirmed=True)
    erase(Subscriber.objects.get())
    row = Suppression.objects.get()
    assert list(suppress.search(letter.workspace, "ann@example.org")) == [row]
    assert not suppress.search(letter.workspace, row.value[:4])


def test_lifting_is_undone_as_it_was_and_never_over_something_newer(letter):
    row, _ = suppress.suppress(letter.workspace, "ann@example.org", reason="bounce", source="550")
    kept = suppress.said(row)
    suppress.lift(row)
    back = suppress.put_back(letter.workspace, kept)
    assert (back.reason, back.source, back.at) == ("bounce", "550", row.at)
    suppress.lift(back)
    suppress.suppress(letter.workspace, "ann@example.org", reason="complaint")
    assert suppress.put_back(letter.workspace, kept).reason == "complaint"


def test_why_in_words(letter):
    row, _ = suppress.suppress(letter.workspace, "ann@example.org", reason="complaint")
    assert suppress.in_words(row) == "complained"
    row, _ = suppress.suppress(letter.workspace, "example.org")
    assert suppress.in_words(row) == "owner's word, the whole domain example.org"
