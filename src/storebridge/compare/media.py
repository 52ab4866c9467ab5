"""Media by the sources that they were made of, where a store keeps copies of its own. No I/O.

A desired picture is named by its source: an address on the web, or a file and its content. What
the store made of it has another address. `ids` says which medium came of which source, by element
key ("url:https://…", "hash:…"); a live record is then told by the sources that a desired one
names, so that both compare, and conflicts, verification and undo see the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from storebridge.models import Collection, Media, Product, Record
from storebridge.models.text import local_file

__all__ = ["Origin", "addresses", "each_medium", "media_of", "origins", "readdressed", "told"]

R = TypeVar("R", bound=Record)


class Origin(NamedTuple):
    """What a desired medium is made of."""

    url: str
    content_hash: str

    def medium(self, ids: Mapping[str, str]) -> str:
        """Return the id of the medium that came of it, "" if none is known.

        A file is known by its content alone: under the same path it may be another picture.
        """
        known = ids.get(f"hash:{self.content_hash}", "") if self.content_hash else ""
        changed = self.content_hash and local_file(self.url) is not None
        return known or ("" if changed else ids.get(f"url:{self.url}", ""))

    @property
    def keys(self) -> tuple[str, ...]:
        """Its element keys."""
        digest = (f"hash:{self.content_hash}",) if self.content_hash else ()
        return (f"url:{self.url}", *digest)


def media_of(record: Record) -> Iterator[Media]:
    """Yield every medium of a record: a product's, or a collection's picture."""
    if isinstance(record, Product):
        yield from record.media
        yield from record.media_add
    elif isinstance(record, Collection) and record.image is not None:
        yield record.image


def origins(*records: Record | None) -> list[Origin]:
    """Return what the media of records are made of, those of their variants too, each once."""
    found: dict[str, Origin] = {}
    for record in records:
        for item in media_of(record) if record is not None else ():
            if item.url and (item.content_hash or item.url not in found):
                found[item.url] = Origin(item.url, item.content_hash)
        for url in _shown(record):
            found.setdefault(url, Origin(url, ""))
    return list(found.values())


def addresses(record: Record) -> Iterator[str]:
    """Yield the addresses by which a record's variants are shown."""
    return _shown(record)


def told(live: R, wanted: Iterable[Origin], ids: Mapping[str, str]) -> R:
    """Return a live record whose media have the sources that are wanted, where they came of them.

    Args:
        live: as the store has it.
        wanted: what the other side of the comparison names.
        ids: the media that came of sources, by element key; the store's own addresses too.
    """
    by_id: dict[str, Origin] = {}
    for origin in wanted:
        if medium := origin.medium(ids):
            by_id.setdefault(medium, origin)
    if not by_id:
        return live
    renamed = {
        item.url: by_id[item.id].url for item in media_of(live) if item.url and item.id in by_id
    }
    fields: dict[str, Any] = {}
    if isinstance(live, Collection) and live.image is not None:
        fields["image"] = _renamed(live.image, by_id)
    elif isinstance(live, Product):
        if "media" in live.given:
            fields["media"] = tuple(_renamed(item, by_id) for item in live.media)
        for url in _shown(live):
            medium = ids.get(f"url:{url}", "")
            if medium in by_id:
                renamed.setdefault(url, by_id[medium].url)
        if renamed and any(variant.media for variant in live.variants):
            fields["variants"] = tuple(
                variant.model_copy(
                    update={"media": tuple(renamed.get(url, url) for url in variant.media)}
                )
                if variant.media
                else variant
                for variant in live.variants
            )
    return live.model_copy(update=fields)


def each_medium(record: Record, change: Callable[[Media], Media]) -> dict[str, Any]:
    """Return a record's media fields with each medium changed."""
    if isinstance(record, Collection):
        return {"image": change(record.image)} if record.image is not None else {}
    names = ("media", "media_add") if isinstance(record, Product) else ()
    return {
        name: tuple(map(change, getattr(record, name))) for name in names if name in record.given
    }


def readdressed(record: R, place: Callable[[str], str]) -> R:
    """Return a record whose media are under the addresses that `place` gives."""
    if all(place(origin.url) == origin.url for origin in origins(record)):
        return record
    fields = each_medium(record, lambda item: item.model_copy(update={"url": place(item.url)}))
    if isinstance(record, Product) and any(variant.media for variant in record.variants):
        fields["variants"] = tuple(
            v.model_copy(update={"media": tuple(map(place, v.media))}) if v.media else v
            for v in record.variants
        )
    return record.model_copy(update=fields)


def _renamed(item: Media, by_id: Mapping[str, Origin]) -> Media:
    origin = by_id.get(item.id)
    if origin is None:
        return item
    digest = {"content_hash": origin.content_hash} if origin.content_hash else {}
    return item.model_copy(update={"url": origin.url, **digest})


def _shown(record: Record | None) -> Iterator[str]:
    if isinstance(record, Product):
        for variant in record.variants:
            yield from variant.media
