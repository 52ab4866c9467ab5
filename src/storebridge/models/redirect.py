"""Redirects: where an address that is no more leads to."""

from __future__ import annotations

from typing import ClassVar

from storebridge.models.base import Record

__all__ = ["Redirect"]


class Redirect(Record):
    """An old address of a shop, and where whoever asks for it is sent."""

    kind: ClassVar[str] = "redirect"

    path: str = ""
    """The old address without the shop's domain ("/old-shop/tee.html")."""
    target: str = ""
    """The new one: a path of the shop, or a whole address elsewhere."""

    def keys(self) -> tuple[str, ...]:
        """External key and path."""
        return (*super().keys(), *((f"path:{self.path}",) if self.path else ()))

    @property
    def label(self) -> str:
        """The path."""
        return self.path or super().label
