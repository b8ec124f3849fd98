"""Routes of the pages."""

from django.urls import path

from mailape.web import health

app_name = "web"
urlpatterns = [
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
]
