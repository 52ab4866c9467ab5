"""A run against a WooCommerce shop that is killed anywhere, and run again, ends as if it had not.

The shop is the sandbox in a process of its own, over HTTP; the dying is real. Products with and
without SKUs, variations and pictures lie between one request and the next.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from storebridge.adapter import Adapter
from storebridge.models import Record
from storebridge_woocommerce.sandbox import create, settings
from tests.campaigns.test_killed_runs import Platform, kill_children, posix
from tests.campaigns.woocommerce import adapter, catalogue, docs


class WooPlatform(Platform):
    """The WooCommerce sandbox as a server."""

    module = "storebridge_woocommerce.sandbox"
    name = "woocommerce"
    keys = {name: value for name, value in settings().items() if name != "url"}

    def create(self, path: Path | None) -> Any:
        """Return the sandbox over a file, or in memory."""
        return create(path)

    def catalogue(self, seed: int, products: int) -> list[Record]:
        """Return products of every shape."""
        return catalogue(seed, products)

    def adapter(self) -> Adapter:
        """Return an adapter of the server."""
        return adapter(url=self.url)

    def docs(self) -> dict[str, Any]:
        """Return what is in the shop."""
        return docs(self.sandbox)


@posix
def test_children_killed_over_http(tmp_path: Path) -> None:
    kill_children(WooPlatform(tmp_path, products=4), edges=4, moments=2)


@posix
@pytest.mark.soak
def test_children_killed_over_http_for_long(tmp_path: Path) -> None:
    kill_children(WooPlatform(tmp_path, products=30), edges=None, moments=240)
