from django.apps import AppConfig


class DeliveryConfig(AppConfig):
    name = "mailape.delivery"
    label = "delivery"
