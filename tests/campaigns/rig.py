"""What the campaigns share: Template stores in this process, catalogues by chance, and the oracle.

The oracle reads the sandbox itself, past every fault, and holds a plan's report against it.
"""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from pydantic import SecretStr
from storebridge_template import TemplateAdapter, TemplateSettings
from storebridge_template.sandbox import Sandbox, create

from storebridge.adapter import Adapter, Query
from storebridge.compare import diff, names_of, still_holds
from storebridge.engine import Engine, HandlerTransport, Transport
from storebridge.errors import StorebridgeError
from storebridge.flow import Request, Response
from storebridge.models import (
    KINDS,
    Collection,
    InventoryLevel,
    MarketPrice,
    Money,
    Option,
    Product,
    Record,
    Seo,
    Translation,
    Variant,
    Weight,
)
from storebridge.plan import Plan, PlanOptions, Report, make
from storebridge.plan.file import ChangeRow, OutcomeRow, PlanFile
from storebridge.plan.sides import sides
from storebridge.store import Store
from storebridge.store.base import Opening
from storebridge.testing import Exchange, Fault, FaultTransport, VirtualClock
from storebridge.testing.faults import Plan as Faults

__all__ = [
    "FAULTS",
    "UNGUARDED",
    "Handler",
    "Leaves",
    "Shop",
    "ask",
    "catalogue",
    "check",
    "differing",
    "docs",
    "finished",
    "leaves",
    "live",
    "product",
    "settle",
    "template",
    "unsynced",
    "until",
]

Handler = Callable[[Request], Response]

#: What every transport may do to an answer.
FAULTS = tuple(
    each for each in Fault if each not in (Fault.REORDERED, Fault.KILLED_BEFORE, Fault.KILLED_AFTER)
)
COLLECTIONS = ("new", "sale", "summer")
_SIZES = ("S", "M", "L")
_DONE = ("applied", "unchanged")
#: Causes that say that the record has changed: by somebody else, in part, or otherwise than asked.
_MOVED = ("conflict", "partly", "differs")
#: Random catalogues archive, empty and delete what a person would be asked about.
UNGUARDED = {"stock": True, "max_emptied": "", "max_deletes": 999}


def template(url: str = "http://127.0.0.1:1", token: str = "kit") -> TemplateAdapter:
    """Return the adapter of a store."""
    return TemplateAdapter(TemplateSettings(url=url, token=SecretStr(token), page_size=100))


_NORMAL = template()


class Shop:
    """A Template store in this process, its clock, and the network before it.

    A shop of another platform has another sandbox and adapter, and reads it in another way.
    """

    sandbox: Any

    def __init__(self, folder: Path, sandbox: Any = None, token: str = "kit") -> None:
        """Stand a shop up in a folder for plans and state; a given sandbox is copied."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.token, self.clock = folder, token, VirtualClock()
        self.sandbox = self.new_sandbox()
        if sandbox is not None:
            sandbox.db.backup(self.sandbox.db)
        self.sandbox.clock = self.clock.time
        self.history: list[Exchange] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.close()

    def new_sandbox(self) -> Any:
        """Return an empty shop."""
        sandbox = create()
        sandbox.filled = self.clock.time()
        return sandbox

    def adapter(self) -> Adapter:
        """Return a new adapter of the shop."""
        return template(token=self.token)

    def live(self) -> dict[tuple[str, str], Record]:
        """Return what is in the shop, past every fault, by kind and id."""
        return live(self.sandbox)

    def lacks(self, desired: Record, record: Record) -> Mapping[str, Any]:
        """Return the fields at which a record of the shop isn't as desired."""
        return diff(_NORMAL.normalise(desired), record).after

    def open(self, faults: Faults | None = None, inner: Transport | None = None) -> Store:
        """Return a new store object, as a new process has one; its exchanges join `history`."""
        transport = _Kept(self, inner or HandlerTransport(self.sandbox), faults)
        return Store(
            self.adapter(),
            Opening(state=self.folder / "state", clock=self.clock, transport=transport),
        )

    def plan(self, source: Iterable[Record], name: str = "shop.plan", **options: Any) -> Path:
        """Return the file of a plan; made without faults."""
        path = self.folder / name
        with self.open() as store:
            make(source, store, path, PlanOptions.of(**{**UNGUARDED, **options})).close()
        return path

    def apply(
        self,
        plan: Path,
        faults: Faults | None = None,
        network: Handler | None = None,
        **options: Any,
    ) -> Report:
        """Apply a plan as a new process does, through a network or none; return its report."""
        inner = HandlerTransport(network) if network else None
        with self.open(faults, inner) as store, Plan.open(plan) as opened:
            unsynced(opened)
            return opened.apply(store, **options)

    def fill(self, records: Iterable[Record]) -> None:
        """Bring the shop to these records."""
        plan = self.plan(records, "fill.plan")
        report = self.apply(plan)
        assert report.ok, list(map(str, report.items("failed", "skipped", "unknown")))
        plan.unlink()


class _Kept(FaultTransport):
    """A transport whose history outlives it."""

    def __init__(self, shop: Shop, inner: Transport, faults: Faults | None) -> None:
        super().__init__(inner, faults, clock=shop.clock)
        self._history = shop.history


def unsynced(plan: Plan) -> None:
    """Let a plan's journal be written without syncing: no power is cut here, and it takes long."""
    plan._file._db.execute("PRAGMA synchronous=OFF")


def ask(sandbox: Handler, method: str, path: str, body: Any = None) -> Any:
    """Return what a person gets who works in the shop's back office."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"x-template-token": "human"}
    answer = sandbox(Request(method=method, path=f"/v1{path}", headers=headers, body=data))
    assert answer.status < 300, answer.body
    return json.loads(answer.body or b"null")


def docs(sandbox: Sandbox) -> dict[str, Any]:
    """Return everything in a sandbox by kind and handle, without numbers and times of its own."""
    handles = dict(sandbox.db.execute("SELECT id, json_extract(doc, '$.handle') FROM records"))
    found: dict[str, Any] = {}
    for kind, text in sandbox.db.execute("SELECT kind, doc FROM records"):
        doc = json.loads(text)
        del doc["updated_at"], doc["created_at"]
        for variant in doc.get("variants", ()):
            del variant["id"]
        if kind == "products":
            doc["collections"] = [handles[each] for each in doc["collections"]]
            doc["translations"].sort(key=json.dumps)
        name = f"{kind} {doc['handle']}"
        assert name not in found, f"two records are {name}"
        found[name] = doc
    return found


Leaves = dict[str, Any]
_NAMES = ("sku", "location", "market", "locale", "options")


def leaves(value: Any, start: str = "") -> Leaves:
    """Return every leaf of a document by its path, elements by their own names."""
    if isinstance(value, dict):
        found = [leaves(inner, f"{start}.{name}") for name, inner in value.items()]
    elif isinstance(value, list) and value and isinstance(value[0], dict) and _name(value[0]):
        found = [leaves(each, f"{start}[{_name(each)}]") for each in value]
    else:
        return {start: value}
    return {path: leaf for each in found for path, leaf in each.items()}


def differing(one: Leaves, other: Leaves) -> set[str]:
    """Return the paths of the leaves that only one has, or that differ."""
    return {path for path in {*one, *other} if one.get(path) != other.get(path)}


def _name(element: dict[str, Any]) -> str:
    return next((str(element[name]) for name in _NAMES if element.get(name)), "")


# -- runs, and the oracle


def until(total: int, folder: Path, campaign: Callable[[Path, int], int]) -> None:
    """Run campaigns in folders and with seeds of their own until they come to a total."""
    done, seed = 0, 100
    while done < total:
        seed += 1
        done += campaign(folder / str(seed), seed)
        shutil.rmtree(folder / str(seed))


def settle(
    shop: Shop,
    plan: Path,
    faults: Callable[[int], Faults],
    network: Callable[[int], AbstractContextManager[Handler]] | None = None,
    rounds: int = 60,
) -> None:
    """Apply a plan again and again until it is done, and hold its report against the shop.

    Each run has its faults, and a network of its own if there is one.
    """
    for number in range(rounds):
        done, start = finished(plan), len(shop.history)
        # A read that failed ends a run; the next one goes on.
        own = network(number) if network else nullcontext()
        with own as between, suppress(StorebridgeError):
            shop.apply(plan, faults(number), between, retry_failed=True)
        for exchange in shop.history[start:]:
            assert done.isdisjoint(exchange.request.covers), "what was finished was sent again"
        counts = check(shop, plan)
        if counts["applied"] + counts["unchanged"] == sum(counts.values()):
            return
        shop.clock.advance(600)
    with Plan.open(plan) as opened:
        left = [str(item) for item in opened.report().items("failed", "skipped", "unknown")]
    raise AssertionError(f"not done after {rounds} runs: {counts} {left[:5]}")


def finished(plan: Path) -> set[str]:
    """Return the changes of a plan that are applied, or were there already."""
    with closing(PlanFile.open(plan)) as file:
        return {str(o.seq) for o in file.outcomes() if o.status in _DONE}


def check(shop: Shop, plan: Path) -> dict[str, int]:
    """Hold what a plan reports against what is in its shop; return the counts."""
    found = shop.live()
    counts = Counter[str]()
    with closing(PlanFile.open(plan)) as file:
        outcomes = {outcome.seq: outcome for outcome in file.outcomes()}
        for row in file.changes():
            outcome = outcomes.pop(row.seq, None)
            counts[str(outcome.status) if outcome else "open"] += 1
            if outcome is not None:
                _judge(shop, file, row, outcome, found)
        assert not outcomes, "there are outcomes of changes that the plan doesn't have"
        report = Report.of(file, "shop")
    assert report.counts == {**dict.fromkeys(report.counts, 0), **counts}
    return dict(report.counts)


def live(sandbox: Sandbox) -> dict[tuple[str, str], Record]:
    """Return what is in a sandbox as the adapter reads it, by kind and id."""
    adapter, limited = template(token="oracle"), sandbox.limited
    sandbox.limited = False
    found: dict[tuple[str, str], Record] = {}
    with Engine(adapter, clock=VirtualClock(), transport=HandlerTransport(sandbox)) as engine:
        for kind in ("collection", "product"):
            cursor = "0"
            while cursor:
                page = engine.run(adapter.records(kind).page(Query(), cursor))
                found.update(((kind, record.id), record) for record in page.records)
                cursor = page.cursor
    sandbox.limited = limited
    return found


def _judge(
    shop: Shop,
    file: PlanFile,
    row: ChangeRow,
    outcome: OutcomeRow,
    found: dict[tuple[str, str], Record],
) -> None:
    """Applied means there, with the planned values; failed and skipped mean untouched."""
    where = f"{row.action} {row.part} of {row.label!r} is told as {outcome.status}"
    if outcome.status not in _DONE:
        words = (outcome.cause, outcome.message, outcome.remedy)
        assert all(words), f"{where}, but not why or what to do: {words}"
    if outcome.status == "unknown":
        return
    _, desired, _ = sides(KINDS[row.kind], row)
    record_id = row.record_id or outcome.record_id or file.made_id(row.kind, row.key)[1]
    record = found.get((row.kind, record_id))
    if record is None and row.action == "create":
        rivals = (each for (kind, _), each in found.items() if kind == row.kind)
        record = next((each for each in rivals if row.key in names_of(each)), None)
    there = record is not None
    if row.action == "delete":
        assert there != (outcome.status in _DONE), where
    elif outcome.status in _DONE:
        assert record is not None, f"{where}, and there is none"
        lacking = shop.lacks(desired, record)
        assert not lacking, f"{where}, and it lacks {lacking}"
    elif row.action == "create":
        assert not there, f"{where}: {outcome.message}, and it is there"
    elif record is not None:
        why = f"{where}: {outcome.message}"
        assert shop.lacks(desired, record), f"{why}, and it has the values"
        patch = json.loads(row.before or "{}") if row.record_id else {}
        moved = still_holds(KINDS[row.kind], patch, record)
        assert not moved or outcome.cause in _MOVED, f"{where}, and it changed {moved}"


# -- records by chance


def catalogue(seed: int, products: int) -> list[Record]:
    """Return collections and products with something in every part; a seed gives the same."""
    chance = random.Random(f"catalogue {seed}")
    records: list[Record] = [
        Collection(handle=name, title=name.title(), position=chance.randint(1, 9))
        for name in COLLECTIONS
    ]
    return records + [product(chance, number) for number in range(products)]


def product(chance: random.Random, number: int) -> Product:
    """Return a product with values by chance; its variants and SKUs follow from its number."""
    sizes = _SIZES[: 1 + number % 3]
    return Product(
        handle=f"p-{number}",
        title=f" {_word(chance)} {number} ",
        description_html=f"<p>{_word(chance)}</p>",
        vendor="Acme",
        tags=tuple(
            sorted(chance.sample(("red", "blue", "wool", "silk", "new"), chance.randint(0, 4)))
        ),
        status=chance.choice(("active", "draft")),
        seo=Seo(title=_word(chance), description=_word(chance)),
        collections=tuple(sorted(chance.sample(COLLECTIONS, chance.randint(1, 3)))),
        options=(Option(name="Size", values=sizes),),
        variants=tuple(_variant(chance, number, size) for size in sizes),
        translations=tuple(
            Translation(locale=locale, field="title", value=_word(chance))
            for locale in chance.sample(("de", "ja"), chance.randint(1, 2))
        ),
    )


def _variant(chance: random.Random, number: int, size: str) -> Variant:
    price = Decimal(chance.randint(100, 9999)) / 100
    # Without a SKU nothing in the platform stops a second one of a kind.
    return Variant(
        sku=f"SKU-{number}-{size}" if number % 3 != 2 else "",
        options=(size,),
        price=Money(price, "EUR"),
        compare_at_price=Money(price + 1, "EUR") if chance.random() < 0.3 else None,
        cost=Money(price / 2, "EUR").rounded() if chance.random() < 0.3 else None,
        weight=Weight(value=Decimal(chance.randint(1, 900)), unit="g"),
        inventory=tuple(
            InventoryLevel(location=place, available=chance.randint(0, 99))
            for place in chance.sample(("Main", "Outlet"), chance.randint(1, 2))
        ),
        market_prices=tuple(
            MarketPrice(market=market, price=Money(chance.randint(1, 999), currency))
            for market, currency in chance.sample(
                (("us", "USD"), ("jp", "JPY")), chance.randint(1, 2)
            )
        ),
    )


def _word(chance: random.Random) -> str:
    return chance.choice(("Linen", "Ökowerk", "外套", "Tröja", "Мир", "A&B", "x < y", "mug"))
