"""Pictures of products: fetched by the server from an address, or uploaded before.

The list of a product's pictures replaces the whole list, and its order is theirs: the first one is
the main picture. A stale id refuses the whole call (recorded exchanges, images).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from storebridge.adapter import Batch, Change
from storebridge.errors import ApiError, BadAnswer, OutcomeUnknown, StorebridgeError
from storebridge.flow import Flow, Outcome, Request, RequestKind, Status, send, wait
from storebridge.models import Media, Product
from storebridge.wire import dumps, json_of
from storebridge_woocommerce.batches import FATAL
from storebridge_woocommerce.library import EACH, Library
from storebridge_woocommerce.records import failed
from storebridge_woocommerce.shown import Shown
from storebridge_woocommerce.text import words
from storebridge_woocommerce.variations import Variations

if TYPE_CHECKING:
    from storebridge_woocommerce.adapter import WooCommerceSettings

__all__ = ["Held", "Images"]

Doc = Mapping[str, Any]
#: A picture of the list that is sent: what was asked for, if anything, and its JSON.
Wanted = tuple[Media | None, dict[str, Any]]

#: Seconds between looks after a lost answer.
_PAUSES = (10.0, 20.0, 30.0)
_STALE = re.compile(r"#(\d+) is an invalid image ID")


@dataclass(frozen=True, slots=True)
class Held:
    """A product as it is, and the pictures that it had before anything was sent."""

    doc: Doc
    product: Product
    rows: Sequence[Doc]
    """Its variations."""
    before: Sequence[int]
    shown: Mapping[str, int]
    """The picture of each variation then, by the variation's id; 0 for none."""


class Images:
    """Writes the pictures of products and of their variations."""

    def __init__(self, settings: WooCommerceSettings, variations: Variations) -> None:
        """Keep who may upload files, and what becomes of sources."""
        self.library = Library(may_upload=settings.password is not None)
        self._shown = Shown(self.library, variations)

    def write(
        self,
        change: Change[Product],
        batch: Batch[Product],
        held: Held,
        read: Callable[[Doc], Product],
    ) -> Flow[Outcome]:
        """Write the pictures of one product, and return what came of it.

        Args:
            change: the pictures that are to be there besides, or changed, and those to take out;
                and the pictures that show variants.
            batch: what the change came in.
            held: the product as it is.
            read: makes a record of the answer.
        """
        made: dict[str, str] = {}
        try:
            answer = yield from self._own(change, batch, held, made)
            count = yield from self._shown.write(change, batch, held, answer, made)
        except FATAL:
            raise
        except StorebridgeError as error:
            return replace(failed(change, error), media=made)
        return Outcome(
            change=change.id,
            status=Status.APPLIED,
            id=str(answer["id"]),
            record=None if count else read(answer),
            media=made,
        )

    def _own(
        self, change: Change[Product], batch: Batch[Product], held: Held, made: dict[str, str]
    ) -> Flow[Doc]:
        """Write a product's own pictures; return it. An id that is gone gives way to its url."""
        if "media" not in change.desired.given and not change.removed.get("media"):
            return held.doc
        lost: set[int] = set()
        while True:
            wanted = yield from self._wanted(change, batch, held.before, made, lost)
            try:
                answer = yield from self._put(change, batch, held, wanted)
                break
            except ApiError as error:
                stale = _STALE.search(str(error))
                number = int(stale[1]) if stale else 0
                if number in lost or not _replaceable(number, wanted):
                    raise
                lost.add(number)
                self.library.forget(number)
        for (media, _), image in zip(wanted, answer["images"], strict=False):
            if media is not None and media.url:
                made |= self.library.note(media, int(image["id"]))
        return answer

    def _wanted(
        self,
        change: Change[Product],
        batch: Batch[Product],
        before: Sequence[int],
        made: dict[str, str],
        lost: set[int],
    ) -> Flow[list[Wanted]]:
        """Return the whole list of pictures: those of before that stay, then the new ones."""
        desired = change.desired
        gone = {key.removeprefix("id:") for key in change.removed.get("media", ())}
        known = {
            media.id: media for media in desired.media if media.id and int(media.id) not in lost
        }
        found: list[Wanted] = []
        replaces = desired.modes.get("media") == "replace" and "media" in desired.given
        for number in before:
            if str(number) not in gone and not (replaces and str(number) not in known):
                found.append((known.pop(str(number), None), {"id": number}))
        for media in desired.media:  # in their own order: the first one may be the main picture
            if media.id in known:
                found.append((media, {"id": int(media.id)}))
            elif not media.id or int(media.id) in lost:
                found.append((media, (yield from self.library.source(media, change, batch, made))))
        return _ordered([(media, _described(media, item)) for media, item in _once(found)])

    def _put(
        self, change: Change[Product], batch: Batch[Product], held: Held, wanted: list[Wanted]
    ) -> Flow[Doc]:
        """Set a product's pictures; those that the server has to fetch are sent once.

        What was added meanwhile, and not by an earlier try, joins `wanted` and stays.

        Raises:
            OutcomeUnknown: if it can't be told what came of it.
        """
        before, images = held.before, held.doc["images"]
        fresh = sum("src" in item for _, item in wanted)
        path = f"/products/{change.record_id}"
        sent = bool(fresh) and change.id in batch.uncertain
        if sent and (found := (yield from _settled(path, wanted, before))) is not None:
            return found
        named = {item.get("id") for _, item in wanted} | set(before)
        wanted += [(None, {"id": each["id"]}) for each in images if each["id"] not in named]
        request = Request(
            method="PUT",
            path=path,
            kind=RequestKind.CREATE if fresh else RequestKind.SET,
            body=dumps({"images": [item for _, item in wanted]}),
            covers=(change.id,),
            timeout=60.0 + EACH * fresh,
        )
        before = [image["id"] for image in images]
        for _ in range(2):
            try:
                return _product((yield from send(request)))
            except (OutcomeUnknown, BadAnswer):
                # What has no new picture is sent again as it is: it shows in no id that it came.
                found = (yield from _settled(path, wanted, before)) if fresh else None
                if found is not None:
                    return found
        raise OutcomeUnknown("no answer says what came of the pictures", covers=(change.id,))


def _replaceable(number: int, wanted: Sequence[Wanted]) -> bool:
    """Return whether an attachment can be made anew: an address or a file is given for it."""
    return any(
        item.get("id") == number and media is not None and media.url for media, item in wanted
    )


def _once(wanted: Sequence[Wanted]) -> list[Wanted]:
    """Return pictures without those that are there already under the same id or address."""
    found: dict[tuple[str, Any], Wanted] = {}
    for media, item in wanted:
        key = next(iter(item.items()))
        if found.get(key, (None, item))[0] is None:
            found[key] = (media, item)
    return list(found.values())


def _ordered(wanted: list[Wanted]) -> list[Wanted]:
    """Return pictures in the order that they have, with those that ask for a place in it."""
    placed = [each for each in wanted if each[0] is not None and each[0].position is not None]
    order = [each for each in wanted if each not in placed]
    for each in sorted(placed, key=_place):
        order.insert(max(0, _place(each) - 1), each)
    return order


def _place(wanted: Wanted) -> int:
    media = wanted[0]
    return media.position or 0 if media is not None else 0


def _described(media: Media | None, item: dict[str, Any]) -> dict[str, Any]:
    """Return a picture's JSON with its text."""
    if media is not None and "alt" in media.given:
        item["alt"] = words(media.alt)
    return item


def _product(response: Any) -> Doc:
    doc = json_of(response)
    if not isinstance(doc, dict) or "images" not in doc:
        raise BadAnswer("the shop's answer is no product", status=response.status)
    return doc


def _settled(path: str, wanted: Sequence[Wanted], before: Sequence[int]) -> Flow[Doc | None]:
    """Return the product if it has its pictures by now; None once two looks found that it hasn't.

    A picture that the server had to fetch is there under an id that was not there before.

    Raises:
        OutcomeUnknown: if looking fails.
    """
    request = Request(method="GET", path=path, params=(("context", "edit"),))
    named = [item.get("id") for _, item in wanted]
    seen: list[Any] | None = None
    for pause in (*_PAUSES, 0.0):
        try:
            doc = _product((yield from send(request)))
        except FATAL:
            raise
        except StorebridgeError as error:
            raise OutcomeUnknown(f"looking at the pictures failed: {error}") from error
        ids = [image["id"] for image in doc["images"]]
        pairs = list(zip(named, ids, strict=False))
        if len(ids) == len(named) and all(i == k if k else i not in before for k, i in pairs):
            return doc
        if seen == ids:
            return None
        seen = ids
        yield from wait(pause, "a lost answer")
    return None
