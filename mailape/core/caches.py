"""A Redis cache that is empty, not broken, while Redis cannot be reached."""

from django.core.cache.backends.redis import RedisCache


class SoftRedisCache(RedisCache):
    """Filled in with the broker."""
