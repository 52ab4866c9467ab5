"""What several commands share: their options, opening stores, asking people."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter, validators

from storebridge import config
from storebridge.cli.output import is_terminal, say
from storebridge.errors import Refused, UsageError
from storebridge.plan import Absent, AbsentVariants, Create, PictureKind, Plan, WayChoice
from storebridge.store import Store, open

__all__ = [
    "Json",
    "Live",
    "Output",
    "PlanPath",
    "Planned",
    "Planning",
    "Reading",
    "SideBySide",
    "Source",
    "StateDir",
    "StoreText",
    "StoreTexts",
    "UsageError",
    "Wait",
    "Yes",
    "agreed",
    "check_live",
    "confirm_live",
    "store_of",
]

StateDir = Annotated[
    Path | None,
    Parameter(
        name="--state",
        help="The folder of what is remembered per store; by default storebridge/state in your "
        "own data folder (~/.local/share, ~/Library/Application Support, %LOCALAPPDATA%).",
    ),
]
StoreText = Annotated[str, Parameter(help="The store: a name, or a URL like local:shop.db.")]
StoreTexts = Annotated[
    list[str] | None,
    Parameter(
        help="The store: a name, a URL like local:shop.db, or a tag (@eu, @all); may be repeated. "
        "A tag, or several stores, make a folder with a plan for each.",
        negative=(),
    ),
]
Source = Annotated[
    str,
    Parameter(
        help="A file, 'feeds/*.csv' (the newest), - (piped in), an https address, another store's "
        "name or URL, or a job file (.toml).",
        allow_leading_hyphen=True,
    ),
]
PlanPath = Annotated[Path, Parameter(help="The plan's file, or a folder of plans.")]
Output = Annotated[
    Path | None,
    Parameter(
        name=["-o", "--output"],
        help="Where the plan goes; by default a new file, which is named.",
    ),
]
Json = Annotated[bool, Parameter(help="Print JSON, for machines.", negative=())]
Yes = Annotated[bool, Parameter(name=["-y", "--yes"], help="Don't ask.", negative=())]
Wait = Annotated[
    float,
    Parameter(
        help="Seconds to wait while another plan is being applied.",
        validator=validators.Number(gte=0),
    ),
]
Live = Annotated[
    str,
    Parameter(
        help="A live store's name (several: acme,berta), where nobody can be asked to confirm it."
    ),
]
SideBySide = Annotated[
    int,
    Parameter(
        name="--jobs",
        help="How many stores of a group are worked on side by side; 0 chooses.",
        validator=validators.Number(gte=0),
    ),
]
Planned = Annotated[
    str, Parameter(name="--to", help="The store, where the plan's URL isn't enough to find it.")
]


_READING = Group("How to read the file", sort_key=3)


@Parameter(name="*", group=_READING)
@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a file leaves open; what isn't given comes from the store."""

    format: Annotated[
        str,
        Parameter(
            help="sheet, collections, redirects, shopify-csv, woocommerce-csv, matrixify or jsonl, "
            "where it isn't clear."
        ),
    ] = ""
    encoding: Annotated[str, Parameter(help="A codec's name, like windows-1252 or gb18030.")] = ""
    delimiter: Annotated[str, Parameter(help="What separates the cells.")] = ""
    decimal: Annotated[
        Literal[".", ","] | None,
        Parameter(help="The decimal sign of our own sheet; a dot by default."),
    ] = None
    currency: Annotated[str, Parameter(help="The currency of bare amounts, like EUR.")] = ""
    locale: Annotated[str, Parameter(help="The language of the texts, like de.")] = ""
    weight_unit: Annotated[
        Literal["g", "kg", "oz", "lb"] | None, Parameter(help="The unit of bare weights.")
    ] = None
    length_unit: Annotated[
        Literal["mm", "cm", "m", "in", "ft", "yd"] | None,
        Parameter(help="The unit of bare lengths."),
    ] = None
    time_zone: Annotated[str, Parameter(help="The zone of bare times, like Europe/Berlin.")] = ""
    pictures: Annotated[
        str, Parameter(help="The folder of picture files; by default the file's own folder.")
    ] = ""
    blank: Annotated[
        Literal["keep", "clear"] | None,
        Parameter(help="What a blank cell of our own sheet does to its field; keep by default."),
    ] = None
    market_currency: Annotated[
        list[str] | None,
        Parameter(help="A market's currency, like 'switzerland=CHF'.", negative=()),
    ] = None
    header: Annotated[
        list[str] | None,
        Parameter(help="A translated header, like 'Titel=Title'; 'Titel=' drops.", negative=()),
    ] = None

    def context(self) -> dict[str, Any]:
        """Return what was given, by the names of `storebridge.formats.Context`."""
        names = [f.name for f in dataclasses.fields(self)]
        given = {name: getattr(self, name) for name in names if getattr(self, name)}
        if pairs := given.pop("market_currency", None):
            given["market_currencies"] = _pairs("--market-currency", pairs)
        if pairs := given.pop("header", None):
            given["headers"] = _pairs("--header", pairs)
        return given


#: The options of `storebridge.plan.Guards`.
_GUARDS = Group(
    "Guards",
    sort_key=3,
    help="What a plan may do at most; a breach plans nothing. Shares are of the store's products "
    "in scope, and up to five products are never too large a share.",
)


@Parameter(name="*", group=Group("What the plan may do", sort_key=2))
@dataclass(frozen=True, kw_only=True)
class Planning:
    """How a plan is made; the words are those of `storebridge.plan.PlanOptions`."""

    where: Annotated[
        str, Parameter(help="Only records that match, like \"vendor = 'Acme' and price > 20\".")
    ] = ""
    fields: Annotated[
        str, Parameter(help="Only these fields, like price,seo.title; nothing is created then.")
    ] = ""
    create: Annotated[
        Create, Parameter(help="The status of new products that give none; no: create nothing.")
    ] = "draft"
    absent: Annotated[
        Absent, Parameter(help="What happens to products in scope of --where without a source.")
    ] = "keep"
    absent_variants: Annotated[
        AbsentVariants,
        Parameter(help="What happens, in that scope, to variants that the source's product lacks."),
    ] = "keep"
    stock: Annotated[
        bool, Parameter(help="Set quantities of existing variants too.", negative=())
    ] = False
    as_of: Annotated[
        str,
        Parameter(help="When the quantities were counted, or file: warns of what was sold since."),
    ] = ""
    location: Annotated[
        str,
        Parameter(
            help="Where quantities without a location belong, or what the source's locations are "
            "called in the store: FROM=TO,FROM=TO."
        ),
    ] = ""
    match: Annotated[
        Literal["key", "id"],
        Parameter(help="id: ids count too, of a file of this store."),
    ] = "key"
    allow_rename: Annotated[
        bool,
        Parameter(help="Let a match by SKU alone give a product another handle.", negative=()),
    ] = False
    strict: Annotated[
        bool, Parameter(help="Refuse the plan if the store can't hold something.", negative=())
    ] = False
    way: Annotated[
        WayChoice,
        Parameter(help="One by one (direct) or by jobs (bulk); auto takes what is cheaper."),
    ] = "auto"
    mapping: Annotated[
        str, Parameter(group=_READING, help="The TOML file that maps a supplier's table.")
    ] = ""
    pictures_max: Annotated[
        int, Parameter(help="Make picture files smaller whose longest side has more pixels.")
    ] = 0
    pictures_as: Annotated[
        PictureKind, Parameter(help="Make picture files of this kind before they are uploaded.")
    ] = "keep"
    min_rows: Annotated[
        int, Parameter(group=_GUARDS, help="The least rows that the source has.")
    ] = 0
    max_changed: Annotated[
        str, Parameter(group=_GUARDS, help="The largest share updated or deleted, like 30%.")
    ] = ""
    max_emptied: Annotated[
        str,
        Parameter(
            group=_GUARDS,
            help="The largest share archived, drafted, deleted or left without stock.",
        ),
    ] = "20%"
    max_deletes: Annotated[
        int, Parameter(group=_GUARDS, help="The most records and variants that are deleted.")
    ] = 0
    max_price_move: Annotated[
        str, Parameter(group=_GUARDS, help="The furthest that a price goes up or down, like 50%.")
    ] = ""
    max_age: Annotated[
        str, Parameter(group=_GUARDS, help="The oldest that the source is, like 24h or 7d.")
    ] = ""

    def options(self, reading: Reading | None) -> dict[str, Any]:
        """Return what was chosen, by the words of `storebridge.plan.PlanOptions.of`."""
        chosen = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**chosen, "context": reading.context() if reading else {}}


def _pairs(option: str, texts: list[str]) -> Mapping[str, str]:
    pairs = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise UsageError(f"{option} {text!r} has no '='. Write it like {option} 'OWN=OTHER'.")
        pairs[name] = value
    return pairs


def store_of(plan: Plan, to: str, state: Path | None) -> Store:
    """Return the store that a plan is for: the named one with its URL, else the URL itself."""
    if to:
        return open(to, state=state)
    url = plan.about["store"]["url"]
    named = [store for store in config.stores().values() if store.url == url]
    return open(named[0].name if named else url, state=state)


def agreed(question: str, yes: bool, instead: str) -> bool:
    """Return whether a person agrees; `yes` is an answer given beforehand.

    Raises:
        Refused: if nobody can be asked; the message says what to type instead.
    """
    if yes:
        return True
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise Refused(f"There is no terminal to ask on. Add --yes, or look first: {instead}")
    say(f"{question} [y/N] ", error=True)
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


def check_live(store: Store, live: str) -> None:
    """Have a live store's name typed before anything is written to it.

    Raises:
        Refused: if it isn't.
    """
    if store.opening.live:
        confirm_live(store.name, live)


def confirm_live(name: str, live: str) -> None:
    """Have a live store's name typed, unless it was given.

    Raises:
        Refused: if it isn't.
    """
    if live == name:
        return
    remedy = f"Confirm with --live {name}"
    if live or not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise Refused(f"{name} is a live store. {remedy}")
    say(f"{name} is a live store. Type its name to go on: ", error=True)
    if sys.stdin.readline().strip() != name:
        raise Refused(f"That isn't its name, so nothing was changed. {remedy}")
