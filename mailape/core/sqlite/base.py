"""Django's SQLite backend with a write lock that all processes of this instance share."""

from django.db.backends.sqlite3.base import DatabaseWrapper

__all__ = ["DatabaseWrapper"]
