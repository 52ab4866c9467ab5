"""Picture files before they are uploaded: looked at, made smaller or of another kind, kept.

What a file is, its size and whether it is whole is read from its first and last bytes, whatever
its name says; nothing is decoded for that, so that no picture can exhaust the machine. Making
another picture of it takes Pillow (`pip install 'storebridge[pictures]'`).

A made picture lies beside the state, in a folder that its content's SHA-256 names, under the name
of its source: apply uploads it without making it again. What was seen of a file is remembered by
its size and time, so that planning again reads no picture twice.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

from storebridge.adapter import MediaLimits
from storebridge.errors import ConfigError
from storebridge.models.text import local_file
from storebridge.state import StoreState

__all__ = ["KINDS", "BadPicture", "Kind", "Picture", "Pictures", "Ready", "examine", "limits_of"]

#: What a picture may be made into, by the word of `--pictures-as`.
Kind = Literal["jpeg", "png", "webp", "avif"]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: More than any shop takes; a file that claims more would only exhaust whoever decodes it.
_MOST_PIXELS = 80_000_000
_MOST_BYTES = 100_000_000
#: How well JPEG, WebP and AVIF pictures are kept, of 100.
_QUALITY = 85
_SUFFIXES = {
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "png": (".png",),
    "gif": (".gif",),
    "webp": (".webp",),
    "avif": (".avif",),
    "heic": (".heic", ".heif"),
    "bmp": (".bmp",),
    "tiff": (".tif", ".tiff"),
}
_FILES, _MADE = "picture files", "made pictures"


class BadPicture(Exception):
    """A file can't be used as a picture: what is wrong, and what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.message, self.remedy = message, remedy


@dataclass(frozen=True, slots=True)
class Picture:
    """What a picture file is, by its content."""

    kind: str
    """"jpeg", "png", "gif", "webp", "avif", "heic", "bmp" or "tiff"."""
    width: int
    height: int
    """In pixels; 0 where the kind doesn't say in its first bytes."""
    size: int
    """In bytes."""
    digest: str
    """The SHA-256 of the content, in hex."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A picture as it is uploaded: the file, or what was made of it."""

    path: Path
    picture: Picture


class Pictures:
    """The picture files of one run: each is looked at once, and made into what is asked for."""

    def __init__(
        self, state: StoreState, most: int = 0, kind: str = "keep", *, sure: bool = False
    ) -> None:
        """Say what to make of pictures.

        Args:
            state: where it is remembered what files are; made pictures lie in a folder beside.
            most: the longest side in pixels; larger ones are made smaller. 0 leaves all.
            kind: one of `KINDS`; pictures of another kind are made anew. "keep" leaves all.
            sure: whether files are read even if their size and time are those of before.
        """
        self._sure = sure
        self._state, self._most, self._kind = state, most, kind.replace("keep", "")
        self._folder = state.path.parent.absolute() / "pictures"
        self._ready: dict[str, Ready] = {}
        self._new: dict[str, dict[str, Any]] = {_FILES: {}, _MADE: {}}

    @classmethod
    def of(cls, state: StoreState, options: Mapping[str, Any], *, sure: bool = False) -> Self:
        """Return the pictures of a plan that was made with these options, as it keeps them."""
        most, kind = options.get("pictures_max", 0), options.get("pictures_as", "keep")
        return cls(state, most, kind, sure=sure)

    def ready(self, url: str) -> Ready:
        """Return what is uploaded for a `file:` URL; it is looked at once.

        Raises:
            BadPicture: if it can't be read, or is no whole picture of a kind that is known.
            ConfigError: if a picture must be made and Pillow isn't there.
        """
        if url not in self._ready:
            path = local_file(url)
            if path is None:
                raise BadPicture("This is no file's address", "Write a file: or web address")
            picture = self._examined(path)
            self._ready[url] = self._made(path, picture)
        return self._ready[url]

    def flush(self) -> None:
        """Remember what was seen since the last time."""
        for part, facts in self._new.items():
            if facts:
                self._state.set_facts(part, facts, rebuildable=True)
                self._new[part] = {}

    def _examined(self, path: Path) -> Picture:
        try:
            stat = path.stat()
        except OSError as error:
            raise _unreadable(path, error) from None
        stamp = [stat.st_size, stat.st_mtime_ns]
        known = None if self._sure else self._state.fact(_FILES, str(path))
        if known and known["stamp"] == stamp:
            return Picture(**known["picture"])
        picture = examine(path)
        self._new[_FILES][str(path)] = {"stamp": stamp, "picture": asdict(picture)}
        return picture

    def _made(self, path: Path, picture: Picture) -> Ready:
        """Return what to upload: the file, what is made of it, or a copy under a name that fits."""
        too_large = self._most and max(picture.width, picture.height) > self._most
        if not too_large and picture.kind == (self._kind or picture.kind):
            if path.suffix.lower() in _SUFFIXES[picture.kind]:
                return Ready(path, picture)
            return Ready(self._kept(path.stem, picture, path.read_bytes()), picture)
        kind = self._kind or (picture.kind if picture.kind in KINDS else "jpeg")
        name = f"{picture.digest} {self._most} {kind}"
        known = self._new[_MADE].get(name) or self._state.fact(_MADE, name)
        if known:
            found = Picture(**known)
            there = self._place(path.stem, found)
            if there.is_file() and _digest(there) == found.digest:
                return Ready(there, found)
        content = _make(path, self._most, kind)
        if content is None:  # moving pictures stay as they are
            return Ready(path, picture)
        made = _seen(content)
        self._new[_MADE][name] = asdict(made)
        return Ready(self._kept(path.stem, made, content), made)

    def _place(self, stem: str, picture: Picture) -> Path:
        name = re.sub(r"[^\w.-]+", "-", stem).strip("-.")[:80] or "picture"
        return self._folder / picture.digest / f"{name}{_SUFFIXES[picture.kind][0]}"

    def _kept(self, stem: str, picture: Picture, content: bytes) -> Path:
        """Write a picture under its content's name; it appears there whole or not at all."""
        place = self._place(stem, picture)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, part = tempfile.mkstemp(dir=place.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(part, place)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
        return place


def limits_of(picture: Picture, limits: MediaLimits) -> str:
    """Return what a platform refuses about a picture, in words; "" if nothing."""
    if limits.pixels and picture.width * picture.height > limits.pixels:
        return (
            f"{picture.width} x {picture.height} pixels are more than {limits.pixels:,}: "
            "make it smaller with --pictures-max"
        )
    if limits.bytes and picture.size > limits.bytes:
        return f"{picture.size:,} bytes are more than {limits.bytes:,}"
    if limits.kinds and picture.kind not in limits.kinds:
        return f"{picture.kind} pictures aren't taken: make another kind with --pictures-as"
    return ""


# ---------------------------------------------------------------------------- looking at files


def examine(path: Path) -> Picture:
    """Return what a picture file is, by its content; nothing is decoded.

    Raises:
        BadPicture: if it can't be read, is no picture, is cut off, or claims too many pixels.
    """
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise BadPicture(
                f"The picture has {size:,} bytes, more than {_MOST_BYTES:,}",
                "Make it smaller",
            )
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None
    return _seen(content)


def _seen(content: bytes) -> Picture:
    kind = _kind_of(content)
    try:
        width, height = _SIZES[kind](content) if kind in _SIZES else (0, 0)
    except (IndexError, ValueError):
        width = height = -1
    if not kind:
        raise BadPicture(
            "This is no picture that shops take",
            f"Save it as one of: {', '.join(_SUFFIXES)}",
        )
    if min(width, height) < 0 or (kind in _SIZES and not width * height) or _is_cut(kind, content):
        raise BadPicture(f"The {kind} picture is damaged or cut off", "Save or copy it anew")
    if width * height > _MOST_PIXELS:
        raise BadPicture(
            f"The picture claims {width} x {height} pixels, more than {_MOST_PIXELS:,}",
            "Make it smaller",
        )
    digest = hashlib.sha256(content).hexdigest()
    return Picture(kind, width, height, len(content), digest)


def _kind_of(content: bytes) -> str:
    for kind, start in _STARTS:
        if content.startswith(start):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    if content[4:8] == b"ftyp":
        brands = content[8 : int.from_bytes(content[:4], "big")]
        return "avif" if b"avif" in brands else "heic" if b"heic" in brands else ""
    return ""


_STARTS = (
    ("jpeg", b"\xff\xd8\xff"),
    ("png", b"\x89PNG\r\n\x1a\n"),
    ("gif", b"GIF87a"),
    ("gif", b"GIF89a"),
    ("bmp", b"BM"),
    ("tiff", b"II*\0"),
    ("tiff", b"MM\0*"),
)


def _is_cut(kind: str, content: bytes) -> bool:
    """Return whether the end of a picture is missing, where its kind has one."""
    tail = content[-1024:].rstrip(b"\0\r\n")
    if kind == "jpeg":
        return b"\xff\xd9" not in tail
    if kind == "png":
        return b"IEND\xaeB`\x82" not in content[-1024:]
    if kind == "gif":
        return not tail.endswith(b";")
    if kind == "webp":
        return len(content) < int.from_bytes(content[4:8], "little") + 8
    return False


def _png(content: bytes) -> tuple[int, int]:
    return _number(content, 16, 4), _number(content, 20, 4)


def _gif(content: bytes) -> tuple[int, int]:
    return _number(content, 6, 2, "little"), _number(content, 8, 2, "little")


def _bmp(content: bytes) -> tuple[int, int]:
    height = int.from_bytes(content[22:26], "little", signed=True)  # below zero: from the top
    return _number(content, 18, 4, "little"), abs(height)


def _jpeg(content: bytes) -> tuple[int, int]:
    """Walk the segments to the frame header (ITU T.81, B.2.2)."""
    at = 2
    while True:
        while content[at] == 0xFF and content[at + 1] == 0xFF:
            at += 1
        if content[at] != 0xFF:
            raise ValueError("no segment begins here")
        marker = content[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return _number(content, at + 7, 2), _number(content, at + 5, 2)
        length = _number(content, at + 2, 2)
        if length < 2 or marker == 0xDA:
            raise ValueError("no frame header")
        at += 2 + length


def _webp(content: bytes) -> tuple[int, int]:
    """Read the first chunk of the RIFF container: VP8X, lossless or lossy (RFC 9649)."""
    chunk = content[12:16]
    if chunk == b"VP8X":
        return _number(content, 24, 3, "little") + 1, _number(content, 27, 3, "little") + 1
    if chunk == b"VP8L":
        bits = _number(content, 21, 4, "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        sides = (_number(content, at, 2, "little") & 0x3FFF for at in (26, 28))
        return next(sides), next(sides)
    raise ValueError("no picture chunk")


def _boxed(content: bytes) -> tuple[int, int]:
    """Return the largest `ispe` box of an AVIF or HEIC file: its parts may be smaller tiles."""
    spots = [match.end() for match in re.finditer(b"ispe\0\0\0\0", content[:65536])]
    sides = ((_number(content, at, 4), _number(content, at + 4, 4)) for at in spots)
    return max(sides, key=lambda pair: pair[0] * pair[1])


def _number(content: bytes, at: int, length: int, order: Literal["big", "little"] = "big") -> int:
    if len(content) < at + length:
        raise ValueError("the content ends before")
    return int.from_bytes(content[at : at + length], order)


_SIZES: dict[str, Callable[[bytes], tuple[int, int]]] = {
    "jpeg": _jpeg,
    "png": _png,
    "gif": _gif,
    "bmp": _bmp,
    "webp": _webp,
    "avif": _boxed,
    "heic": _boxed,
}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unreadable(path: Path, error: OSError) -> BadPicture:
    return BadPicture(
        f"The picture {path.name} can't be read: {error.strerror}", "Look at its name and rights"
    )


# ------------------------------------------------------------------------------ making pictures


def _make(path: Path, most: int, kind: str) -> bytes | None:
    """Return a picture made smaller and of a kind; None for one that moves.

    It is turned as its Exif data say, and keeps its colour profile; all other data about it,
    such as where it was taken, stay behind.
    """
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError:
        raise ConfigError(
            "Making pictures smaller or of another kind needs Pillow: "
            "pip install 'storebridge[pictures]', or leave out --pictures-max and --pictures-as"
        ) from None
    import io

    try:
        with Image.open(path) as opened:
            if getattr(opened, "is_animated", False):
                return None
            if opened.width * opened.height > _MOST_PIXELS:  # a TIFF says it only here
                raise BadPicture(f"The picture {path.name} is too large", "Make it smaller")
            profile = opened.info.get("icc_profile") if opened.mode != "CMYK" else None
            image: Image.Image = ImageOps.exif_transpose(opened)
            if most:
                image.thumbnail((most, most), Image.Resampling.LANCZOS)
            image = _coloured(image, kind)
            image.info = {}
            written = io.BytesIO()
            image.save(written, kind, quality=_QUALITY, optimize=True, icc_profile=profile)
    except UnidentifiedImageError:
        raise BadPicture(
            f"This machine can't read the picture {path.name}", "Save it as JPEG or PNG"
        ) from None
    except KeyError:
        raise ConfigError(
            f"the Pillow of this machine can't write {kind} pictures: use another --pictures-as"
        ) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadPicture(f"The picture {path.name} is damaged: {error}", "Save it anew") from None
    return written.getvalue()


def _coloured(image: Any, kind: str) -> Any:
    """Return a picture in colours that its kind has; JPEG shows white where it is transparent."""
    clear = "A" in image.getbands() or "transparency" in image.info
    if kind == "jpeg" and clear:
        from PIL import Image

        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image.convert("RGBA"))
        return ground.convert("RGB")
    if image.mode in ("RGB", "L") or (image.mode == "RGBA" and kind != "jpeg"):
        return image
    return image.convert("RGBA" if clear else "RGB")
