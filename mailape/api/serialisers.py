"""What goes in and comes out, field by field: nothing is shown or taken that is not named here."""

from __future__ import annotations

from typing import Any

from drf_spectacular.drainage import set_override
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers
from rest_framework.fields import empty

from mailape.accounts.models import Role
from mailape.campaigns.models import Format
from mailape.campaigns.models import Status as MessageStatus
from mailape.core import ids
from mailape.delivery.models import State
from mailape.lists.models import Status, SuppressionKind, SuppressionReason

# --- kinds of fields -----------------------------------------------------------------------------


class Text(serializers.CharField):
    """A string and nothing that could be made into one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if self.max_length is not None and len(data) > self.max_length:
            # Before blanks are cut off: what is too long as it was sent is refused.
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class Email(Text):
    """An e-mail address; `core.address` checks it, the description names the format."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 320, **kwargs})
        set_override(self, "field", {"type": "string", "format": "email", "maxLength": 320})


class Flag(serializers.BooleanField):
    """true or false, not "yes" and not 1."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Number(serializers.IntegerField):
    """A whole number, not a string of digits."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class Instant(serializers.DateTimeField):
    """A time with its offset from UTC: without it nobody knows which hour is meant."""

    default_error_messages = {"naive": "Give it with its offset from UTC, or with Z."}

    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str):
            self.fail("invalid", format="2026-11-29T09:30:00+01:00")
        return super().to_internal_value(value)

    def enforce_timezone(self, value: Any) -> Any:
        if value.utcoffset() is None:
            self.fail("naive")
        return value


class Id(serializers.CharField):
    """An opaque id of ours, as it is shown."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"source": "public_id", "read_only": True, **kwargs})


class IdOf(serializers.Field):
    """The opaque id of another row, made from its key: no query for it."""

    _spectacular_annotation = {"field": {"type": "string"}}

    def __init__(self, kind: str, **kwargs: Any) -> None:
        self.kind = kind
        super().__init__(**{"read_only": True, **kwargs})

    def to_representation(self, value: int) -> str:
        return ids.public(self.kind, value)


class Given(serializers.Serializer):
    """A body that was sent. A field that is not named is refused, never dropped in silence."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # The description adds "Request" to what is sent.
        set_override(cls, "component_name", cls.__name__.removesuffix("Given"))

    def run_validation(self, data: Any = empty) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError(
                {str(name)[:100]: ["There is no such field to set here."] for name in unknown}
            )
        return super().run_validation(data)


class Nothing(Given):
    """No field at all."""


class Shown(serializers.Serializer):
    """A row as it is shown."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        set_override(cls, "component_name", cls.__name__.removesuffix("Shown"))


def _at(help_text: str, source: str = "", *, maybe: bool = False) -> serializers.DateTimeField:
    given: dict[str, Any] = {"source": source} if source else {}
    return serializers.DateTimeField(read_only=True, allow_null=maybe, help_text=help_text, **given)


def _example(name: str, value: dict[str, Any]) -> Any:
    return extend_schema_serializer(examples=[OpenApiExample(name, value=value)])


# --- who calls -----------------------------------------------------------------------------------


class UserShown(Shown):
    """A person who works here."""

    id = Id()
    email = serializers.CharField(read_only=True)
    name = serializers.CharField(read_only=True)


class WorkspaceShown(Shown):
    """A publication or organisation; everything belongs to one."""

    id = Id()
    name = serializers.CharField(read_only=True)


class MeShown(Shown):
    """Who calls, and how far she may go."""

    user = UserShown(read_only=True)
    workspace = WorkspaceShown(read_only=True)
    role = serializers.ChoiceField(Role.choices, read_only=True)


class SenderShown(Shown):
    """A From identity."""

    id = Id()
    name = serializers.CharField(read_only=True)
    email = serializers.CharField(read_only=True)
    reply_to = serializers.CharField(read_only=True, help_text="empty where it is the address")
    is_default = serializers.BooleanField(read_only=True)


# --- lists and people ----------------------------------------------------------------------------


class ListCounts(Shown):
    """Subscriptions by status."""

    unconfirmed = serializers.IntegerField(read_only=True, min_value=0)
    confirmed = serializers.IntegerField(read_only=True, min_value=0)
    unsubscribed = serializers.IntegerField(read_only=True, min_value=0)


class ListShown(Shown):
    """A list that people sign up for."""

    id = Id()
    name = serializers.CharField(read_only=True)
    description = serializers.CharField(read_only=True)
    subscribe_url = serializers.URLField(
        read_only=True, help_text="the public page where people sign up"
    )
    counts = ListCounts(read_only=True)
    created_at = _at("when the list was made")


@_example("a list", {"name": "Weekly letter", "description": "What the house did."})
class ListGiven(Given):
    """What can be set of a list."""

    name = Text(max_length=120, help_text="what people see when they sign up")
    description = Text(max_length=500, required=False, allow_blank=True)


class SubscriptionShown(Shown):
    """A row of a list: the person's id, and how she stands to this list."""

    id = IdOf("subscriber", source="subscriber_id", help_text="the subscriber's id")
    email = serializers.CharField(source="subscriber.email", read_only=True)
    name = serializers.CharField(source="subscriber.name", read_only=True)
    status = serializers.ChoiceField(Status.choices, read_only=True)
    created_at = _at("when she came on this list")
    confirmed_at = _at("when she last confirmed", maybe=True)
    unsubscribed_at = _at("when she last left", maybe=True)


@_example("one who agreed on paper", {"email": "eve@example.org", "confirmed": True})
class SubscriberGiven(Given):
    """A person to be added to a list."""

    email = Email(help_text="its domain need not exist")
    name = Text(max_length=120, required=False, allow_blank=True)
    confirmed = Flag(
        required=False,
        help_text="true: the owner's word that she agreed elsewhere; nothing is mailed",
    )
    resubscribe = Flag(
        required=False, help_text="true: she left this list and asked to be on it again"
    )


class SubscriptionOfPerson(Shown):
    """How a person stands to one list."""

    list = IdOf("list", source="list_id", help_text="the list's id")
    list_name = serializers.CharField(source="list.name", read_only=True)
    status = serializers.ChoiceField(Status.choices, read_only=True)
    created_at = _at("when she came on this list")
    confirmed_at = _at("when she last confirmed", maybe=True)
    unsubscribed_at = _at("when she last left", maybe=True)


class SubscriberShown(Shown):
    """A person with her subscriptions."""

    id = Id()
    email = serializers.CharField(read_only=True)
    name = serializers.CharField(read_only=True)
    first_name = serializers.CharField(
        read_only=True, help_text="empty where it is the first word of the name"
    )
    created_at = _at("when she first came into this workspace")
    updated_at = _at("when she was last changed")
    subscriptions = SubscriptionOfPerson(many=True, read_only=True, source="seen")


@_example("how she is greeted", {"name": "Dr. Eve Adams", "first_name": "Eve"})
class SubscriberChange(Given):
    """What can be set of a person."""

    name = Text(max_length=120, required=False, allow_blank=True)
    first_name = Text(max_length=100, required=False, allow_blank=True)


# --- messages ------------------------------------------------------------------------------------


class MessageCounts(Shown):
    """Deliveries by state."""

    queued = serializers.IntegerField(read_only=True, min_value=0)
    sending = serializers.IntegerField(read_only=True, min_value=0)
    deferred = serializers.IntegerField(read_only=True, min_value=0)
    sent = serializers.IntegerField(read_only=True, min_value=0)
    failed = serializers.IntegerField(read_only=True, min_value=0)
    skipped = serializers.IntegerField(read_only=True, min_value=0)
    unknown = serializers.IntegerField(read_only=True, min_value=0)
    quarantined = serializers.IntegerField(read_only=True, min_value=0)


class MessageRow(Shown):
    """A message in the collection: all but its text, which may be long, and its counts."""

    id = Id()
    lists = serializers.SerializerMethodField(help_text="ids of the lists it goes to")
    subject = serializers.CharField(read_only=True)
    preview_text = serializers.CharField(
        read_only=True, help_text="what an inbox shows after the subject"
    )
    format = serializers.ChoiceField(Format.choices, read_only=True)
    sender = IdOf("sender", source="sender_id", allow_null=True, help_text="null: the default one")
    status = serializers.ChoiceField(MessageStatus.choices, read_only=True)
    reason = serializers.CharField(read_only=True, help_text="why it is paused, or failed")
    version = serializers.IntegerField(read_only=True, help_text="goes up with each edit")
    created_at = _at("when the draft was made")
    updated_at = _at("when it was last changed, sent, paused, resumed or cancelled")
    not_before = _at("when it goes out, or went out, where that was said", maybe=True)
    started = _at("when the first mail was sent", "started_at", maybe=True)
    finished = _at("when the last mail was over", "finished_at", maybe=True)

    def get_lists(self, message: Any) -> list[str]:
        return [ids.public("list", int(key)) for key in message.audience.get("lists", [])]


class MessageShown(MessageRow):
    """A message with its text and the number of its deliveries in each state."""

    body = serializers.CharField(read_only=True)
    counts = MessageCounts(read_only=True)


@_example(
    "a newsletter",
    {
        "lists": ["qiee50fc"],
        "subject": "Spring",
        "body": 'Dear {{ subscriber.first_name | default: "friend" }},\n\nit is **spring**.\n',
        "format": "markdown",
    },
)
class MessageGiven(Given):
    """What is said, and to whom."""

    lists = serializers.ListField(
        child=Text(max_length=40),
        min_length=1,
        max_length=1000,
        help_text="ids of the lists it goes to; who is on several gets it once",
    )
    subject = Text(max_length=300)
    preview_text = Text(
        max_length=300,
        required=False,
        allow_blank=True,
        help_text="what an inbox shows after the subject",
    )
    body = Text(trim_whitespace=False, help_text="with merge tags; at most 1 MB")
    format = serializers.ChoiceField(Format.choices, required=False)
    sender = Text(max_length=40, required=False, help_text="a sender's id; else the default one")


@_example("another subject", {"subject": "Spring is here", "version": 1})
class MessageChange(MessageGiven):
    """What can be set of a draft."""

    version = Number(
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="the version that you read: 409 if somebody changed the message since",
    )


@_example("on a morning in November", {"version": 3, "at": "2026-11-29T09:30:00+01:00"})
class SendGiven(Given):
    """Which text is meant, and when it goes out."""

    at = Instant(
        required=False,
        help_text="a time to come, within a year, with its offset from UTC; else it goes out now",
    )

    version = Number(
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="the version that you read: 409 if somebody changed the message since",
    )


class DeliveryShown(Shown):
    """One mail to one person."""

    id = Id()
    subscriber = IdOf("subscriber", source="subscriber_id", allow_null=True)
    email = serializers.CharField(
        source="to_address", read_only=True, help_text="as sent; empty once the person is erased"
    )
    state = serializers.ChoiceField(State.choices, read_only=True)
    reason = serializers.CharField(read_only=True)
    attempts = serializers.IntegerField(read_only=True, min_value=0)
    sent_at = _at("when the server took it", maybe=True)
    answer = serializers.CharField(read_only=True, help_text="what the server said")


# --- suppressions --------------------------------------------------------------------------------


class SuppressionShown(Shown):
    """An address or a domain that is never mailed, and why."""

    id = Id()
    kind = serializers.ChoiceField(SuppressionKind.choices, read_only=True)
    address = serializers.SerializerMethodField(help_text="null where it is no address")
    domain = serializers.SerializerMethodField(help_text="null where it is no domain")
    reason = serializers.ChoiceField(SuppressionReason.choices, read_only=True)
    source = serializers.CharField(read_only=True)  # type: ignore[assignment]
    created_at = _at("when it was suppressed", "at")

    def get_address(self, row: Any) -> str | None:
        return row.value if row.kind == SuppressionKind.ADDRESS else None

    def get_domain(self, row: Any) -> str | None:
        return row.value if row.kind == SuppressionKind.DOMAIN else None


@_example("a domain", {"domain": "example.net", "source": "asked for by its postmaster"})
class SuppressionGiven(Given):
    """Either an address or a domain."""

    address = Email(required=False, help_text="an e-mail address")
    domain = Text(max_length=255, required=False, help_text="everybody at this domain")
    reason = serializers.ChoiceField(
        [one for one in SuppressionReason.choices if one[0] != SuppressionReason.ERASED],
        required=False,
        help_text="owner unless said",
    )
    source = Text(  # type: ignore[assignment]
        max_length=300, required=False, allow_blank=True, help_text="where it is from"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("address" in attrs) == ("domain" in attrs):
            raise serializers.ValidationError("Give either address or domain.")
        return attrs
