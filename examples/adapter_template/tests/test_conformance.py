from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from storebridge_template import TemplateAdapter, TemplateSettings
from storebridge_template.sandbox import create

from storebridge.testing import AdapterConformance, Canaries, Handler


class TestTemplate(AdapterConformance):
    def adapter(self, folder: Path, canaries: Canaries) -> TemplateAdapter:
        token = SecretStr(canaries.secret("token"))
        settings = TemplateSettings(url="http://127.0.0.1:1", token=token, page_size=2)
        return TemplateAdapter(settings)

    def handler(self, folder: Path) -> Handler:
        return create(folder / "template.db")
