from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "mailape.campaigns"
    label = "campaigns"
