from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "mailape.accounts"
    label = "accounts"
