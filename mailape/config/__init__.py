"""Wires everything together and is imported by no one: settings, URLs, Celery, WSGI."""

# Made here so that every process which sets Django up rings its bells on this application.
from mailape.config.celery import app as celery_app

__all__ = ["celery_app"]
