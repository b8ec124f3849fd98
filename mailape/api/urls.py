"""Routes of the API."""

from django.urls.resolvers import URLPattern

app_name = "api"
urlpatterns: list[URLPattern] = []
