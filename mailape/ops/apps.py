from django.apps import AppConfig


class OpsConfig(AppConfig):
    name = "mailape.ops"
    label = "ops"
