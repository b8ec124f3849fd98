"""Images: taken in by form and by script, served to everybody, removed with a warning."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from mailape.campaigns import pictures, write
from mailape.campaigns.models import Image
from mailape.core import images
from mailape.web.tests.worlds import PNG, World
from mailape.web.views import pictures as pages


def sent(content: bytes = PNG, name: str = "red.png") -> dict[str, object]:
    return {"image": SimpleUploadedFile(name, content)}


def test_an_image_is_taken_in_by_a_script(world: World):
    Image.objects.all().delete()
    answer = world.owner.client().post("/images", sent(), headers={"X-Part": "image"})
    said = answer.json()
    image = Image.objects.get()
    assert said["url"] == f"http://127.0.0.1:8000/i/{image.token}.png"
    assert (said["width"], said["height"]) == (1, 1)
    described = world.owner.client().post(said["describe"], {"alt": "Red"})
    assert described["Location"] == "/images"
    image.refresh_from_db()
    assert image.alt == "Red"


def test_without_a_script_it_is_a_form(world: World):
    browser = world.owner.client()
    assert browser.post("/images", sent())["Location"] == "/images"
    refused = browser.post("/images", {})
    assert refused.status_code == 400
    assert "Choose an image first." in refused.content.decode()


@pytest.mark.parametrize(
    "content", [b"", b"<svg onload=alert(1)>", PNG[:40], b"GIF89a" + b"\0" * 9]
)
def test_what_is_no_image_is_refused_in_a_sentence(world: World, content: bytes):
    refused = world.owner.client().post("/images", sent(content), headers={"X-Part": "image"})
    assert refused.status_code == 400
    assert refused.json()["fault"].endswith(".")


def test_a_file_that_is_too_large_is_never_read(world: World, monkeypatch):
    monkeypatch.setattr(images, "MOST_BYTES", 10)
    refused = world.owner.client().post("/images", sent(), headers={"X-Part": "image"})
    assert refused.status_code == 400
    assert "too large" in refused.json()["fault"]


def test_nobody_takes_in_images_without_end(world: World, monkeypatch):
    monkeypatch.setattr(pages, "RATE", pages.limits.Rate(1, 3600))
    asked = [
        world.owner.client().post("/images", sent(), headers={"X-Part": "image"}) for _ in "ab"
    ]
    assert [one.status_code for one in asked] == [200, 429]


def test_an_image_is_served_to_everybody_for_ever_and_alone(world: World):
    url = f"/i/{world.image.token}.png"
    served = Client().get(url)
    assert served.content.startswith(b"\x89PNG")
    assert served["Content-Type"] == "image/png"
    assert served["Cache-Control"] == "public, max-age=31536000, immutable"
    assert served["X-Content-Type-Options"] == "nosniff"
    assert served["Content-Security-Policy"].startswith("default-src 'none'; sandbox")
    assert served.cookies == {}
    again = Client().get(url, headers={"If-None-Match": served["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    for wrong in (
        f"/i/{world.image.token}.jpg",
        f"/i/{world.image.token}",
        "/i/x.png",
        "/i/%00.png",
    ):
        assert Client().get(wrong).status_code == 404


def test_who_removes_an_image_is_told_which_messages_show_it(world: World):
    browser, url = world.owner.client(), f"/images/{world.image.token}/remove"
    assert "No message shows it" in browser.get(url).content.decode()
    body = pages.markdown(world.image)
    write.edit(world.draft, write.Draft(subject="Shows it", body=body))
    html = browser.get(url).content.decode()
    assert "1 message shows it" in html
    assert "Shows it" in html
    assert browser.post(url)["Location"] == "/images"
    assert Client().get(f"/i/{world.image.token}.png").status_code == 404


def test_brackets_in_a_description_do_not_break_the_line(world: World):
    image = pictures.describe(world.image, "a [red] \\ apple")
    assert pages.markdown(image).startswith("![a (red)  apple](")
