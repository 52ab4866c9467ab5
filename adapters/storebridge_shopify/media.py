"""Pictures of products: by their address or a staged upload, followed until they are ready.

`productSet` replaces a product's list of files, so the list is completed from the live product.
Shopify works a file off later: one that it can't read has no user error, but fails minutes after
(recorded answers), and so each new file is asked for until it is READY or FAILED.

A new file that is sent twice is there twice. So the media of before are kept with the batch, and
after a lost answer the product is looked at for what came of its sources.

What a source became may be deleted in the shop since; `productSet` refuses the whole list then, and
the source is taken in anew.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from storebridge.adapter import Batch, Change
from storebridge.errors import (
    AuthError,
    BadAnswer,
    NotFound,
    OutcomeUnknown,
    Rejected,
    StorebridgeError,
)
from storebridge.flow import Flow, Outcome, RequestKind, wait
from storebridge.models import Media, Product, Variant
from storebridge.wire import local_file
from storebridge_shopify.graphql import Doc, call
from storebridge_shopify.media_order import places, reorder
from storebridge_shopify.records import applied, looked, mutate
from storebridge_shopify.site import Recent
from storebridge_shopify.uploads import file_part, staged

__all__ = ["Files"]

#: Seconds between looks at a file that isn't ready; together what a large picture may take.
_PAUSES = (0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 20.0, 30.0, 30.0)
#: A file's content type for productSet, by the first word of its media type.
_CONTENT = {"image": "IMAGE", "video": "VIDEO", "model": "MODEL_3D"}
#: So many keys of sources are kept, and half as many at least.
_SOURCES = 20_000
#: Seconds between two looks for what a lost answer has made.
_SETTLED = 5.0

_Keys = tuple[str, ...]
#: Reads the product of a change, with its media, as it is now.
Look = Callable[[], Flow[Product]]


class Files:
    """Writes the media of products; a source of several products is taken in once."""

    def __init__(self) -> None:
        """Begin with no source taken in."""
        self._made = Recent[str, str](_SOURCES)
        self._gone: set[str] = set()
        """Files of sources that the shop was found to have no more."""

    def write(self, change: Change[Product], batch: Batch[Product], look: Look) -> Flow[Outcome]:
        """Write the media of one product and which variant shows which.

        Args:
            change: the media that are to be there besides, or changed, and those to take out.
            batch: what the change came in; its state has the media of before, by product.
            look: reads the product with its media and variants.
        """
        made: dict[str, str] = {}
        try:
            live = yield from look()
            shown = self._shown(change.desired, live)
            if "media" in change.desired.given or change.removed.get("media") or shown:
                yield from self._product(change, batch, live, shown, made, look)
            if wanted := places(change.desired, made):
                held = [medium.id for medium in (yield from look()).media]
                yield from reorder(change, held, wanted)
            yield from _variants(change, live, made)
        except AuthError:
            raise
        except StorebridgeError as error:
            return replace(Outcome.failure(change.id, error), media=made)
        return replace(applied(change, change.record_id), media=made)

    def _shown(self, desired: Product, live: Product) -> list[Media]:
        """Return what only variants show: Shopify shows a variant by a medium of its product."""
        there = {key for media in (*desired.media, *live.media) for key in (media.url, media.id)}
        sources = (url for variant in desired.variants for url in variant.media)
        return [Media(url=url) for url in dict.fromkeys(sources) if url not in there]

    def _product(
        self,
        change: Change[Product],
        batch: Batch[Product],
        live: Product,
        shown: Sequence[Media],
        made: dict[str, str],
        look: Look,
    ) -> Flow[None]:
        came: Mapping[_Keys, tuple[Media, str]] = {}
        if change.id in batch.uncertain:
            before = (batch.state or {}).get(change.record_id, ())
            live = yield from _worked_off(change, before, look)
            came = _made_before(change, before, live, shown)
            yield from _followed(change, {id: media for media, id in came.values()})
        known, new = self._split(change, shown, made, came)
        sent = yield from _sent(new)
        if came or any(local_file(media.url) for media in new):
            live = yield from look()  # minutes have passed: what a person added meanwhile stays
        files = _listed(change, live, known)
        if not new and [each["id"] for each in files] == [media.id for media in live.media]:
            yield from _alts(change, files)
            return
        try:
            fresh = yield from _set(change, live, known, sent, look)
        except (NotFound, Rejected):
            if not (gone := (yield from _gone(change, live, known))):
                raise
            self._gone |= gone
            yield from self._product(change, batch, live, shown, made, look)
            return
        yield from _followed(change, dict(zip(fresh, new, strict=True)))
        for media, medium_id in zip(new, fresh, strict=True):
            for key in media.element_keys():
                made[key] = medium_id
                self._made.learn(key, medium_id)

    def _split(
        self,
        change: Change[Product],
        shown: Sequence[Media],
        made: dict[str, str],
        came: Mapping[_Keys, tuple[Media, str]],
    ) -> tuple[dict[str, Media], list[Media]]:
        """Return the media that are in the shop already, by their ids, and the new ones."""
        named = {media.id: media for media in change.desired.media if media.id}
        held: dict[str, Media] = {}
        new: dict[_Keys, Media] = {}
        for media in (*change.desired.media, *shown):
            _, known = came.get(media.element_keys(), (None, ""))
            if media.id in self._gone:
                media = media.without("id")
            if known := known or media.id or self._known(change, media):
                held.setdefault(known, named.get(known, media))
                made |= dict.fromkeys(media.element_keys(), known) if media.id != known else {}
            else:
                new.setdefault(media.element_keys(), media)
        return held, list(new.values())

    def _known(self, change: Change[Product], media: Media) -> str:
        """Return the medium that a source became before, "" if none did."""
        keys = [f"hash:{media.content_hash}"] if media.content_hash else media.element_keys()
        found = (each for key in keys for each in (change.media.get(key), self._made.get(key)))
        return next((each for each in found if each and each not in self._gone), "")


class _New(NamedTuple):
    """A new medium, and what names it in a call."""

    media: Media
    row: Doc


def _sent(new: Sequence[Media]) -> Flow[list[_New]]:
    """Return new media with what names them; files are uploaded."""
    found = []
    for media in new:
        found.append(_New(media, {**(yield from _source(media)), **_alt(media)}))
    return found


def _listed(change: Change[Product], live: Product, known: Mapping[str, Media]) -> list[Doc]:
    """Return the list of files but for new ones: those that stay, then those attached."""
    desired = change.desired
    gone = set(change.removed.get("media", ()))
    replaces = desired.modes.get("media") == "replace" and "media" in desired.given
    kept = (m.id for m in live.media if not gone & set(m.element_keys()))
    ids = dict.fromkeys(each for each in kept if not replaces or each in known)
    return [{"id": each, **_alt(known.get(each))} for each in {**ids, **dict.fromkeys(known)}]


def _set(
    change: Change[Product],
    live: Product,
    known: Mapping[str, Media],
    new: Sequence[_New],
    look: Look,
) -> Flow[list[str]]:
    """Set a product's files and return the ids of the new ones, which are made once.

    Raises:
        OutcomeUnknown: if the answer was lost twice, or a look failed.
    """
    kind = RequestKind.CREATE if new else RequestKind.SET
    lost: OutcomeUnknown | None = None
    for _ in range(2):
        files = _listed(change, live, known)
        named = {each["id"] for each in files}
        body = {"files": [*files, *(each.row for each in new)]}
        variables = {"identifier": {"id": change.record_id}, "input": body}
        try:
            payload = yield from mutate("product_set_media", "productSet", variables, change, kind)
        except OutcomeUnknown as error:
            lost = error
            before = named | {media.id for media in live.media}
            sources = [each.media for each in new]
            if fresh := (yield from _settled(change, sources, before, look)):
                return fresh
            live = yield from looked(look(), change)
            continue
        fresh = [n["id"] for n in payload["product"]["media"]["nodes"] if n["id"] not in named]
        if len(fresh) != len(new):
            raise BadAnswer(f"{len(new)} media were given, and the product got {len(fresh)}")
        return fresh
    assert lost is not None
    raise lost


def _gone(change: Change[Product], live: Product, known: Mapping[str, Media]) -> Flow[set[str]]:
    """Return the files that the shop has no more, of those that can be made of a source again."""
    held = {media.id for media in live.media}
    ids = [each for each, media in known.items() if media.url and each not in held]
    if not ids:
        return set()
    nodes = (yield from looked(call("files", {"ids": ids}), change))["nodes"]
    return set(ids) - {node["id"] for node in nodes if node}


def _settled(
    change: Change[Product], new: Sequence[Media], before: Set[str], look: Look
) -> Flow[list[str]]:
    """Return what a lost request has made of new sources; looked for twice, empty if nothing.

    Raises:
        OutcomeUnknown: if a look fails.
    """
    for pause in (_SETTLED, 0.0) if new else ():
        live = yield from _worked_off(change, before, look)
        if fresh := _came(live, before, new):
            return fresh
        if pause:
            yield from wait(pause, "a lost answer")
    return []


def _worked_off(change: Change[Product], before: Container[str], look: Look) -> Flow[Product]:
    """Return the product once each new medium has its name, by which its source is known.

    Raises:
        OutcomeUnknown: if a look fails.
    """
    for pause in (*_PAUSES, 0.0):
        live = yield from looked(look(), change)
        ids = [each.id for each in live.media if not each.url and each.id not in before]
        if not ids:
            break
        nodes = (yield from looked(call("files", {"ids": ids}), change))["nodes"]
        if all(node["fileStatus"] == "FAILED" for node in nodes if node):
            break
        yield from wait(pause, "Shopify works on pictures")
    return live


def _made_before(
    change: Change[Product], before: Container[str], live: Product, shown: Sequence[Media]
) -> dict[_Keys, tuple[Media, str]]:
    """Return the media that a lost try has made of sources, by the keys of these."""
    rest = [media for media in live.media if media.id not in before]
    there = {media.id for media in live.media}
    found: dict[_Keys, tuple[Media, str]] = {}
    for media in (*change.desired.media, *shown):
        if media.url and media.id not in there:
            match = next((each for each in rest if _alike(media, each)), None)
            if match is not None:
                rest.remove(match)
                found[media.element_keys()] = (media, match.id)
    return found


def _came(live: Product, before: Set[str], new: Sequence[Media]) -> list[str]:
    """Return the ids of the media that came of new sources, in their order; empty without all."""
    rest = (media for media in live.media if media.id not in before)
    found = [next((m.id for m in rest if _alike(each, m)), "") for each in new]
    return found if all(found) else []


def _alike(wanted: Media, live: Media) -> bool:
    """Return whether a medium may have come of a source: by its text, and by its name if it has."""
    same = "alt" not in wanted.given or wanted.alt == live.alt
    return same and (not live.url or any(map(_stem(live.url).startswith, _stems(wanted.url))))


def _stems(url: str) -> set[str]:
    """Return the stems that a file may get: with `%20` for a space or for what it stands for."""
    return {_stem(url), _stem(unquote(url)) or _stem(url)}


def _stem(url: str) -> str:
    """Return a file's name without its ending, and without signs that Shopify replaces."""
    name = url.partition("?")[0].rpartition("/")[2].rpartition(".")
    return "".join(filter(str.isalnum, name[0] or name[2])).lower()


def _alt(media: Media | None) -> dict[str, Any]:
    return {"alt": media.alt} if media is not None and "alt" in media.given else {}


def _alts(change: Change[Product], files: Sequence[Doc]) -> Flow[None]:
    """Write the texts of media that are there already."""
    rows = [each for each in files if "alt" in each]
    if rows:
        yield from mutate("file_update", "fileUpdate", {"files": rows}, change)


def _source(media: Media) -> Flow[dict[str, Any]]:
    """Return what names a new file: its address, or where it was staged."""
    path = local_file(media.url)
    kind = {"contentType": _CONTENT.get(media.media_type, "IMAGE")}
    if path is None:
        return {"originalSource": media.url, **kind}
    return {"originalSource": (yield from _staged(path)), **kind}


def _staged(path: Path) -> Flow[str]:
    """Upload a file, and return the address that it is known by then."""
    file = file_part(path)
    word = _CONTENT.get(file.media_type.partition("/")[0], "IMAGE")
    return (yield from staged(file, word)).url


def _followed(change: Change[Product], new: Mapping[str, Media]) -> Flow[None]:
    """Look at new files until each is ready.

    Raises:
        Rejected: if one can't be worked off; the message says why.
        OutcomeUnknown: if one isn't ready after two minutes.
    """
    waiting = list(new)
    for pause in (*_PAUSES, 0.0):
        if not waiting:
            return
        nodes = (yield from looked(call("files", {"ids": waiting}), change))["nodes"]
        states = {node["id"]: node for node in nodes if node}
        for medium_id, node in states.items():
            if node["fileStatus"] == "FAILED":
                raise _unusable(new[medium_id], node)
        waiting = [each for each in waiting if states.get(each, {}).get("fileStatus") != "READY"]
        if waiting and pause:
            yield from wait(pause, "Shopify works on pictures")
    text = f"{len(waiting)} pictures are not ready yet"
    raise OutcomeUnknown(text, covers=(change.id,))


def _unusable(media: Media, node: Doc) -> Rejected:
    errors = node.get("fileErrors") or ()
    texts = (each.get("details") or each.get("message") or each["code"] for each in errors)
    return Rejected(
        f"Shopify can't use {media.url.rpartition('/')[2]}: {'; '.join(texts)}",
        fields={"media": media.url},
        remedy="Look whether the address gives a picture to everybody, and its kind and size.",
    )


def _variants(change: Change[Product], live: Product, made: Mapping[str, str]) -> Flow[None]:
    """Say which medium shows which variant.

    Raises:
        Rejected: for a source that is no medium of the product.
    """
    known = {media.url: media.id for media in live.media if media.url}
    known |= {media.url: media.id for media in change.desired.media if media.url and media.id}
    known |= {key.removeprefix("url:"): each for key, each in made.items() if "url:" in key}
    known |= {each: each for each in known.values()}
    rows, bare = [], []
    for variant in change.desired.variants:
        if "media" not in variant.given:
            continue
        match = _live(variant, live)
        if variant.media:
            if variant.media[0] not in known:
                raise Rejected(
                    f"{variant.media[0]} is no picture of the product",
                    fields={"variants.media": variant.media[0]},
                    remedy="Give it among the product's media too.",
                )
            rows.append({"id": match.id, "mediaId": known[variant.media[0]]})
        elif match.media:
            ids = [known.get(url, url) for url in match.media]
            bare.append({"variantId": match.id, "mediaIds": ids})
    product = {"productId": change.record_id}
    if rows:
        variables = {**product, "variants": rows}
        yield from mutate("variants_update", "productVariantsBulkUpdate", variables, change)
    if bare:
        variables = {**product, "variantMedia": bare}
        yield from mutate("variant_detach_media", "productVariantDetachMedia", variables, change)


def _live(variant: Variant, live: Product) -> Variant:
    """Return the live variant that a desired one is.

    Raises:
        Rejected: if there is none.
    """
    keys = set(variant.element_keys())
    for each in live.variants:
        if keys & set(each.element_keys()):
            return each
    if len(live.variants) == 1 and not live.options:
        return live.variants[0]
    raise Rejected("the product has no such variant", fields={"variants": sorted(keys)[0]})
