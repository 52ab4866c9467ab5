"""Search engine texts: WooCommerce has none, the plugins Yoast and Rank Math keep them as metadata.

Source: recorded exchange, multilingual, SEO and redirects: their keys can be written and read
through `meta_data`; they only do something where the plugin is active.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from storebridge.models import Seo

__all__ = ["KEYS", "payload", "seo_of"]

#: The metadata keys of title and description, by plugin.
KEYS: Mapping[str, tuple[str, str]] = {
    "yoast": ("_yoast_wpseo_title", "_yoast_wpseo_metadesc"),
    "rank_math": ("rank_math_title", "rank_math_description"),
}


def seo_of(meta: Sequence[Mapping[str, Any]], plugin: str) -> Seo:
    """Return the texts that a product's metadata has for a plugin."""
    title, description = KEYS[plugin]
    found = {each["key"]: each["value"] for each in meta if each["key"] in KEYS[plugin]}
    return Seo(title=str(found.get(title, "")), description=str(found.get(description, "")))


def payload(seo: Seo, plugin: str) -> list[dict[str, Any]]:
    """Return the metadata that sets the given texts; an empty one is kept as empty."""
    keys = dict(zip(("title", "description"), KEYS[plugin], strict=True))
    return [{"key": keys[name], "value": getattr(seo, name)} for name in keys if name in seo.given]
