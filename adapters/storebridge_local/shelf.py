"""Uploaded pictures: kept by their content in a folder beside the store's file.

A picture gets an address of the store's own, as on a real platform, under a name that can't be
looked up anywhere (RFC 2606): `https://<identity>.local.invalid/<sha256>/shirt.jpg`.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

from storebridge.errors import Rejected
from storebridge.models import Collection, Media, Product, Record
from storebridge.wire import local_file

__all__ = ["Shelf", "Uploads"]

R = TypeVar("R", bound=Record)

_HOST = ".local.invalid"


class Shelf:
    """The pictures of one store."""

    def __init__(self, folder: Path | None) -> None:
        """Name the folder, made for the first picture; None keeps pictures while this lives."""
        self._folder = folder

    @cached_property
    def _passing(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(prefix="storebridge-pictures-")

    @property
    def folder(self) -> Path:
        """Where the pictures are."""
        return self._folder or Path(self._passing.name)

    def keep(self, url: str, identity: str) -> tuple[str, str]:
        """Return the store's address of a picture file, kept from now on, and its SHA-256.

        Raises:
            Rejected: if the file can't be read.
        """
        path = local_file(url)
        try:
            content = path.read_bytes() if path is not None else b""
        except OSError as error:
            raise Rejected(
                f"the picture {url} can't be read: {error.strerror}.",
                fields={"media.url": "unreadable"},
                remedy="Put the file back, or leave the picture out.",
            ) from error
        digest = hashlib.sha256(content).hexdigest()
        name = path.name if path is not None else ""
        place = self.folder / digest / name
        if not place.is_file():
            _write(place, content)
        return f"https://{identity}{_HOST}/{digest}/{quote(name)}", digest

    def file_of(self, url: str) -> Path | None:
        """Return the file of an address that this store gave, None for any other."""
        parts = urlsplit(url)
        if not (parts.hostname or "").endswith(_HOST):
            return None
        steps = unquote(parts.path).strip("/").split("/")
        place = self.folder.joinpath(*steps)
        return place if len(steps) == 2 and ".." not in steps and place.is_file() else None


def _write(place: Path, content: bytes) -> None:
    """Put a file in its place, whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, part = tempfile.mkstemp(dir=place.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.replace(part, place)


class Uploads:
    """The picture files that one transaction takes in."""

    def __init__(self, shelf: Shelf, identity: str) -> None:
        """Keep files on a shelf, under a store's name."""
        self._shelf, self._identity = shelf, identity
        self._kept: dict[str, tuple[str, str]] = {}

    def kept(self, url: str) -> tuple[str, str]:
        """Return the store's address and the SHA-256 of a file; each file is read once."""
        if url not in self._kept:
            self._kept[url] = self._shelf.keep(url, self._identity)
        return self._kept[url]

    def settled(self, record: R) -> R:
        """Return a desired record with the store's addresses instead of files.

        Raises:
            Rejected: if a file can't be read.
        """
        if not any(True for _ in _files(record)):
            return record
        fields: dict[str, Any] = {}
        if isinstance(record, Collection) and record.image is not None:
            fields["image"] = self._medium(record.image)
        if isinstance(record, Product):
            for name in {"media", "media_add"} & record.given:
                fields[name] = tuple(map(self._medium, getattr(record, name)))
            if any(variant.media for variant in record.variants):
                fields["variants"] = tuple(
                    v.model_copy(update={"media": tuple(map(self._address, v.media))})
                    if v.media
                    else v
                    for v in record.variants
                )
        return record.model_copy(update=fields)

    def made(self, desired: Record, stored: Record) -> dict[str, str]:
        """Return which media of a stored record came of which files, by element key.

        A picture that only a variant shows is no medium of the product: its address names it.
        """
        ids = {item.url: item.id for item in _media(stored)}
        found: dict[str, str] = {}
        for url in _files(desired):
            address, digest = self.kept(url)
            medium = ids.get(address, address)
            found |= dict.fromkeys((f"url:{url}", f"url:{address}", f"hash:{digest}"), medium)
        return found

    def _address(self, url: str) -> str:
        return url if local_file(url) is None else self.kept(url)[0]

    def _medium(self, item: Media) -> Media:
        if local_file(item.url) is None:
            return item
        address, digest = self.kept(item.url)
        return item.model_copy(update={"url": address, "content_hash": digest})


def _media(record: Record) -> Iterator[Media]:
    if isinstance(record, Product):
        yield from (*record.media, *record.media_add)
    elif isinstance(record, Collection) and record.image is not None:
        yield record.image


def _files(record: Record) -> Iterator[str]:
    """Yield the addresses of files that a record names."""
    urls = [item.url for item in _media(record)]
    if isinstance(record, Product):
        urls += [url for variant in record.variants for url in variant.media]
    return (url for url in urls if local_file(url) is not None)
