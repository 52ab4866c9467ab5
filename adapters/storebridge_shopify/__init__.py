"""The adapter for Shopify: its Admin GraphQL API, and a sandbox of it.

storebridge.open("shopify://name.myshopify.com", token="shpat_…")
"""

from __future__ import annotations

from storebridge_shopify.adapter import ShopifyAdapter, ShopifySettings, from_session
from storebridge_shopify.webhooks import verify

__all__ = ["ShopifyAdapter", "ShopifySettings", "from_session", "verify"]
