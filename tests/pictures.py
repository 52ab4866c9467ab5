"""Pictures that tests make themselves, and a platform that keeps copies of them."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from storebridge.adapter import Batch, MediaLimits, Records
from storebridge.errors import NotSupported
from storebridge.flow import Flow, Outcome, Report, Status, report
from storebridge.models import Media, Product
from storebridge_local import LocalAdapter, LocalSettings
from storebridge_local.products import ProductRecords


def png(width: int = 3, height: int = 2, red: int = 200) -> bytes:
    """A whole PNG of one colour."""
    rows = b"".join(b"\0" + bytes((red, 0, 0)) * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


class CopyingRecords(ProductRecords):
    """Products of a platform that copies every picture, and shows no content hash of it."""

    copies_media = True
    media_limits = MediaLimits(pixels=100, kinds=frozenset({"png", "jpeg", "webp"}), source="docs")

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.uploads: list[str] = []
        self.rename = "{name}"
        self.fails_with: dict[str, str] = {}
        """The media of a write that fails after its uploads."""
        self.sent: list[Product] = []

    def write(self, batch: Batch[Product]) -> Flow[None]:
        self.sent += [change.desired for change in batch.changes]
        if self.fails_with:
            failed = (
                Outcome(change=c.id, status=Status.FAILED, cause="rejected", media=self.fails_with)
                for c in batch.changes
            )
            yield from report(tuple(failed))
            return
        sources: dict[str, str] = {}
        changes = tuple(replace(c, desired=self._copied(c.desired, sources)) for c in batch.changes)
        asked = {change.id: change.desired for change in batch.changes}
        flow = super().write(replace(batch, changes=changes))
        answer: Any = None
        while True:
            try:
                instruction = flow.send(answer)
            except StopIteration:
                return
            if isinstance(instruction, Report):
                told = (self._told(one, asked[one.change], sources) for one in instruction.outcomes)
                instruction = Report(tuple(told))
            answer = yield instruction

    def _copied(self, desired: Product, sources: dict[str, str]) -> Product:
        def copy(item: Media) -> Media:
            if item.id or not item.url:
                return item.without("url", "content_hash")
            self.uploads.append(item.url)
            sources[item.url] = self._address(item.url)
            return Media(url=sources[item.url], alt=item.alt)

        fields: dict[str, Any] = {}
        if "media" in desired.given:
            fields["media"] = tuple(map(copy, desired.media))
        if any(variant.media for variant in desired.variants):
            fields["variants"] = tuple(
                v.model_copy(update={"media": tuple(map(self._address, v.media))})
                for v in desired.variants
            )
        return desired.model_copy(update=fields)

    def _address(self, url: str) -> str:
        stem, _, suffix = url.rpartition("/")[2].rpartition(".")
        name = self.rename.format(name=stem, hash=hashlib.sha256(url.encode()).hexdigest()[:8])
        return f"https://shop.example/files/{name}.{suffix}"

    def _told(self, one: Outcome, desired: Product, sources: Mapping[str, str]) -> Outcome:
        if one.record is None or not isinstance(one.record, Product):
            return one
        ids = {item.url: item.id for item in one.record.media}
        made = {
            key: ids[sources[item.url]]
            for item in desired.media
            if sources.get(item.url) in ids
            for key in item.element_keys()
        }
        for url in (url for variant in desired.variants for url in variant.media):
            made |= {f"url:{url}": "shown", f"url:{self._address(url)}": "shown"}
        return replace(one, media=made)


class CopyingAdapter(LocalAdapter):
    """The local store with such products; `shares` lets one medium serve several of them."""

    def __init__(self, path: Path, *, shares: bool = False) -> None:
        super().__init__(LocalSettings(path=str(path)))
        self.products = CopyingRecords(self._database)
        self.products.shares_media = shares

    def kinds(self) -> Mapping[str, Records[Any] | NotSupported]:
        return {**super().kinds(), "product": self.products}
