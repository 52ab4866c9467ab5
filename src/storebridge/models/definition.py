"""Definitions of metafields: what a shop lets be said of a kind of record beyond its own fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from storebridge.models.base import Record

__all__ = ["MetafieldDefinition"]


class MetafieldDefinition(Record):
    """What the metafields of one name are called, and which values they may have.

    Owner, metafield and type say which one it is, and stay as they are once it is made.
    """

    kind: ClassVar[str] = "metafield_definition"

    name: str = ""
    """What people call the metafields."""
    description: str = ""
    owner: Literal["product", "variant", "collection", "customer", "order"] = "product"
    """The kind of record that has them."""
    metafield: str = ""
    """Their namespace and key, with a dot between ("custom.material")."""
    type: str = ""
    """The type of the values, in the platform's word ("single_line_text_field")."""
    validations: Mapping[str, str] = Field(default_factory=dict)
    """What values have to keep to, in the platform's words ({"max": "20"})."""
    pinned: bool = False
    """Whether the field is shown on the record's page in the admin."""

    def keys(self) -> tuple[str, ...]:
        """External key, and the metafield with its owner ("metafield:product.custom.material")."""
        own = (f"metafield:{self.owner}.{self.metafield}",) if self.metafield else ()
        return (*super().keys(), *own)

    @property
    def label(self) -> str:
        """The metafield, with its owner."""
        return f"{self.owner}.{self.metafield}" if self.metafield else super().label
