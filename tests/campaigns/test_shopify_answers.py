"""Answers that are no answers, and answers of a schema that moved on.

Each operation of a run gets each malformed body once: only errors of ours come out, a write is in
doubt and no more, and the same command ends it. New fields and values change nothing; what can't
be read is an error, never a hole.
"""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storebridge.adapter import Query
from storebridge.engine import HandlerTransport
from storebridge.errors import StorebridgeError
from storebridge.flow import Request, Response
from storebridge.models import Media, Product, Record
from tests.campaigns.rig import check
from tests.campaigns.shopify import ShopifyShop, catalogue, docs, operation

_DEEP = b'{"data":' + b"[" * 200_000
#: What comes in the place of an answer, with status 200.
BODIES: dict[str, bytes] = {
    "empty": b"",
    "page": b"<!DOCTYPE html><title>Attention</title>",
    "list": b"[]",
    "null": b"null",
    "text": b'"text"',
    "number": b"12",
    "nothing": b"{}",
    "no data": b'{"data": null}',
    "empty data": b'{"data": {}}',
    "data list": b'{"data": []}',
    "data text": b'{"data": "x"}',
    "errors text": b'{"errors": "text"}',
    "errors null": b'{"errors": [null], "data": null}',
    "errors object": b'{"errors": {"message": 3}, "data": null}',
    "errors of errors": b'{"errors": [{"message": {}, "extensions": []}]}',
    "extensions list": b'{"data": {}, "extensions": []}',
    "cost text": b'{"data": {}, "extensions": {"cost": "x"}}',
    "bad bytes": b'{"data": {"a": "\xff\xfe"}}',
    "half pair": b'{"data": {"a": "\\ud800"}}',
    "NaN": b'{"data": {"a": NaN}}',
    "endless number": b'{"data": {"a": ' + b"9" * 5_000 + b"}}",
    "twice": b'{"data": {}, "data": {}}',
    "deep": _DEEP,
    "cut": b'{"data": {"productSet": {"product": {"id": "gid://shopify/Prod',
}
#: What an answer's root is turned into.
ROOTS: dict[str, Any] = {"root null": None, "root list": [], "root text": "x", "root empty": {}}
SHAPES = (*BODIES, *ROOTS)


class Once:
    """A network before a shop in which one answer to an operation is malformed."""

    def __init__(self, shop: ShopifyShop, name: str, shape: str) -> None:
        self.shop, self.name, self.shape, self.hit = shop, name, shape, False

    def __call__(self, request: Request) -> Response:
        said = self.shop.sandbox(request)
        if operation(request) != self.name or self.hit:
            return said
        self.hit = True
        if self.shape in BODIES:
            return replace(said, body=BODIES[self.shape])
        found = json.loads(said.body)
        found["data"] = dict.fromkeys(found["data"], ROOTS[self.shape])
        return replace(said, body=json.dumps(found).encode())


class Plain:
    """A small plan for a shop, and how it ends undisturbed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rounds = folder, 0
        self.shop = ShopifyShop(folder / "plain")
        self.shop.fill(catalogue(1, 2))
        self.plan = self.shop.plan(_wanted())
        with ShopifyShop(folder / "first", self.shop.sandbox) as first:
            assert first.apply(self._copy(first)).ok
            self.end = docs(first.sandbox)
            sent = [each.request for each in first.history]
        self.reads = sorted({operation(each) for each in sent if not each.kind.mutates})
        self.writes = sorted({operation(each) for each in sent if each.kind.mutates})

    def survives(self, name: str, shape: str) -> None:
        """Apply the plan with one malformed answer, and once more; it ends as it would have."""
        self.rounds += 1
        where = f"{shape} in the place of {name}"
        with ShopifyShop(self.folder / str(self.rounds), self.shop.sandbox) as shop:
            plan, network = self._copy(shop), Once(shop, name, shape)
            with suppress(StorebridgeError):
                shop.apply_by(plan, network)
            assert network.hit, where
            check(shop, plan)
            with suppress(StorebridgeError):
                shop.apply(plan, retry_failed=True)
            report = shop.apply(plan, retry_failed=True)
            assert report.ok, (where, list(map(str, report.items("failed", "unknown", "skipped"))))
            check(shop, plan)
            assert docs(shop.sandbox) == self.end, where
        shutil.rmtree(shop.folder)

    def _copy(self, shop: ShopifyShop) -> Path:
        return Path(shutil.copy(self.plan, shop.folder))


def _wanted() -> list[Record]:
    found = catalogue(2, 4)
    picture = (Media(url="https://cdn.example.com/a.jpg", alt="A"),)
    return [each.but(media=picture) if isinstance(each, Product) else each for each in found]


def survive(folder: Path, share: float) -> int:
    """Let a share of the operations get a share of the shapes; return how many runs that made."""
    plain, chance = Plain(folder), random.Random("answers")
    pairs = [(name, shape) for name in plain.writes for shape in SHAPES]
    pairs += [(name, shape) for name in plain.reads for shape in SHAPES]
    chosen = [("ProductSet", "root null"), *chance.sample(pairs, int(share * len(pairs)))]
    for name, shape in chosen:
        plain.survives(name, shape)
    plain.shop.sandbox.close()
    return len(chosen)


def test_malformed_answers_are_errors_of_ours(tmp_path: Path) -> None:
    assert survive(tmp_path, share=0.005) >= 4


@pytest.mark.soak
def test_each_malformed_answer_to_each_operation(tmp_path: Path) -> None:
    assert survive(tmp_path, share=1.0) > 500


# -- a schema that moved on


class Moved:
    """Reads a shop whose answers are another version's: one place of each is changed."""

    def __init__(self, folder: Path) -> None:
        self.shop = ShopifyShop(folder, page_size=3)
        self.shop.fill(catalogue(3, 4))
        variants = [doc["id"] for doc in self.shop.sandbox.all("ProductVariant")]
        self.shop.sandbox.sell([(variants[0], 2)], email="a@example.com")
        self.change: Any = None
        self.store = self.shop.open(inner=HandlerTransport(self._answer))
        self.plain = {kind: self.read(kind) for kind in KINDS}

    def read(self, kind: str) -> Sequence[Record]:
        """Return the first page of a kind."""
        records = self.store.adapter.records(kind)
        page = self.store.engine.run(records.page(Query(), ""))
        return tuple(page.records)

    def _answer(self, request: Request) -> Response:
        said = self.shop._unmetered(request)
        if self.change is None:
            return said
        found = json.loads(said.body)
        self.change(found["data"])
        return replace(said, body=json.dumps(found).encode())


KINDS = ("collection", "customer", "order", "product")


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each place of a document: what holds it, and its name there."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in list(pairs):
        yield value, key
        if isinstance(each, dict | list):
            yield from _places(each)


def _grown(data: Any, _: random.Random) -> None:
    """Add a field to every object."""
    for holder, key in list(_places(data)):
        if isinstance(holder[key], dict):
            holder[key]["newField"] = {"deep": [1, None]}


def _renamed(data: Any, chance: random.Random) -> None:
    """Give one enum a value that nobody knows."""
    words = [(h, k) for h, k in _places(data) if _is_word(h[k])]
    if words:
        holder, key = chance.choice(words)
        holder[key] = "BRAND_NEW"


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[A-Z_]{4,}", value) is not None


def _broken(data: Any, chance: random.Random) -> None:
    """Make one place null, take it out, or give it another type."""
    holder, key = chance.choice(list(_places(data)))
    value: Any = chance.choice((None, 7, "text", [], {}, True, "missing"))
    if value == "missing" and isinstance(holder, dict):
        del holder[key]
    else:
        holder[key] = value


def drift(folder: Path, rounds: int) -> tuple[int, int]:
    """Change answers by chance; return how many were read, and how many were refused."""
    moved, chance = Moved(folder), random.Random("drift")
    read = refused = 0
    for _ in range(rounds):
        kind = chance.choice(KINDS)
        moved.change = lambda data: _broken(data, chance)
        try:
            moved.read(kind)
            read += 1
        except StorebridgeError:
            refused += 1
    moved.store.close()
    moved.shop.sandbox.close()
    return read, refused


def test_new_fields_change_nothing_and_new_words_are_kept(tmp_path: Path) -> None:
    moved, chance = Moved(tmp_path), random.Random("words")
    for kind in KINDS:
        moved.change = lambda data: _grown(data, chance)
        assert moved.read(kind) == moved.plain[kind]
        moved.change = lambda data: _renamed(data, chance)
        for _ in range(6):
            assert len(moved.read(kind)) == len(moved.plain[kind])
    moved.change = lambda data: [
        holder.update(status="BRAND_NEW") for holder, key in _places(data) if key == "status"
    ]
    assert {each.status for each in moved.read("product")} == {"brand_new"}  # type: ignore[attr-defined]
    moved.store.close()


def test_what_cannot_be_read_is_an_error_of_ours(tmp_path: Path) -> None:
    read, refused = drift(tmp_path, rounds=40)
    assert read
    assert refused > 10


@pytest.mark.soak
def test_what_cannot_be_read_is_an_error_of_ours_twenty_thousand_times(tmp_path: Path) -> None:
    assert sum(drift(tmp_path, rounds=20_000)) == 20_000
