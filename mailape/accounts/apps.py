from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "mailape.accounts"
    label = "accounts"

    def ready(self) -> None:
        from mailape.accounts import sessions

        sessions.listen()
