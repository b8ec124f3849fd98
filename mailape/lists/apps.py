from django.apps import AppConfig


class ListsConfig(AppConfig):
    name = "mailape.lists"
    label = "lists"
