from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "mailape.web"
    label = "web"
