"""What a plan may do and what it leaves alone; the same words as on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol

from storebridge.errors import ConfigError
from storebridge.models import Record

__all__ = ["Absent", "OnConflict", "PlanOptions", "Task", "Transform"]

Absent = Literal["keep", "zero-stock", "draft", "archive", "delete"]
OnConflict = Literal["refuse", "overwrite", "replan"]

#: A plain transform of products: the desired one and the live one (or None) in, the desired one
#: out. Where a store is its own source, what comes in has nothing but its name.
Transform = Callable[[Any, Any], Record]


class Task(Protocol):
    """A transform of desired records that looks at the whole source, or says why."""

    kinds: frozenset[str]
    """The kinds of record that it transforms."""
    needs: frozenset[str]
    """The fields of the live record that it reads; they join the conflict check."""

    def transform(self, desired: Any, live: Any) -> tuple[Record, tuple[str, ...]]:
        """Return the record as it should be, and the reasons in a person's words."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """How a plan is made."""

    where: str = ""
    """Only records that this expression matches; the scope of `absent`."""
    absent: Absent = "keep"
    """What happens to records of the store that the source lacks; needs a `where`."""
    stock: bool = False
    """Whether quantities of existing variants are set; new ones always get theirs."""
    location: str = ""
    """Where quantities without a location belong, in a store with more than one."""
    match_id: bool = False
    """Whether the ids of a source without a store identity count."""
    allow_rename: bool = False
    """Whether a match by SKU alone may give a product another handle."""
    strict: bool = False
    """Whether anything that the store can't hold refuses the plan."""
    status: str = "draft"
    """The status of created records that give none."""
    context: Mapping[str, Any] = field(default_factory=dict)
    """What a file leaves open, by the names of `storebridge.formats.Context`."""

    def __post_init__(self) -> None:
        if self.absent != "keep" and not self.where:
            raise ConfigError(
                f"absent={self.absent!r} needs a scope: say with --where which records of the "
                "store may be touched because the source lacks them"
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the options as plain values, as the plan keeps them."""
        return {f.name: getattr(self, f.name) for f in fields(self)} | {
            "context": {k: v for k, v in self.context.items() if isinstance(v, str | int | dict)}
        }
