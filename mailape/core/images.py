"""Pictures that people hand in: read, measured, turned upright, and written anew by us.

What is stored and served is never the file that came in. The type is read from its content, not
from its name; it must have few enough pixels before any of them is decoded (a file of a few
kilobytes can unpack to gigabytes); and writing it anew drops whatever else was in it: metadata
with places and names, colour profiles, text behind the picture, a second file glued to it.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass

from django.utils.translation import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError

from mailape.core.errors import Invalid

MOST_BYTES = 10_000_000
MOST_PIXELS = 40_000_000  # 160 MB decoded, and a camera's picture passes
MOST_FRAMES = 200  # of an animation
_READ = ("PNG", "JPEG", "GIF", "WEBP")
_TYPES = {"PNG": ("image/png", "png"), "JPEG": ("image/jpeg", "jpg"), "GIF": ("image/gif", "gif")}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as we wrote it."""

    content: bytes
    media_type: str
    extension: str
    width: int
    height: int

    @property
    def digest(self) -> str:
        """Names the content: the same picture handed in twice is one file."""
        return hashlib.sha256(self.content).hexdigest()


def read(
    data: bytes,
    *,
    field: str | None = "image",
    widest: int = 2400,
    highest: int = 4800,
    most_bytes: int = MOST_BYTES,
    animated: bool = True,
) -> Picture:
    """The picture in `data`, at most `widest` × `highest` pixels, written anew by us.

    A photograph stays a JPEG, an animation a GIF (the first frame, without `animated`), all else
    becomes a PNG: WebP too, since some mail programs do not show it.
    Raises Invalid, at `field`, for what is too large, broken, or no picture of these types.
    """
    if len(data) > most_bytes:
        megabytes = most_bytes / 1_000_000
        text = _("This file is too large: a picture may have at most %(size)s MB.")
        raise Invalid(text % {"size": f"{megabytes:g}"}, field)
    try:
        with warnings.catch_warnings():
            # Pillow only warns up to twice its own limit; ours is checked below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_READ) as opened:
                return _written(opened, (widest, highest), field, animated)
    except Invalid:
        raise
    except UnidentifiedImageError:
        raise Invalid(_("This is no PNG, JPEG, GIF or WebP picture."), field) from None
    # A broken file raises nearly anything: OSError, SyntaxError, ValueError, struct.error ...
    except Exception as wrong:
        text = _("This picture is damaged. Save it anew in a picture program and try again.")
        raise Invalid(text, field) from wrong


def _written(
    opened: Image.Image, within: tuple[int, int], field: str | None, animated: bool
) -> Picture:
    frames = getattr(opened, "n_frames", 1)
    moves = animated and opened.format == "GIF" and frames > 1
    pixels = opened.width * opened.height * (frames if moves else 1)
    if pixels > MOST_PIXELS or (moves and frames > MOST_FRAMES):
        text = _("This picture has too many pixels: %(most)s million are the most.")
        raise Invalid(text % {"most": MOST_PIXELS // 1_000_000}, field)
    if moves:
        return _animation(opened, within)
    upright = ImageOps.exif_transpose(opened)
    upright.thumbnail(within, Image.Resampling.LANCZOS)
    return _still(upright, "JPEG" if opened.format == "JPEG" else "PNG")


def _still(picture: Image.Image, kind: str) -> Picture:
    if kind == "JPEG":
        # Through a fresh image, so that nothing of `info` (EXIF, comments) goes along.
        clean = _fresh(picture.convert("RGB"))
        return _saved(clean, kind, quality=85, optimize=True, progressive=True)
    transparent = picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info
    return _saved(_fresh(picture.convert("RGBA" if transparent else "RGB")), kind, optimize=True)


def _animation(opened: Image.Image, within: tuple[int, int]) -> Picture:
    frames, durations = [], []
    for number in range(getattr(opened, "n_frames", 1)):
        opened.seek(number)
        frame = _fresh(opened.convert("RGBA"))
        frame.thumbnail(within, Image.Resampling.LANCZOS)
        frames.append(frame)
        durations.append(max(20, int(opened.info.get("duration", 100))))
    loop = int(opened.info.get("loop", 0))
    return _saved(
        frames[0], "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=loop,
        disposal=2,
    )  # fmt: skip


def _fresh(picture: Image.Image) -> Image.Image:
    clean = Image.new(picture.mode, picture.size)
    clean.paste(picture)
    return clean


def _saved(picture: Image.Image, kind: str, **options: object) -> Picture:
    written = io.BytesIO()
    picture.save(written, kind, **options)
    media_type, extension = _TYPES[kind]
    return Picture(written.getvalue(), media_type, extension, picture.width, picture.height)
