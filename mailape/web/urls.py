"""Routes of the pages."""

from django.urls import path

from mailape.web import health
from mailape.web.views import (
    account,
    design,
    links,
    lists,
    messages,
    outbox,
    overview,
    palette,
    people,
    public,
    sending,
    settings,
    suppressions,
)

app_name = "web"

_account = [
    path("setup/<str:token>", account.set_up, name="setup"),
    path("sign-in", account.sign_in, name="sign-in"),
    path("sign-out", account.sign_out, name="sign-out"),
    path("sign-up", account.sign_up, name="sign-up"),
    path("forgot", account.forgot, name="forgot"),
    path("reset/<str:token>", account.set_password, name="reset"),
    path("workspace", account.switch, name="switch"),
]

_lists = [
    path("lists", lists.index, name="lists"),
    path("lists/new", lists.new, name="list-new"),
    path("lists/<str:id>", lists.show, name="list"),
    path("lists/<str:id>/edit", lists.edit, name="list-edit"),
    path("lists/<str:id>/archive", lists.archive, name="list-archive"),
    path("lists/<str:id>/restore", lists.restore, name="list-restore"),
    path("lists/<str:id>/subscribers", people.index, name="subscribers"),
    path("lists/<str:id>/subscribers/new", people.new, name="subscriber-new"),
    path("lists/<str:id>/subscribers/<str:person>/end", people.end, name="subscriber-end"),
    path("suppressions", suppressions.index, name="suppressions"),
    path("suppressions/new", suppressions.new, name="suppression-new"),
    path("suppressions/undo", suppressions.undo, name="suppression-undo"),
    path("suppressions/<str:id>/lift", suppressions.lift, name="suppression-lift"),
    path("people/<str:id>", people.show, name="person"),
    path("people/<str:id>/erase", people.erase_person, name="person-erase"),
]

_messages = [
    path("messages", messages.index, name="messages"),
    path("messages/new", messages.new, name="message-new"),
    path("messages/<str:id>", sending.show, name="message"),
    path("messages/<str:id>/edit", messages.edit, name="message-edit"),
    path("messages/<str:id>/remove", messages.remove, name="message-remove"),
    path("messages/<str:id>/preview", messages.preview, name="message-preview"),
    path("messages/<str:id>/preview/html", messages.preview_html, name="message-html"),
    path("messages/<str:id>/test", messages.send_test, name="message-test"),
    path("messages/<str:id>/send", sending.send, name="message-send"),
    path("messages/<str:id>/progress", sending.progress, name="message-progress"),
    path("messages/<str:id>/pause", sending.pause, name="message-pause"),
    path("messages/<str:id>/resume", sending.resume, name="message-resume"),
    path("messages/<str:id>/cancel", sending.cancel, name="message-cancel"),
    path("messages/<str:id>/resend-unknown", sending.resend, name="message-resend"),
    path("messages/<str:id>/leave-unknown", sending.leave, name="message-leave"),
    path("messages/<str:id>/deliveries", sending.deliveries, name="deliveries"),
]

_rest = [
    path("outbox", outbox.index, name="outbox"),
    path("outbox/<str:id>", outbox.show, name="outbox-mail"),
    path("outbox/<str:id>/html", outbox.html, name="outbox-html"),
    path("go", palette.go, name="go"),
    path("design", design.index, name="design"),
    path("design/ask", design.ask, name="design-ask"),
    path("settings", settings.index, name="settings"),
    path("settings/save", settings.save, name="settings-save"),
    path("settings/members", settings.members, name="members"),
    path("settings/tokens", settings.api_tokens, name="tokens"),
    path("settings/tokens/<str:id>/revoke", settings.revoke, name="token-revoke"),
]

_public = [
    path("subscribe/<str:list>", public.subscribe, name="subscribe"),
    path("confirm/<str:token>", links.confirmation, name="confirm"),
    path("u/<str:token>", links.leave, name="unsubscribe"),
    path("p/<str:token>", links.preferences, name="preferences"),
    path("v/<str:token>", links.view, name="view"),
    path("c/<str:token>/<int:number>", links.click, name="click"),
]

urlpatterns = [
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("favicon.ico", overview.favicon, name="favicon"),
    path("", overview.front, name="overview"),
    *_account,
    *_lists,
    *_messages,
    *_rest,
    *_public,
]
