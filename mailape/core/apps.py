from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "mailape.core"
    label = "core"
