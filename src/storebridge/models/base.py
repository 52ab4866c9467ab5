"""What every model shares: frozen, strict about names, and aware of which fields were given.

A field that was not given is not managed. `given` is the truth about that, and equality,
copies, JSON and pickles keep it. No I/O happens in this package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "KEYS",
    "ListMode",
    "ListSpec",
    "Model",
    "PlatformFields",
    "Record",
    "Ref",
    "with_article",
]

#: How keys begin by which records refer to others of several kinds of key.
KEYS = ("handle:", "sku:", "id:", "key:")

ListMode = Literal["merge", "replace"]

#: Values for one platform only, by platform name; never a field that the model itself has.
PlatformFields = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ListSpec:
    """How a list field is compared: its default mode and, for merging, what names an element.

    `keys` gives the names of one element in order of trust ("id:7", "sku:A-1"); the first name
    that two elements share makes them the same element. Lists without `keys` hold plain values.
    """

    mode: ListMode
    keys: Callable[[Any], tuple[str, ...]] | None = None


class Model(BaseModel):
    """A frozen value that knows which of its fields were given."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        serialize_by_alias=True,
        hide_input_in_errors=True,
        validate_default=False,
        ser_json_inf_nan="strings",
        arbitrary_types_allowed=False,
    )

    #: The list fields that merge or replace; a list that is not named here replaces.
    lists: ClassVar[Mapping[str, ListSpec]] = {}
    #: Whether it changes as a whole (a weight), or field by field (a variant).
    atomic: ClassVar[bool] = True

    @property
    def given(self) -> frozenset[str]:
        """The names of the fields that were given, and so are managed."""
        return frozenset(self.__pydantic_fields_set__)

    def __eq__(self, other: object) -> bool:
        """Compare type, given fields and their values; defaults that nobody gave don't count."""
        if self is other:
            return True
        if not isinstance(other, Model) or type(self) is not type(other):
            return NotImplemented
        if self.model_fields_set != other.model_fields_set:
            return False
        mine, theirs = self.__dict__, other.__dict__
        return all(mine[name] == theirs[name] for name in self.model_fields_set)

    def __hash__(self) -> int:
        return hash((type(self), frozenset(self.model_fields_set)))

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        return (
            (name, getattr(self, name)) for name in type(self).model_fields if name in self.given
        )

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """Return the given fields as a dict; pass `exclude_unset=False` for the defaults too."""
        options.setdefault("exclude_unset", True)
        return super().model_dump(**options)

    def model_dump_json(self, **options: Any) -> str:
        """Return the given fields as JSON; reading it back gives an equal model."""
        options.setdefault("exclude_unset", True)
        return super().model_dump_json(**options)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy; fields of `update` are given in it, and not validated."""
        if deep:
            return super().model_copy(update=update, deep=True)
        # pydantic's own copies every value's container first, which frozen models don't need.
        copy = type(self).__new__(type(self))
        fields = update or {}
        object.__setattr__(copy, "__dict__", {**self.__dict__, **fields})
        object.__setattr__(copy, "__pydantic_fields_set__", self.model_fields_set | set(fields))
        object.__setattr__(copy, "__pydantic_extra__", None)
        private = self.__pydantic_private__
        object.__setattr__(copy, "__pydantic_private__", dict(private) if private else private)
        return copy

    def but(self, **changes: Any) -> Self:
        """Return a copy with these fields given anew, validated like any other input."""
        fields = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**{**fields, **changes})

    def without(self, *names: str) -> Self:
        """Return a copy in which these fields are not given."""
        # pydantic's model_construct would work out every default again, not only these.
        gone, copy = self.model_fields_set.intersection(names), self.model_copy()
        for name in gone:
            field = type(self).model_fields[name]
            copy.__dict__[name] = field.get_default(call_default_factory=True)
        object.__setattr__(copy, "__pydantic_fields_set__", self.model_fields_set - gone)
        return copy


class Ref(Model):
    """Names one record: by its platform id within one store, or by a key until it is sent.

    `id` counts only for the store it came from (`store` is that store's identity). `key` is
    "handle:…", "sku:…", "key:…" or another of the record's key kinds.
    """

    kind: str
    store: str = ""
    id: str = ""
    key: str = ""


class Record(Model):
    """A thing that a store keeps one by one and that plans are made of."""

    #: The word for this kind of record in plans, JSONL files and on the command line.
    kind: ClassVar[str] = ""
    atomic: ClassVar[bool] = False
    #: The fields whose values name other records, with the kind they name and what to put before
    #: a value to get a key ("handle:"; "" where the values are keys already).
    references: ClassVar[Mapping[str, tuple[str, str]]] = {}

    id: str = ""
    """The platform's id; it counts only for the store it came from."""
    key: str = ""
    """The user's own name for the record in other systems (an ERP number, say)."""
    platform_fields: PlatformFields = Field(default_factory=dict)

    @property
    def raw(self) -> Mapping[str, Any] | None:
        """The platform's own record, where it was asked for; never in a plan or a journal."""
        return (self.__pydantic_private__ or {}).get("raw")

    def with_raw(self, raw: Mapping[str, Any]) -> Self:
        """Return a copy that carries the platform's own record."""
        copy = self.model_copy()
        # A declared private attribute would cost each new record of any kind two more calls.
        object.__setattr__(copy, "__pydantic_private__", {"raw": raw})
        return copy

    def keys(self) -> tuple[str, ...]:
        """The names by which this record can be found, apart from its id ("handle:tee")."""
        return (f"key:{self.key}",) if self.key else ()

    @property
    def label(self) -> str:
        """What a person calls this record, for plans and messages."""
        keys = self.keys()
        return keys[0].partition(":")[2] if keys else self.id


def with_article(kind: str) -> str:
    """Return a kind of record as a sentence names one: "a product", "an order"."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
