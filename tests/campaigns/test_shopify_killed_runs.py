"""A run against a Shopify shop that is killed anywhere, and run again, ends as if it had not.

The shop is the sandbox in a process of its own, over HTTP; the dying is real. Products with and
without SKUs, variants, stock, pictures and customers lie between one request and the next.
"""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from storebridge.adapter import Adapter
from storebridge.flow import Request
from storebridge.models import Product, Record
from storebridge.testing import Fault, Killed, at
from storebridge_shopify.sandbox import create, settings
from tests.campaigns.rig import check
from tests.campaigns.shopify import LAG, ShopifyShop, adapter, catalogue, docs, orphans
from tests.campaigns.test_killed_runs import DEATHS, Platform, kill_children, posix


class ShopifyPlatform(Platform):
    """The Shopify sandbox as a server, of a shop whose bucket is never empty."""

    module = "storebridge_shopify.sandbox"
    name = "shopify"
    keys = {name: value for name, value in settings().items() if name != "url"}

    def __init__(self, folder: Path, products: int) -> None:
        """Make the shop before it is served."""
        shop = create(folder / "server.db")
        with shop.lock, shop.db:
            shop.set_fact("rate", 1e9)
        shop.close()
        super().__init__(folder, products)

    def create(self, path: Path | None) -> Any:
        """Return the sandbox over a file, or in memory."""
        return create(path)

    def catalogue(self, seed: int, products: int) -> list[Record]:
        """Return records of every shape."""
        return catalogue(seed, products)

    def adapter(self) -> Adapter:
        """Return an adapter of the server."""
        return adapter(url=self.url)

    def docs(self) -> dict[str, Any]:
        """Return what is in the shop."""
        return {**docs(self.sandbox), "orphans": orphans(self.sandbox)}


@posix
def test_children_killed_over_http(tmp_path: Path) -> None:
    kill_children(ShopifyPlatform(tmp_path, products=1), edges=2, moments=0)


@posix
@pytest.mark.soak
def test_children_killed_over_http_for_long(tmp_path: Path) -> None:
    kill_children(ShopifyPlatform(tmp_path, products=20), edges=None, moments=240)


# -- in this process, where searches lag too


def deaths(folder: Path, rounds: int, products: int, *, twice: float) -> int:
    """Let runs die anywhere, some of their resumes too, and go on; return how many died."""
    chance, died = random.Random(f"deaths {rounds}"), 0
    with ShopifyShop(folder / "plain") as plain:
        plain.fill(catalogue(1, products))
        fresh = plain.plan(catalogue(2, 2 * products), "fresh.plan")
        with ShopifyShop(folder / "first", plain.sandbox) as first:
            assert first.apply(Path(shutil.copy(fresh, first.folder))).ok
            writes = [e.number for e in first.history if e.request.kind.mutates]
            end = first.docs()
        for number in range(rounds):
            with ShopifyShop(folder / str(number), plain.sandbox, LAG) as shop:
                plan = Path(shutil.copy(fresh, shop.folder))
                for _ in range(1 + (chance.random() < twice)):
                    place, death = chance.choice(writes), chance.choice(DEATHS)
                    with suppress(Killed):
                        shop.apply(plan, at({place: death}))
                        died -= 1
                    died += 1
                    check(shop, plan)
                report = shop.apply(plan)
                assert report.ok, list(report.items("failed", "skipped", "unknown"))
                assert shop.docs() == end, number
            shutil.rmtree(folder / str(number))
    return died


def test_killed_between_sent_and_told(tmp_path: Path) -> None:
    assert deaths(tmp_path, rounds=2, products=2, twice=0.5) >= 2


@pytest.mark.soak
def test_killed_between_sent_and_told_for_long(tmp_path: Path) -> None:
    assert deaths(tmp_path, rounds=300, products=8, twice=0.4) > 300


def test_killed_after_pictures_were_sent(tmp_path: Path) -> None:
    """The new pictures are there under names of their own: found again, not made again."""

    def death(_number: int, request: Request) -> Fault | None:
        body = request.body if isinstance(request.body, bytes) else b""
        return Fault.KILLED_AFTER if b"ProductSetMedia(" in body else None

    with ShopifyShop(tmp_path) as shop:
        source = [each for each in catalogue(1, 6) if each.kind == "product"][5:6]
        plan = shop.plan([each.without("collections") for each in source])
        with suppress(Killed):
            shop.apply(plan, death)
        assert shop.sandbox.count("MediaImage") == 2
        assert shop.apply(plan).ok
        assert shop.sandbox.count("MediaImage") == 2
        assert check(shop, plan)["applied"]


def test_killed_between_two_calls_for_tags(tmp_path: Path) -> None:
    """What was taken out already is no conflict: the run goes on where it died."""

    def death(_number: int, request: Request) -> Fault | None:
        body = request.body if isinstance(request.body, bytes) else b""
        return Fault.KILLED_AFTER if b"TagsRemove(" in body else None

    with ShopifyShop(tmp_path) as shop:
        shop.fill([Product(handle="tee", title="Tee", tags=("a", "b"))])
        plan = shop.plan([Product(handle="tee", tags=("a", "c"))])
        with suppress(Killed):
            shop.apply(plan, death)
        assert shop.apply(plan).ok
        [live] = [record for record in shop.live().values() if isinstance(record, Product)]
        assert live.tags == ("a", "c")
