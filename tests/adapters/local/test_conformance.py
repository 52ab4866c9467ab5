"""The local store is the reference of the conformance kit: it passes every test that is for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from storebridge.testing import AdapterConformance, Canaries
from storebridge_local import LocalAdapter, LocalSettings


class TestLocal(AdapterConformance):
    @pytest.fixture(autouse=True)
    def _small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("storebridge_local.records.CHUNK", 3)

    def adapter(self, folder: Path, canaries: Canaries) -> LocalAdapter:
        folder.mkdir(exist_ok=True)
        return LocalAdapter(LocalSettings(path=str(folder / "shop.db")))
