"""The media library: uploads through WordPress's own interface, and what became of sources.

Every address that is given makes a new copy in the library, also of the shop's own pictures
(recorded exchanges, images); so what has an id is named by it, and a source is sent once.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from storebridge.adapter import Batch, Change, MediaLimits
from storebridge.errors import ApiError, BadAnswer, OutcomeUnknown, Rejected, StorebridgeError
from storebridge.flow import (
    FilePart,
    Flow,
    Multipart,
    Request,
    RequestKind,
    Response,
    send,
    wait,
)
from storebridge.models import Media
from storebridge.wire import dumps, json_of, local_file
from storebridge_woocommerce.batches import FATAL
from storebridge_woocommerce.walk import MOST, rows_of

__all__ = ["EACH", "LIMITS", "Library", "fetched", "with_galleries"]

Doc = Mapping[str, Any]

_MEDIA = "/wp-json/wp/v2/media"
#: Seconds that a server may need for a picture: it waits at least 20 for a slow source.
EACH = 30.0
LIMITS = MediaLimits(
    kinds=frozenset({"jpeg", "png", "gif", "webp"}),
    source="recorded exchanges: SVG, AVIF and files without an extension are refused",
)
#: Seconds after each look for a picture whose answer was lost.
_PAUSES = (10.0, 20.0, 0.0)


class Library:
    """Which attachment each source became, so far."""

    def __init__(self, *, may_upload: bool) -> None:
        """Know nothing yet; files need a WordPress user."""
        self._may_upload = may_upload
        self._made: dict[str, int] = {}

    def known(self, media: Media) -> int:
        """Return the attachment that a source became, 0 if none; a file by its content."""
        keys = [f"hash:{media.content_hash}"] if media.content_hash else media.element_keys()
        return next((self._made[key] for key in keys if key in self._made), 0)

    def note(self, media: Media, number: int) -> dict[str, str]:
        """Keep what a source became, and return it as an outcome tells it."""
        keys = media.model_copy(update={"id": ""}).element_keys()
        self._made |= dict.fromkeys(keys, number)
        return dict.fromkeys(keys, str(number))

    def forget(self, number: int) -> None:
        """Forget an attachment that is gone."""
        self._made = {key: each for key, each in self._made.items() if each != number}

    def source(
        self, media: Media, change: Change[Any], batch: Batch[Any], made: dict[str, str]
    ) -> Flow[dict[str, Any]]:
        """Return what names a picture: the id that it has got, else its address.

        A file is uploaded first, and told in `made`.

        Raises:
            Rejected: for a file, without a user who may upload it.
        """
        if number := self.known(media):
            made |= self.note(media, number)
            return {"id": number}
        path = local_file(media.url)
        if path is None:
            return {"src": media.url}
        if not self._may_upload:
            raise Rejected(
                f"{path.name} is a file, and uploading needs a WordPress user",
                fields={"media": "upload"},
                remedy="Give the store a user and an application password (WordPress > Users > "
                "Profile), or the picture's web address.",
            )
        made |= self.note(media, (yield from _uploaded(path, media, change, batch)))
        return {"id": self.known(media)}


def _uploaded(path: Path, media: Media, change: Change[Any], batch: Batch[Any]) -> Flow[int]:
    """Upload a file once, and return its id; its name in the library tells it again."""
    token = hashlib.sha256(f"{batch.id}:{change.id}:{media.url}".encode()).hexdigest()[:10]
    slug = f"{path.stem}-{token}"
    sent = change.id in batch.uncertain
    for _ in range(2):
        if sent and (found := (yield from _titled(slug))):
            return found
        part = FilePart(
            name="file",
            filename=f"{slug}{path.suffix}",
            content=path,
            media_type=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        )
        request = Request(
            method="POST",
            path=_MEDIA,
            kind=RequestKind.CREATE,
            params=(("_fields", "id,slug,source_url"),),
            body=Multipart(fields=(("title", slug), ("alt_text", media.alt)), files=(part,)),
            covers=(change.id,),
            timeout=60.0 + EACH,
        )
        try:
            return int(json_of((yield from send(request)))["id"])
        except (OutcomeUnknown, BadAnswer):
            sent = True
    if found := (yield from _titled(slug)):
        return found
    raise OutcomeUnknown(f"no answer says what came of {path.name}", covers=(change.id,))


def _titled(title: str) -> Flow[int]:
    """Return the id of an upload by its title, 0 if the library hasn't got it."""
    for pause in (5.0, 0.0):
        params = (("search", title), ("_fields", "id,title"), ("context", "edit"))
        for row in (yield from rows_of(_MEDIA, params)):
            if row["title"].get("raw") == title:
                return int(row["id"])
        yield from wait(pause, "a lost answer")
    return 0


def fetched(
    path: str,
    named: Mapping[str, Any],
    change: Change[Any],
    batch: Batch[Any],
    before: Collection[int],
) -> Flow[Doc]:
    """Let the server fetch the one picture of a variation or a category; return it.

    Args:
        path: the record.
        named: the picture's address, and its text.
        change: what it is for.
        batch: what the change came in.
        before: pictures that were there before: none of them is the new one.

    Raises:
        OutcomeUnknown: if it can't be told what came of it.
    """
    request = Request(
        method="PUT",
        path=path,
        kind=RequestKind.CREATE,
        params=(("_fields", "id,image"),),
        body=dumps({"image": named}),
        covers=(change.id,),
        timeout=60.0 + EACH,
    )
    image = (yield from _settled(path, before)) if change.id in batch.uncertain else None
    for _ in range(2):
        if image is not None:
            return image
        try:
            return _image((yield from send(request)))
        except (OutcomeUnknown, BadAnswer):
            image = yield from _settled(path, before)
    if image is None:
        raise OutcomeUnknown("no answer says what came of a picture", covers=(change.id,))
    return image


def _image(response: Response) -> Doc:
    doc = json_of(response)
    image = doc.get("image") if isinstance(doc, dict) else None
    if not isinstance(image, dict):
        raise BadAnswer("the shop's answer has no picture", status=response.status)
    return image


def _settled(path: str, before: Collection[int]) -> Flow[Doc | None]:
    """Return a record's picture if it is a new one; None once two looks found none.

    Raises:
        OutcomeUnknown: if looking fails.
    """
    params = (("context", "edit"), ("_fields", "id,image"))
    request = Request(method="GET", path=path, params=params)
    for pause in _PAUSES:
        try:
            image = json_of((yield from send(request))).get("image")
        except FATAL:
            raise
        except StorebridgeError as error:
            raise OutcomeUnknown(f"looking at the picture failed: {error}") from error
        if image and image["id"] not in before:
            found: Doc = image
            return found
        yield from wait(pause, "a lost answer")
    return None


def with_galleries(
    docs: Iterable[Doc], variations: Mapping[int, Sequence[Doc]]
) -> Flow[dict[int, list[Doc]]]:
    """Return variations with the addresses of their further pictures, as `gallery`.

    WooCommerce tells these by their ids alone; most are the product's own pictures. The library
    is asked for the others; a picture that nobody can see has no address.
    """
    asked = [row for rows in variations.values() for row in rows if row.get("gallery_image_ids")]
    if not asked:
        return {parent: list(rows) for parent, rows in variations.items()}
    shown = {each["id"]: each["src"] for doc in docs for each in doc.get("images", ())}
    own = (row["image"] for rows in variations.values() for row in rows if row.get("image"))
    shown |= {each["id"]: each["src"] for each in own}
    lacking = {number for row in asked for number in row["gallery_image_ids"]} - shown.keys()
    shown |= yield from _addresses(sorted(lacking))
    return {
        parent: [
            {**row, "gallery": [shown.get(each, "") for each in row.get("gallery_image_ids", ())]}
            for row in rows
        ]
        for parent, rows in variations.items()
    }


def _addresses(numbers: Sequence[int]) -> Flow[dict[int, str]]:
    found: dict[int, str] = {}
    for start in range(0, len(numbers), MOST):
        names = ",".join(map(str, numbers[start : start + MOST]))
        try:
            rows = yield from rows_of(_MEDIA, (("include", names), ("_fields", "id,source_url")))
        except FATAL:
            raise
        except ApiError:  # what may not be seen stays unknown
            continue
        found |= {row["id"]: row["source_url"] for row in rows}
    return found
