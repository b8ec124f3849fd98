"""Pictures that people hand in: what is kept is written by us; what is no picture is refused."""

import io
import struct
import zlib

import pytest
from PIL import Image

from mailape.core import images
from mailape.core.errors import Invalid


def picture(kind: str = "PNG", size: tuple[int, int] = (60, 40), **options) -> bytes:
    mode = options.pop("mode", "RGB")
    written = io.BytesIO()
    Image.new(mode, size, options.pop("color", 0)).save(written, kind, **options)
    return written.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a hundred bytes whose header promises more than a machine has memory for."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/png"), ("WEBP", "image/png")],
)
def test_a_picture_is_written_anew(kind: str, media_type: str):
    read = images.read(picture(kind))
    assert (read.media_type, read.width, read.height) == (media_type, 60, 40)
    assert Image.open(io.BytesIO(read.content)).size == (60, 40)


def test_where_and_by_whom_it_was_taken_does_not_go_along():
    exif = Image.Exif()
    exif[0x013B] = "Alice of Wonder Lane"
    with_exif = picture("JPEG", exif=exif, comment=b"secret remark")
    assert b"Alice" in with_exif
    assert b"secret remark" in with_exif
    written = images.read(with_exif).content
    assert b"Alice" not in written
    assert b"secret remark" not in written


def test_a_picture_held_sideways_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    read = images.read(picture("JPEG", (60, 40), exif=exif))
    assert (read.width, read.height) == (40, 60)


def test_what_is_glued_to_a_picture_is_gone():
    glued = picture() + b"<script>canary()</script>"
    assert b"canary" not in images.read(glued).content


def test_a_large_picture_is_made_smaller_in_its_proportions():
    read = images.read(picture(size=(4000, 1000)), widest=800, highest=800)
    assert (read.width, read.height) == (800, 200)


def test_transparency_stays():
    read = images.read(picture(mode="RGBA", color=(0, 0, 0, 0)))
    assert Image.open(io.BytesIO(read.content)).mode == "RGBA"


def test_an_animation_stays_one_where_it_may():
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green", "blue")]
    written = io.BytesIO()
    frames[0].save(written, "GIF", save_all=True, append_images=frames[1:], duration=80)
    moving = images.read(written.getvalue())
    assert moving.media_type == "image/gif"
    assert getattr(Image.open(io.BytesIO(moving.content)), "n_frames", 1) == 3
    assert images.read(written.getvalue(), animated=False).media_type == "image/png"


@pytest.mark.parametrize("size", [(60_000, 60_000), (2_000_000, 30)])
def test_a_flood_of_pixels_is_refused_before_it_is_decoded(size: tuple[int, int]):
    with pytest.raises(Invalid) as refused:
        images.read(png_that_claims(*size))
    assert refused.value.field == "image"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>canary()</script></svg>",
        b"%PDF-1.4",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        picture()[:60],
        picture("JPEG")[:200],
        picture("BMP"),
        picture("TIFF"),
        png_that_claims(50, 50),
    ],
)
def test_what_is_no_whole_picture_is_refused(data: bytes):
    with pytest.raises(Invalid):
        images.read(data)


def test_a_file_over_the_limit_is_refused_unread():
    with pytest.raises(Invalid, match="at most 1 MB"):
        images.read(picture() + bytes(1_000_000), most_bytes=1_000_000)


def test_the_same_picture_has_the_same_name():
    assert images.read(picture()).digest == images.read(picture()).digest
