"""Every route: people's pages at the root, machines' under /api/."""

from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("mailape.api.urls")),
    path("", include("mailape.web.urls")),
]

handler400 = "mailape.config.errors.bad_request"
handler403 = "mailape.config.errors.forbidden"
handler404 = "mailape.config.errors.not_found"
handler500 = "mailape.config.errors.broken"
