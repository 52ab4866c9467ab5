"""The template of an adapter, a third party's starting point, passes the published kit."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from storebridge_template import TemplateAdapter, TemplateSettings
from storebridge_template.sandbox import State, create

from storebridge.testing import AdapterConformance, Canaries


class TestTemplate(AdapterConformance):
    def adapter(self, folder: Path, canaries: Canaries) -> TemplateAdapter:
        token = SecretStr(canaries.secret("token"))
        return TemplateAdapter(TemplateSettings(url="http://127.0.0.1:1", token=token, page_size=2))

    def handler(self, folder: Path) -> State:
        return create(folder / "template.db")
