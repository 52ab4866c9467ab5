"""Answers that are no answers.

Each operation of a run gets each malformed body once: only errors of ours come out, a write is in
doubt and no more, and the same command ends it. Answers of a schema that moved on are in
`test_shopify_drift`.
"""

from __future__ import annotations

import json
import random
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

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
                shop.apply(plan, network=network)
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
