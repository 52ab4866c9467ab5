"""Reviews of products by the people who bought them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar

from storebridge.models.base import ListSpec, Model, Record
from storebridge.models.text import Time

__all__ = ["Reply", "Review"]


class Reply(Model):
    """What somebody, mostly the shop, answered to a review."""

    id: str = ""
    author: str = ""
    body: str = ""
    created_at: Time | None = None

    def element_keys(self) -> tuple[str, ...]:
        """A reply is named by its id, else by what it says."""
        return (f"id:{self.id}",) if self.id else (f"body:{self.body}",)


class Review(Record):
    """What a person says about a product, and whether the shop shows it."""

    kind: ClassVar[str] = "review"
    lists: ClassVar[Mapping[str, ListSpec]] = {
        "replies": ListSpec("merge", Reply.element_keys),
    }
    references: ClassVar[Mapping[str, tuple[str, str]]] = {"product": ("product", "")}

    product: str = ""
    """The key of the product ("handle:tee")."""
    rating: Decimal | None = None
    """From 1 to 5."""
    title: str = ""
    body: str = ""
    """The text, with the tags that a platform lets people use."""
    author: str = ""
    email: str = ""
    status: str = ""
    """"approved", "pending", "spam", "trash", or a platform's own word."""
    verified: bool = False
    """Whether its author bought the product in this shop."""
    replies: tuple[Reply, ...] = ()
    created_at: Time | None = None
    updated_at: Time | None = None

    def keys(self) -> tuple[str, ...]:
        """External key, and a digest of who says what about which product.

        No platform gives reviews a name, and most refuse the same words of the same person. The
        digest spreads neither, and is the same for "A & B" and "A &amp; B".
        """
        if not (self.product and self.body):
            return super().keys()
        from hashlib import sha256
        from html import unescape

        words = " ".join(unescape(self.body).split())
        said = f"{(self.email or self.author).casefold()}\n{words}".encode()
        return (*super().keys(), f"text:{self.product}#{sha256(said).hexdigest()[:20]}")

    @property
    def label(self) -> str:
        """The platform id or the external key: a label must not spread a person's words."""
        return self.id or self.key or f"review of {self.product.partition(':')[2]}"
