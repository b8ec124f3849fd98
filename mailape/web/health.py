"""`/healthz` and `/readyz`, for supervisors and load balancers."""

from django.http import HttpRequest, HttpResponse


def alive(request: HttpRequest) -> HttpResponse:
    """200 while the process lives; touches nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")
