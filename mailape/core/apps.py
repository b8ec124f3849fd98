from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "mailape.core"
    label = "core"

    def ready(self) -> None:
        from mailape.core import among  # noqa: F401 - registers the lookup
