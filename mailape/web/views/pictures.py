"""Images: the workspace's library, taking them in, and serving them to whoever reads the mail."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse, HttpResponseNotModified, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from mailape.accounts.models import Role
from mailape.campaigns import pictures
from mailape.campaigns.models import Image
from mailape.core import images, limits
from mailape.core.errors import Invalid, TooMany
from mailape.web import doors, tell
from mailape.web.forms import Form, text
from mailape.web.paging import page

PER_PAGE = 24
RATE = limits.Rate(200, 3600)  # images an hour by one person
_NAMED = 20  # messages that the page before removing names
_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"


@doors.form(Role.EDITOR)
def index(request: Any) -> HttpResponse:
    """The workspace's images, newest first; takes in a new one, from a form or from a script."""
    form = Form({"image": ""})
    if request.method == "POST":
        try:
            image = _taken_in(request)
            if _by_script(request):
                return _as_json(image)
            tell.good(request, _("The image is here. Say what it shows, and copy its line."))
            return redirect("web:images")
        except Invalid as fault:
            form.refuse(fault)
            if _by_script(request):
                return JsonResponse({"fault": str(fault)}, status=400)
        except TooMany as fault:
            if not _by_script(request):
                raise
            return JsonResponse({"fault": str(fault)}, status=429)
    shown = page(request, pictures.of(request.member.workspace), kind="image", size=PER_PAGE)
    context = {
        "section": "messages",
        "form": form,
        "page": shown,
        "images": [(image, url(image), markdown(image)) for image in shown.rows],
        "widest": pictures.WIDEST,
        "most": images.MOST_BYTES // 1_000_000,
    }
    return render(request, "web/images/index.html", context, status=form.status)


@doors.deed(Role.EDITOR, door=pictures.one)
def describe(request: Any, image: Image) -> HttpResponse:
    """Says what an image shows."""
    pictures.describe(image, text(request.POST, "alt"))
    if _by_script(request):
        return _as_json(image)
    tell.good(request, _("The description is kept."))
    return redirect("web:images")


@doors.form(Role.EDITOR, door=pictures.one)
def remove(request: Any, image: Image) -> HttpResponse:
    """Asks before an image is removed, and says which messages would have a hole then."""
    if request.method == "POST":
        pictures.remove(image)
        tell.good(request, _("The image is removed."))
        return redirect("web:images")
    used = list(pictures.uses(image)[: _NAMED + 1])
    context = {
        "section": "messages",
        "image": image,
        "url": url(image),
        "used": used[:_NAMED],
        "more": len(used) > _NAMED,
    }
    return render(request, "web/images/remove.html", context)


@doors.anyone()
def serve(request: Any, name: str) -> HttpResponse:
    """The image itself, for mails and pages: what stands under an address never changes."""
    image = pictures.public(name)
    if request.headers.get("If-None-Match") == f'"{image.digest}"':
        answer: HttpResponse = HttpResponseNotModified()
    else:
        answer = HttpResponse(pictures.content(image), image.content_type)
    answer["ETag"] = f'"{image.digest}"'
    answer["Cache-Control"] = "public, max-age=31536000, immutable"
    answer["Cross-Origin-Resource-Policy"] = "cross-origin"  # mail programs in a browser
    answer["Content-Security-Policy"] = _POLICY
    return answer


def url(image: Image) -> str:
    """The whole address of an image, as mails need it."""
    path = reverse("web:image", kwargs={"name": f"{image.token}{image.extension}"})
    return f"{settings.SITE_URL}{path}"


def markdown(image: Image) -> str:
    """The line that shows the image in a message."""
    alt = image.alt.replace("\\", "").replace("[", "(").replace("]", ")")
    return f"![{alt}]({url(image)})"


def _taken_in(request: Any) -> Image:
    file = request.FILES.get("image")
    if file is None:
        raise Invalid(_("Choose an image first."), "image")
    if file.size > images.MOST_BYTES:
        megabytes = images.MOST_BYTES // 1_000_000
        said = _("This file is too large: a picture may have at most %(size)s MB.")
        raise Invalid(said % {"size": megabytes}, "image")
    limits.count("image", str(request.user.pk), RATE)
    workspace = request.member.workspace
    return pictures.add(workspace, request.user, file.read(), str(file.name or ""))


def _by_script(request: Any) -> bool:
    return request.headers.get("X-Part") == "image"


def _as_json(image: Image) -> JsonResponse:
    return JsonResponse(
        {
            "url": url(image),
            "alt": image.alt,
            "width": image.width,
            "height": image.height,
            "describe": reverse("web:image-describe", kwargs={"id": image.token}),
        }
    )
