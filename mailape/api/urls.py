"""Routes of the API. None ends in a slash."""

from django.urls import path

from mailape.api.views import description, lists, me, messages, subscribers, suppressions, system

app_name = "api"
urlpatterns = [
    path("openapi.json", description.OpenApi.as_view(), name="openapi"),
    path("docs", description.Docs.as_view(), name="docs"),
    path("me", me.Me.as_view(), name="me"),
    path("senders", me.Senders.as_view(), name="senders"),
    path("lists", lists.Lists.as_view(), name="lists"),
    path("lists/<str:list_id>", lists.OneList.as_view(), name="list"),
    path(
        "lists/<str:list_id>/subscribers",
        lists.ListSubscribers.as_view(),
        name="list-subscribers",
    ),
    path(
        "lists/<str:list_id>/subscribers/<str:subscriber_id>",
        lists.OneSubscription.as_view(),
        name="subscription",
    ),
    path("subscribers/<str:subscriber_id>", subscribers.OneSubscriber.as_view(), name="subscriber"),
    path("messages", messages.Messages.as_view(), name="messages"),
    path("messages/<str:message_id>", messages.OneMessage.as_view(), name="message"),
    path("messages/<str:message_id>/send", messages.Send.as_view(), name="send"),
    path("messages/<str:message_id>/take-back", messages.TakeBack.as_view(), name="take-back"),
    path("messages/<str:message_id>/pause", messages.Pause.as_view(), name="pause"),
    path("messages/<str:message_id>/resume", messages.Resume.as_view(), name="resume"),
    path("messages/<str:message_id>/cancel", messages.Cancel.as_view(), name="cancel"),
    path(
        "messages/<str:message_id>/resend-unknown",
        messages.ResendUnknown.as_view(),
        name="resend-unknown",
    ),
    path(
        "messages/<str:message_id>/leave-unknown",
        messages.LeaveUnknown.as_view(),
        name="leave-unknown",
    ),
    path(
        "messages/<str:message_id>/retry-failed",
        messages.RetryFailed.as_view(),
        name="retry-failed",
    ),
    path("messages/<str:message_id>/deliveries", messages.Deliveries.as_view(), name="deliveries"),
    path("system", system.System.as_view(), name="system"),
    path("suppressions", suppressions.Suppressions.as_view(), name="suppressions"),
    path(
        "suppressions/<str:suppression_id>",
        suppressions.OneSuppression.as_view(),
        name="suppression",
    ),
]
