"""`edit`: products changed without a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Group, Parameter

from storebridge.cli.apply import reviewed
from storebridge.cli.common import Live, Output, StateDir, StoreText, UsageError, Wait, Yes
from storebridge.cli.output import progress
from storebridge.cli.plan import next_steps, summary
from storebridge.store import open
from storebridge.tasks.listing import Replacement

__all__ = ["What", "edit"]

_WORDS = {"read": "Reading the store", "compare": "Comparing"}


@Parameter(name="*", group=Group("What to change", sort_key=1))
@dataclass(frozen=True, kw_only=True)
class What:
    """Which products, and what of them."""

    where: Annotated[
        str,
        Parameter(
            help="Which products, like \"vendor = 'Acme' and tags has 'sale'\"; a test of variants "
            "(price > 20) chooses among them too."
        ),
    ] = ""
    all: Annotated[bool, Parameter(help="All products, instead of --where.", negative=())] = False
    set: Annotated[
        list[str] | None,
        Parameter(
            help="FIELD=VALUE, like status=draft, 'price[CH]=25', tags+=archive, tags-=old or "
            "'seo.title={title} | {vendor}'; may be repeated.",
            negative=(),
        ),
    ] = None
    clear: Annotated[
        list[str] | None, Parameter(help="A field to empty; may be repeated.", negative=())
    ] = None
    replace: Annotated[
        list[tuple[str, str, str]] | None,
        Parameter(
            help="FIELD FIND NEW: find whole words in a text, and put others there; in HTML, only "
            "in the text. May be repeated.",
            negative=(),
            allow_leading_hyphen=True,
            metavar="FIELD FIND NEW",
        ),
    ] = None
    regex: Annotated[
        bool, Parameter(help="FIND is a regular expression; \\1 in NEW.", negative=())
    ] = False
    ignore_case: Annotated[bool, Parameter(help="Find in upper and lower case.", negative=())] = (
        False
    )
    within_words: Annotated[bool, Parameter(help="Find parts of words too.", negative=())] = False

    def asked(self) -> dict[str, Any]:
        """Return what was asked for, by the names of `Store.edit`."""
        how = (self.regex, self.ignore_case, self.within_words)
        return {
            "where": self.where,
            "all": self.all,
            "set": _given(self.set or []),
            "clear": self.clear or (),
            "replace": [Replacement(*each, *how) for each in self.replace or []],
        }


@Parameter(name="*", group=Group("What the plan may do", sort_key=2))
@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an edit may do; the words are those of `storebridge.plan.PlanOptions`."""

    location: Annotated[str, Parameter(help="Where quantities without a location belong.")] = ""
    strict: Annotated[
        bool, Parameter(help="Refuse the plan if the store can't hold something.", negative=())
    ] = False
    max_changed: Annotated[str, Parameter(help="The largest share updated, like 30%.")] = ""
    max_emptied: Annotated[
        str, Parameter(help="The largest share archived, drafted or left without stock.")
    ] = "20%"
    max_price_move: Annotated[
        str, Parameter(help="The furthest that a price goes up or down, like 50%.")
    ] = ""


def edit(
    store: StoreText,
    /,
    *,
    what: What | None = None,
    limits: Limits | None = None,
    output: Output = None,
    plan_only: Annotated[bool, Parameter(help="Plan, and change nothing.", negative=())] = False,
    yes: Yes = False,
    wait: Wait = 0.0,
    live: Live = "",
    state: StateDir = None,
) -> int:
    """Change products without a file: plan, ask and apply; the plan is kept, for an undo."""
    asked = (what or What()).asked() | vars(limits or Limits())
    with open(store, state=state) as opened:
        with progress() as tick:
            made = opened.edit(
                output=output,
                on_progress=lambda stage, count: tick(_WORDS.get(stage, stage), count, 0),
                **asked,
            )
        with made:
            if not plan_only:
                return reviewed(made, opened, yes, wait, live, state)
            summary(made)
            next_steps(made, state)
            return 0


def _given(texts: list[str]) -> Mapping[str, str]:
    """Return values by field; a field may not be set twice."""
    given: dict[str, str] = {}
    for text in texts:
        field, sign, value = text.partition("=")
        if not sign or not field.strip():
            raise UsageError(
                f"--set {text!r} has no field and '='. Write it like --set FIELD=VALUE."
            )
        if field in given:
            raise UsageError(f"--set {field!r} is there twice. Give it once, lists with commas.")
        given[field] = value
    return given
