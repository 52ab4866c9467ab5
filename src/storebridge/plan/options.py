"""What a plan may do and what it leaves alone; the same words as on the command line.

Every option can be given as a plain text, so that a job file says `absent = "archive"` or
`max-deletes = "20"` as somebody types it: `PlanOptions.of` takes such words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, get_args, get_type_hints

from storebridge.errors import ConfigError, UsageError
from storebridge.formats.base import check_given
from storebridge.models import Record
from storebridge.models.text import words_in
from storebridge.plan.guards import Guards
from storebridge.plan.ways import WayChoice

if TYPE_CHECKING:
    from storebridge.formats.mapping import TableMapping
    from storebridge.formats.sheet_fields import Fields

__all__ = [
    "Absent",
    "AbsentVariants",
    "Create",
    "OnConflict",
    "PictureKind",
    "PlanOptions",
    "Task",
    "Transform",
]

Absent = Literal["keep", "zero-stock", "draft", "archive", "delete"]
AbsentVariants = Literal["keep", "zero-stock", "delete"]
Create = Literal["draft", "active", "no"]
OnConflict = Literal["refuse", "overwrite", "replan"]
PictureKind = Literal["keep", "jpeg", "png", "webp", "avif"]

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
    """Only records that this expression matches: the store's as they are, new ones as they are
    wanted. The scope of `absent` and of the guards."""
    fields: tuple[str, ...] = ()
    """Only these fields of products are managed, by the names of the sheet's columns ("price",
    "seo.title", "title[de]"); all that are given without one. The source creates and deletes
    nothing then, no variant either: some fields make no whole product. Such records are listed as
    skipped. What `absent` and `absent_variants` ask for is done all the same."""
    create: Create = "draft"
    """The status of created products that give none; "no" leaves out what the store lacks."""
    absent: Absent = "keep"
    """What happens to products of the store that the source lacks; needs a `where`."""
    absent_variants: AbsentVariants = "keep"
    """What happens to variants that the store's product has and the source's lacks; needs a
    `where`. A record without variants, or with nothing but variants (a feed's), says nothing."""
    stock: bool = False
    """Whether quantities of existing variants are set; new ones always get theirs."""
    as_of: str = ""
    """The time that the source's quantities are of (2026-05-31T06:00Z), or "file" for the time of
    its last change: the plan warns of what was sold since. Needs `stock`."""
    location: str = ""
    """Where quantities without a location belong, in a store with more than one; and what the
    source's locations are called in the store: "Shop=Default, Depot=Default"."""
    match: Literal["key", "id"] = "key"
    """"id": the ids of a source without a store identity count too."""
    allow_rename: bool = False
    """Whether a match by SKU alone may give a product another handle."""
    strict: bool = False
    """Whether anything that the store can't hold refuses the plan."""
    pictures_max: int = 0
    """The longest side of a picture file in pixels; a larger one is made smaller. 0: any."""
    pictures_as: PictureKind = "keep"
    """The kind of picture that files are made into."""
    guards: Guards = field(default_factory=Guards)
    """What a plan may do at most; a breach plans nothing."""
    way: WayChoice = "auto"
    """How changes are made where the platform has jobs: by requests of their own ("direct"), as
    lines of jobs ("bulk"), or, with "auto", as is cheaper for each kind and part."""
    mapping: str | Path = ""
    """The file that says how a supplier's table becomes products (`storebridge.formats.mapping`);
    without it, the source is of a format that is known."""
    context: Mapping[str, Any] = field(default_factory=dict)
    """What a file leaves open, by the names of `storebridge.formats.Context`."""

    def __post_init__(self) -> None:
        """Understand texts, and ask for what belongs together.

        Raises:
            UsageError: for a word that an option doesn't have.
            ConfigError: if `absent` or `absent_variants` has no scope.
        """
        object.__setattr__(self, "fields", words_in(self.fields))
        for name, words in _CHOICES.items():
            _check(name, getattr(self, name), words)
        for name in _SWITCHES:
            object.__setattr__(self, name, _switch(name, getattr(self, name)))
        object.__setattr__(self, "pictures_max", _pixels(self.pictures_max))
        check_given(self.context)
        if self.as_of and not self.stock:
            raise UsageError("--as-of says how old quantities are, and only --stock sets them")
        for name in ("absent", "absent_variants"):
            chosen = getattr(self, name)
            if chosen != "keep" and not self.where:
                raise ConfigError(
                    f"{_option(name)} {chosen} needs a scope: say with --where which records of "
                    "the store may be touched because the source lacks them"
                )

    @classmethod
    def of(cls, **words: Any) -> Self:
        """Return options of the words that a command line or a job file has, guards among them.

        Args:
            **words: the fields of `PlanOptions` and of `Guards`, with "-" or "_", each as its value
                or as a text ("true", "20", "seo.title,price").

        Raises:
            UsageError: for a word that there isn't, with the nearest; or for a value that means
                nothing.
            ConfigError: if `absent` or `absent_variants` has no scope.
        """
        given = {name.replace("-", "_"): value for name, value in words.items()}
        own = {f.name for f in fields(cls)}
        limits = {f.name for f in fields(Guards)}
        for name in given.keys() - own - limits:
            near = get_close_matches(name, sorted(own | limits), n=1)
            hint = f"; {near[0]} is close" if near else ""
            raise UsageError(f"a plan has no option {name!r}{hint}")
        if guards := {name: given.pop(name) for name in given.keys() & limits}:
            base = given.get("guards", Guards())
            known = {f.name: getattr(base, f.name) for f in fields(Guards)}
            given["guards"] = Guards(**{**known, **guards})
        return cls(**given)

    @property
    def chosen(self) -> Fields | None:
        """The choice of fields, None for all of them.

        Raises:
            ConfigError: for a word that is no field; the nearest one is offered.
        """
        from storebridge.formats.sheet_fields import Fields

        return Fields(self.fields) if self.fields else None

    @property
    def table(self) -> TableMapping | None:
        """The mapping, read from its file; None without one.

        Raises:
            SourceError: for everything that is wrong with it.
        """
        from storebridge.formats.mapping import TableMapping

        return TableMapping.load(self.mapping) if str(self.mapping) else None

    def as_dict(self) -> dict[str, Any]:
        """Return the options as plain values, as the plan keeps them; it has guards of its own."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "guards"}
        return values | {
            "fields": list(self.fields),
            "mapping": str(self.mapping) and Path(self.mapping).name,
            "context": {k: v for k, v in self.context.items() if isinstance(v, str | int | dict)},
        }


#: The options that are one of some words, and those that are on or off.
_HINTS = get_type_hints(PlanOptions)
_CHOICES = {
    name: words
    for name, hint in _HINTS.items()
    if (words := get_args(hint)) and all(isinstance(word, str) for word in words)
}
_SWITCHES = tuple(name for name, hint in _HINTS.items() if hint is bool)
_ON_OFF = {"true": True, "yes": True, "false": False, "no": False}


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _check(name: str, word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        raise UsageError(f"{_option(name)} {word!r} is none of: {', '.join(words)}")


def _pixels(given: int | str) -> int:
    if not str(given).isdecimal():
        raise UsageError(f"--pictures-max {given!r} is no number of pixels. Write it like 2048")
    return int(given)


def _switch(name: str, value: bool | str) -> bool:
    found = value if isinstance(value, bool) else _ON_OFF.get(value.strip().casefold())
    if found is None:
        raise UsageError(f"{_option(name)} {value!r} is no answer. Write true or false")
    return found
