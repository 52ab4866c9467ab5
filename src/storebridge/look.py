"""The picture files of a source: looked at before anything is compared, each once per record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeVar

from storebridge.adapter import Field, MediaLimits
from storebridge.compare import listed, origins
from storebridge.models import Collection, Media, Product, Record
from storebridge.models.checks import Finding
from storebridge.models.text import local_file
from storebridge.parts import declared
from storebridge.pictures import BadPicture, Picture, Pictures, limits_of

__all__ = ["Looked", "in_turn", "look"]

R = TypeVar("R", bound=Record)


class Looked(NamedTuple):
    """A record whose picture files are named by their content too, and what was found."""

    record: Record
    problems: list[Finding]
    """Files that can't be used."""
    unfit: list[str]
    """What the platform is known to refuse about a picture, in words."""


def look(record: Record, pictures: Pictures, limits: MediaLimits) -> Looked:
    """Return a record with the content hashes of its picture files, and what is wrong with them.

    Two media of the same content are one; a variant that shows the second shows the first.
    """
    files = [origin.url for origin in origins(record) if local_file(origin.url) is not None]
    seen: dict[str, Picture] = {}
    problems, unfit = list[Finding](), list[str]()
    for url in files:
        try:
            seen[url] = pictures.ready(url).picture
        except BadPicture as bad:
            problems.append(Finding("media", url, bad.message, bad.remedy))
        else:
            if reason := limits_of(seen[url], limits):
                unfit.append(f"{url.rpartition('/')[2]}: {reason}")
    return Looked(_hashed(record, seen) if seen else record, problems, unfit)


def in_turn(record: Record, fields: Mapping[str, Field]) -> Record:
    """Return a record whose pictures have the places of its list, where a platform can set any.

    A list is an order: that of a cell, of columns, of rows, of the arguments in a script. Where a
    source gives places itself, they count.
    """
    place = declared("media.position", fields)
    if not isinstance(record, Product) or place is None or not place.write:
        return record
    return listed(record)


def _hashed(record: R, seen: dict[str, Picture]) -> R:
    if isinstance(record, Collection):
        image = record.image
        if image is None or image.url not in seen:
            return record
        return record.model_copy(update={"image": _named(image, seen)})
    if not isinstance(record, Product):
        return record
    first: dict[str, str] = {}
    for url, picture in seen.items():
        first.setdefault(picture.digest, url)
    names = {url: first[picture.digest] for url, picture in seen.items()}
    fields: dict[str, object] = {
        name: tuple(_once(getattr(record, name), seen, names))
        for name in ("media", "media_add")
        if name in record.given
    }
    if any(variant.media for variant in record.variants):
        fields["variants"] = tuple(
            v.model_copy(update={"media": tuple(names.get(url, url) for url in v.media)})
            if v.media
            else v
            for v in record.variants
        )
    return record.model_copy(update=fields)


def _once(
    media: tuple[Media, ...], seen: dict[str, Picture], names: dict[str, str]
) -> Iterator[Media]:
    """Yield media with their content hashes, without those of a content that came before."""
    for item in media:
        if names.get(item.url, item.url) == item.url:
            yield _named(item, seen)


def _named(item: Media, seen: dict[str, Picture]) -> Media:
    if item.url not in seen:
        return item
    return item.model_copy(update={"content_hash": seen[item.url].digest})
