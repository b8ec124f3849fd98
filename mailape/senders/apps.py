from django.apps import AppConfig


class SendersConfig(AppConfig):
    name = "mailape.senders"
    label = "senders"
