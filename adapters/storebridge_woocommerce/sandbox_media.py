"""Attachments: pictures side-loaded by address, and those uploaded through wp/v2/media."""

from __future__ import annotations

import base64
import hashlib
import re
import struct
import unicodedata
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from storebridge_woocommerce.sandbox_state import Doc, Refusal, State
from storebridge_woocommerce.sandbox_text import clean, integer, plain, slugged, unslashed

__all__ = ["attach", "discard", "picture_sizes", "set_images", "show_image", "store_file"]

#: WordPress 6.9: what uploads may end in; svg and avif are refused here.
_TYPES = {
    "jpg": "image/jpeg", "jpeg": "image/jpeg", "jpe": "image/jpeg", "png": "image/png",
    "gif": "image/gif", "webp": "image/webp", "pdf": "application/pdf",
}  # fmt: skip
_REFUSED = "Sorry, you are not allowed to upload this file type."
_BAD_URL = "A valid URL was not provided."


def set_images(state: State, images: list[Doc], post_id: int) -> list[int]:
    """Return the attachments for a list of images; each `src` is imported anew.

    WooCommerce 11.0.1: an id wins over a src; one failure fails the whole product, and a create
    that failed takes its imports back while an update leaves them in the library.

    Raises:
        Refusal: if one can't be had.
    """
    numbers, made = [], []
    try:
        for image in images:
            number = integer(image.get("id"))
            if not number and image.get("src") is not None:
                made.append(number := _sideload(state, plain(image["src"]), post_id))
            found = state.post("attachment", number)
            if found is None or not found["mime"].startswith("image/"):
                text = f"#{number} is an invalid image ID."
                raise Refusal("woocommerce_product_invalid_image_id", text)
            _describe(state, found, image)
            numbers.append(number)
    except Refusal:
        if not post_id:
            discard(state, made)
        raise
    return numbers


def discard(state: State, numbers: list[int]) -> None:
    """Take imports back."""
    for number in numbers:
        state.drop_post(number)


def _describe(state: State, found: Doc, image: Doc) -> None:
    if image.get("alt"):
        # WooCommerce 11.0.1: a text on one line, without tags; then one backslash of two goes.
        found["alt"] = unslashed(clean(plain(image["alt"])))
    if image.get("name"):
        found["name"] = plain(image["name"])
    if image.get("alt") or image.get("name"):
        state.touch(found)
        state.save_post(found)


def _sideload(state: State, address: str, post_id: int) -> int:
    """Return a new attachment made of the picture at an address."""
    if address.partition(":")[0].lower() not in ("http", "https"):
        raise _failed("", "No URL Provided.")
    said = _planned(state, address)
    if said == "blocked" or not _public(state, address):
        raise _failed(address, _BAD_URL)
    if said in ("404", "500", "timeout"):
        words = {"404": "Not Found", "500": "Internal Server Error",
                 "timeout": "cURL error 28: Operation timed out"}  # fmt: skip
        raise _failed(address, words[said])
    name = re.sub(r"\?.*", "", address.rsplit("/", 1)[-1]).replace(" ", "%20")
    name = _file_name(name)
    extension = name.rpartition(".")[2].lower()
    if said == "html" or extension not in _TYPES or "." not in name:
        text = f"Invalid image: {_REFUSED}"
        raise Refusal("woocommerce_product_image_upload_error", text)
    size = said or ("1200x900" if extension in ("jpg", "jpeg") else "800x800")
    width, height = map(int, size.split("x"))
    file = _free_name(state, name)
    made = attach(
        state, file, title=_scaled(file, width, height)[1], slug=slugged(file.replace(".", "-")),
        size=(width, height), parent=post_id,)  # fmt: skip
    return int(made["id"])


def _failed(address: str, words: str) -> Refusal:
    text = f"Error getting remote image {address}. Error: {words}"
    return Refusal("woocommerce_product_image_upload_error", text)


def _planned(state: State, address: str) -> str:
    """Return what a test planned for an address: "404", "html", "1200x900", "" for nothing."""
    planned = state.options.get("pictures", {})
    return next((str(said) for part, said in planned.items() if part in address), "")


def _public(state: State, address: str) -> bool:
    """Return whether the server fetches from an address.

    WordPress 6.9: the site's own host, or a public one; ports 80, 443, 8080 and the site's own.
    """
    try:
        parts, home = urlsplit(address), urlsplit(state.options["url"])
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    if port not in (None, 80, 443, 8080, home.port):
        return False
    if host == home.hostname:
        return True
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and host != "localhost" and "@" not in parts.netloc


def _file_name(name: str) -> str:
    """Return a file's name as WordPress cleans it: `%C3%A9` becomes `C3A9`, é becomes e."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    name = re.sub(r"[?\[\]/\\=<>:;,'\"&$#*()|~`!{}%+]", "", folded)
    return re.sub(r"[\s-]+", "-", name).strip(".-_")


def _free_name(state: State, name: str) -> str:
    """Return a file name not in use this month: a.jpg becomes a-1.jpg."""
    stem, _, extension = name.rpartition(".")
    made, count = name, 0
    while state.one(
        "SELECT 1 FROM posts WHERE kind = 'attachment' AND sku = ?", _path(state, made)
    ):
        count += 1
        made = f"{stem}-{count}.{extension}"
    return made


def _path(state: State, name: str) -> str:
    month = state.options.get("upload_month") or state.now()[:7].replace("-", "/")
    return f"{month}/{name}"


def _scaled(file: str, width: int, height: int) -> tuple[str, str]:
    """Return the file that is shown and its title; a side over 2,560 is scaled down."""
    stem, _, extension = file.rpartition(".")
    return (f"{stem}-scaled.{extension}" if max(width, height) > 2560 else file), file


def attach(
    state: State,
    file: str,
    *,
    title: str,
    slug: str,
    size: tuple[int, int],
    parent: int = 0,
    **more: Any,
) -> Doc:
    """Make an attachment of a file in the library and return it."""
    extension = file.rpartition(".")[2].lower()
    post = state.new_post(
        "attachment", status="inherit", name=title, parent_id=parent, sku=_path(state, file),
        alt="", mime=_TYPES.get(extension, "application/octet-stream"), width=size[0],
        height=size[1], filesize=0, caption="", description="", **more,
    )  # fmt: skip
    post["slug"] = unique_slug(state, post, slug)
    state.save_post(post)
    return post


def unique_slug(state: State, post: Doc, slug: str) -> str:
    """Return a slug that no other attachment, page or post has."""
    sql = "SELECT 1 FROM posts WHERE slug = ? AND kind = ? AND id <> ?"
    made, count = slug, 1
    while state.one(sql, made, post["kind"], post["id"]):
        count += 1
        made = f"{slug}-{count}"
    return made


def store_file(state: State, name: str, body: bytes, parent: int = 0) -> Doc:
    """Keep an uploaded file and return its attachment.

    Raises:
        Refusal: 500 for a type that isn't allowed.
    """
    file = _file_name(name)
    if file.rpartition(".")[2].lower() not in _TYPES or "." not in file:
        raise Refusal("rest_upload_sideload_error", _REFUSED, 500)
    file = _free_name(state, file)
    stem = file.rpartition(".")[0]
    post = attach(state, file, title=stem, slug=slugged(stem), size=_size(body), parent=parent)
    post["filesize"] = len(body)
    post["sha256"] = hashlib.sha256(body).hexdigest()
    state.save_post(post)
    content = {"id": post["id"], "body": base64.b64encode(body).decode()}
    state.save_thing("file", content, key=post["sku"])
    return post


def _size(body: bytes) -> tuple[int, int]:
    """Return a picture's width and height, (0, 0) for what is none."""
    if body[:8] == b"\x89PNG\r\n\x1a\n" and len(body) >= 24:
        width, height = struct.unpack(">II", body[16:24])
        return int(width), int(height)
    if body[:3] == b"GIF" and len(body) >= 10:
        width, height = struct.unpack("<HH", body[6:10])
        return int(width), int(height)
    found = re.search(rb"\xff[\xc0-\xc2]..\x08(..)(..)", body, re.DOTALL)
    if body[:2] == b"\xff\xd8" and found:
        return int.from_bytes(found[2]), int.from_bytes(found[1])
    return 0, 0


# ---------------------------------------------------------------------------------------- shown

#: Name, width, height (0 is free) and whether the picture is cropped to it.
_SIZES = (
    ("medium", 300, 300, False), ("large", 1024, 1024, False), ("thumbnail", 150, 150, True),
    ("medium_large", 768, 0, False), ("1536x1536", 1536, 1536, False),
    ("2048x2048", 2048, 2048, False), ("woocommerce_thumbnail", 300, 300, True),
    ("woocommerce_single", 600, 0, False), ("woocommerce_gallery_thumbnail", 100, 100, True),
)  # fmt: skip


def picture_sizes(post: Doc) -> dict[str, tuple[int, int]]:
    """Return the smaller copies that WordPress makes of a picture."""
    width, height = post["width"], post["height"]
    sizes = {}
    for name, most, tall, crop in _SIZES:
        if crop and (width > most or height > tall):
            sizes[name] = (min(width, most), min(height, tall))
        elif not crop:
            scale = min(most / width if width else 1, tall / height if tall and height else 9e9)
            if scale < 1:
                sizes[name] = (max(1, round(width * scale)), max(1, round(height * scale)))
    return sizes


def address_of(state: State, post: Doc, size: tuple[int, int] | None = None) -> str:
    """Return the address of a picture or of one of its copies."""
    if size is None:
        folder, _, file = post["sku"].rpartition("/")
        path = f"{folder}/{_scaled(file, post['width'], post['height'])[0]}".lstrip("/")
    else:
        stem, _, extension = post["sku"].rpartition(".")
        path = f"{stem}-{size[0]}x{size[1]}.{extension}"
    return f"{state.options['url']}/wp-content/uploads/{path}"


def show_image(state: State, number: int, *, short: bool = False) -> Doc | None:
    """Return a picture as products show it, None without one; variations show it short."""
    post = state.post("attachment", number) if number else None
    if post is None:
        return None
    shown = {
        "id": number,
        "date_created": state.local(post["created_gmt"]),
        "date_created_gmt": post["created_gmt"],
        "date_modified": state.local(post["modified_gmt"]),
        "date_modified_gmt": post["modified_gmt"],
        "src": address_of(state, post),
        "name": post["name"],
        "alt": post["alt"],
    }
    return shown if short else shown | _responsive(state, post)


def _responsive(state: State, post: Doc) -> Doc:
    width, height = post["width"], post["height"]
    largest = min(width, 2560)
    sizes = picture_sizes(post)
    wanted = {(largest, 0): f"{address_of(state, post)} {largest}w"}
    for size in sizes.values():
        # Only copies of the same proportions belong into a srcset.
        if width and abs(size[0] * height / width - size[1]) <= 1:
            wanted.setdefault((size[0], 0), f"{address_of(state, post, size)} {size[0]}w")
    thumbnail = sizes.get("woocommerce_thumbnail")
    return {
        "srcset": ", ".join(wanted.values()) if len(wanted) > 1 else "",
        "sizes": f"(max-width: {largest}px) 100vw, {largest}px" if len(wanted) > 1 else "",
        "thumbnail": address_of(state, post, thumbnail),
    }
