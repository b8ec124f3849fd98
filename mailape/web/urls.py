"""Routes of the pages."""

from django.urls import path

from mailape.web import health
from mailape.web.views import (
    account,
    brands,
    design,
    invited,
    links,
    lists,
    members,
    messages,
    outbox,
    overview,
    palette,
    people,
    profile,
    public,
    senders,
    sending,
    settings,
    status,
    suppressions,
    system,
    tokens,
    wording,
)

app_name = "web"

_account = [
    path("setup/<str:token>", account.set_up, name="setup"),
    path("sign-in", account.sign_in, name="sign-in"),
    path("sign-out", account.sign_out, name="sign-out"),
    path("sign-up", account.sign_up, name="sign-up"),
    path("sign-up/<str:token>", account.end_sign_up, name="sign-up-end"),
    path("forgot", account.forgot, name="forgot"),
    path("reset/<str:token>", account.set_password, name="reset"),
    path("invitation/<str:token>", invited.invitation, name="invitation"),
    path("address/<str:token>", profile.confirm_email, name="address-new"),
    path("account", profile.index, name="account"),
    path("account/address", profile.email, name="account-email"),
    path("account/address/keep", profile.keep_email, name="account-keep-email"),
    path("account/password", profile.password, name="account-password"),
    path("account/sessions/end", profile.end_sessions, name="sessions-end"),
    path("account/sessions/<str:id>/end", profile.end_session, name="session-end"),
    path("account/close", profile.close, name="account-close"),
    path("workspace", account.switch, name="switch"),
]

_lists = [
    path("lists", lists.index, name="lists"),
    path("lists/new", lists.new, name="list-new"),
    path("lists/<str:id>", lists.show, name="list"),
    path("lists/<str:id>/edit", lists.edit, name="list-edit"),
    path("lists/<str:id>/wording", wording.edit, name="list-wording"),
    path("lists/<str:id>/wording/mail", wording.mail, name="list-wording-mail"),
    path("lists/<str:id>/wording/<str:page>", wording.page, name="list-wording-page"),
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
    path("settings/look", settings.look, name="settings-look"),
    path("settings/logo/remove", settings.remove_logo, name="logo-remove"),
    path("settings/senders", senders.index, name="senders"),
    path("settings/senders/new", senders.new, name="sender-new"),
    path("settings/senders/<str:id>", senders.edit, name="sender-edit"),
    path("settings/senders/<str:id>/default", senders.default, name="sender-default"),
    path("settings/senders/<str:id>/remove", senders.remove, name="sender-remove"),
    path("settings/members", members.index, name="members"),
    path("settings/members/invite", members.invite, name="invite"),
    path("settings/members/leave", members.leave, name="members-leave"),
    path("settings/members/<str:id>", members.show, name="member"),
    path("settings/members/<str:id>/remove", members.remove, name="member-remove"),
    path("settings/members/<str:id>/owner", members.hand_over, name="member-owner"),
    path("settings/invitations/<str:id>/again", members.again, name="invitation-again"),
    path("settings/invitations/<str:id>/withdraw", members.withdraw, name="invitation-withdraw"),
    path("settings/tokens", tokens.index, name="tokens"),
    path("settings/tokens/<str:id>/revoke", tokens.revoke, name="token-revoke"),
    path("workspaces/new", settings.new, name="workspace-new"),
]

_system = [
    path("system", system.now, name="system"),
    path("system/failures", system.failed, name="system-failures"),
    path("system/failures/ring", system.ring, name="system-ring"),
    path("system/log", system.show_log, name="system-log"),
    path("system/instance", system.instance, name="system-instance"),
    path("system/status-page", system.switch_status, name="system-status"),
]

_public = [
    path("brand/<str:colour>.css", brands.sheet, name="brand"),
    path("logo/<str:id>/<str:digest>", brands.logo, name="logo"),
    path("status", status.show, name="status"),
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
    *_system,
    *_public,
]
