"""Pictures of single variations: a variation's own one, and its gallery where the shop has it.

A picture of the product, or one that was taken in before, is named by its id. Another one is
fetched as the variation's own picture, which is the only place where an address counts; its id
then goes where it belongs. Source: recorded exchanges, images of variations: an id of 0 clears, in
single calls and in batches; a gallery takes ids unchecked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from storebridge.adapter import Batch, Change
from storebridge.errors import OutcomeUnknown, Rejected, StorebridgeError
from storebridge.flow import Flow
from storebridge.models import Media, Product, Variant
from storebridge_woocommerce.batches import Item
from storebridge_woocommerce.library import Library, fetched
from storebridge_woocommerce.variations import Variations

if TYPE_CHECKING:
    from storebridge_woocommerce.images import Held

__all__ = ["Shown"]

Doc = Mapping[str, Any]

_GALLERY = "gallery_image_ids"


class Shown:
    """Writes which pictures show which variation."""

    def __init__(self, library: Library, variations: Variations) -> None:
        """Keep what becomes of sources, and what writes variations."""
        self._library, self._variations = library, variations

    def write(
        self,
        change: Change[Product],
        batch: Batch[Product],
        held: Held,
        doc: Doc,
        made: dict[str, str],
    ) -> Flow[int]:
        """Write the pictures of a product's variants, and return how many variants have changed.

        Args:
            change: its variants with `media` are written.
            batch: what the change came in.
            held: the product and its variations as they were.
            doc: the product with its pictures as they now are.
            made: what came of sources; it grows.

        Raises:
            Rejected: for a variant that isn't there, or pictures that it can't have.
        """
        there = {each["id"] for each in doc["images"]} | _seen(held.rows)
        before = {key[4:]: int(each) for key, each in change.media.items() if key[:4] == "url:"}
        known = {url: number for url, number in before.items() if number in there}
        known |= {each["src"]: each["id"] for each in doc["images"]}
        known |= {row["image"]["src"]: row["image"]["id"] for row in held.rows if row.get("image")}
        known |= {item.url: int(item.id) for item in held.product.media if item.url and item.id}
        known |= {key[4:]: int(each) for key, each in made.items() if key.startswith("url:")}
        media = {item.url: item for item in change.desired.media}
        items = []
        for variant in change.desired.variants:
            if "media" not in variant.given:
                continue
            row = _row(variant, held)
            for url in variant.media:
                if url not in known:
                    source = media.get(url) or Media(url=url)
                    known[url] = yield from self._taken_in(source, row, change, batch, held, made)
            items.append(_item(variant, row, known, change))
        if not items:
            return 0
        results = yield from self._variations.update(int(change.record_id), items)
        for item in items:
            result = results.get(item.key)
            if result is None or isinstance(result, StorebridgeError):
                raise result or OutcomeUnknown("no answer says what came of a variant's picture")
        return len(items)

    def _taken_in(
        self,
        media: Media,
        row: Doc,
        change: Change[Product],
        batch: Batch[Product],
        held: Held,
        made: dict[str, str],
    ) -> Flow[int]:
        """Return the attachment that a source becomes; it is uploaded, or fetched by the server."""
        named = yield from self._library.source(media, change, batch, made)
        if "id" in named:
            return int(named["id"])
        path = f"/products/{change.record_id}/variations/{row['id']}"
        before = {int(each) for each in made.values()} | set(held.before)
        before.add(held.shown.get(str(row["id"]), 0))
        image = yield from fetched(path, named, change, batch, before)
        made |= self._library.note(media, int(image["id"]))
        made[f"url:{image['src']}"] = str(image["id"])
        return int(image["id"])


def _seen(rows: Iterable[Doc]) -> set[int]:
    """Return the pictures that variations show: a medium that nobody shows may be gone."""
    own = {row["image"]["id"] for row in rows if row.get("image")}
    return own.union(*(row.get(_GALLERY, ()) for row in rows))


def _row(variant: Variant, held: Held) -> Doc:
    """Return the live variation that a desired variant is.

    Raises:
        Rejected: if there is none.
    """
    keys = set(variant.element_keys())
    ids = {each.id for each in held.product.variants if keys & set(each.element_keys())}
    found = next((row for row in held.rows if str(row["id"]) in ids), None)
    if found is None:
        raise Rejected(
            f"the product has no variation {variant.sku or '/'.join(variant.options)!r} to show",
            fields={"variants.media": "missing"},
            remedy="A product without options has its pictures among the product's own.",
        )
    return found


def _item(variant: Variant, row: Doc, known: Mapping[str, int], change: Change[Product]) -> Item:
    first, *rest = [known[url] for url in variant.media] or [0]
    body: dict[str, Any] = {"image": {"id": first}}
    if _GALLERY in row:
        body[_GALLERY] = rest
    elif rest:
        raise Rejected(
            "this shop's WooCommerce keeps one picture of a variation",
            fields={"variants.media": "more than one"},
            remedy="Give one, or use a newer WooCommerce (11.0 keeps several).",
        )
    return Item(str(row["id"]), change.id, body, int(row["id"]))
