"""One task per recipient: render, connect, send, write down."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import timezone

from benchmarks.ordinary.models import Delivery


@shared_task
def send_one(delivery_id: int) -> None:
    """Sends one delivery."""
    delivery = Delivery.objects.select_related("newsletter", "subscriber").get(pk=delivery_id)
    letter(delivery).send()
    Delivery.objects.filter(pk=delivery_id).update(status="sent", sent_at=timezone.now())


def letter(delivery: Delivery) -> EmailMultiAlternatives:
    """The mail to one subscriber: text and HTML, her name, her eight links, her way out."""
    context = {"delivery": delivery, "site": settings.SITE_URL}
    leave = f"{settings.SITE_URL}/u/{delivery.token}"
    mail = EmailMultiAlternatives(
        subject=delivery.newsletter.subject.format(first_name=delivery.subscriber.first_name),
        body=render_to_string("ordinary/newsletter.txt", context),
        from_email="Ann <ann@sender.example>",
        to=[delivery.subscriber.email],
        headers={
            "List-Unsubscribe": f"<{leave}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    )
    mail.attach_alternative(render_to_string("ordinary/newsletter.html", context), "text/html")
    return mail
