"""Collections: groups of products that are filled by hand, without a tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from storebridge.models import Collection, Seo
from storebridge_template import fields
from storebridge_template.records import TemplateRecords, body

__all__ = ["CollectionRecords"]

_TEXTS = {
    "key": "external_id",
    "handle": "handle",
    "title": "title",
    "description_html": "description_html",
    "position": "position",
}


class CollectionRecords(TemplateRecords[Collection]):
    """Collections of a Template store."""

    model = Collection
    path: ClassVar[str] = "/collections"
    fields = fields.COLLECTION

    def read(self, doc: Mapping[str, Any]) -> Collection:
        """Return the collection that the platform's JSON describes."""
        return Collection(
            id=str(doc["id"]),
            seo=Seo(**doc["seo"]),
            updated_at=doc["updated_at"],
            **{ours: doc[theirs] for ours, theirs in _TEXTS.items()},
        )

    def payload(self, desired: Collection) -> Mapping[str, Any]:
        """Return the platform's JSON for the given fields."""
        payload = body(desired, _TEXTS)
        if "seo" in desired.given:
            payload["seo"] = body(desired.seo, {"title": "title", "description": "description"})
        return payload
