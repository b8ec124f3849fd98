"""Every route: people's pages at the root, machines' under /api/."""

from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("mailape.api.urls")),
    path("", include("mailape.web.urls")),
]

handler403 = "mailape.web.errors.forbidden"
handler404 = "mailape.web.errors.not_found"
handler500 = "mailape.web.errors.broken"
