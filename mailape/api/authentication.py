from rest_framework.authentication import BaseAuthentication


class BearerToken(BaseAuthentication):
    pass


class Session(BaseAuthentication):
    pass
