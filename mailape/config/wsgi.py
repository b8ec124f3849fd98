"""The WSGI application that `mailape web` serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailape.config.settings")
application = get_wsgi_application()
