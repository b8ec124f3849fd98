"""The WSGI application that `mailape web` serves."""

import os

from django.core.wsgi import get_wsgi_application

from mailape.core import processes

# granian's worker is a child of `mailape web` and must not outlive it either.
processes.die_with_parent()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailape.config.settings")
application = get_wsgi_application()

if os.environ.pop("MAILAPE_WEB", ""):
    from mailape.core import signs

    signs.begin("web")
