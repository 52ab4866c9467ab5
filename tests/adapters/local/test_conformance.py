"""The local store is the reference of the conformance kit: it passes every test that is for it."""

from __future__ import annotations

from storebridge.testing import AdapterConformance
from storebridge_local import LocalAdapter, LocalSettings


class TestLocal(AdapterConformance):
    def adapter(self, folder, canaries):
        return LocalAdapter(LocalSettings(path=str(folder / "shop.db")))
