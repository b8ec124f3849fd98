from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "mailape.api"
    label = "api"
