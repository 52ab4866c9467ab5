"""What is read of live records: what a comparison looks at; with less of them comes the same plan.

The stores here give nothing but what was asked for, as no platform is stingier; what a plan shows,
and what becomes of it, must be what a generous store leads to.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import storebridge
from storebridge import Store
from storebridge.adapter import Field, Query, Records
from storebridge.flow import Flow
from storebridge.models import (
    KINDS,
    Collection,
    Comment,
    InventoryLevel,
    Media,
    Metafield,
    Option,
    Order,
    Product,
    Record,
    Rule,
    Sale,
    Seo,
    StoreInfo,
    Variant,
)
from storebridge.plan import Plan
from storebridge.plan.needs import Needs, naming
from storebridge.tasks.listing import Edit
from storebridge.testing.samples import sample
from tests.core.fake_platform import FakeRecords
from tests.records import CATALOGUE, euro

Fields = frozenset[str] | None
BRAND = Collection(handle="brand", title="Brand", rules=(Rule(field="vendor", value="Acme"),))


class Asked(list[Fields]):
    """The fields of each look at a kind of record of a store."""

    def watch(self, store: Store, kind: str = "product", *, stingy: bool = True) -> Asked:
        """Look at what is asked for from here on, and give no more than that, or everything."""
        records: Records[Any] = store.adapter.records(kind)
        page, fetch = type(records).page, type(records).fetch

        def pages(query: Query, cursor: str) -> Flow[Any]:
            self.append(query.fields)
            found = yield from page(records, Query(ids=query.ids, status=query.status), cursor)
            kept = tuple(only(record, query.fields if stingy else None) for record in found.records)
            return type(found)(kept, found.cursor, found.total)

        def fetched(keys: Any, fields: Fields) -> Flow[Any]:
            self.append(fields)
            found = yield from fetch(records, keys, None)
            return tuple(only(record, fields if stingy else None) for record in found)

        records.page, records.fetch = pages, fetched  # type: ignore[method-assign]  # a spy
        return self

    @property
    def heads(self) -> set[str]:
        """The fields that were asked for, names apart; "*" where all were."""
        paths = {path for fields in self for path in (fields if fields is not None else {"*"})}
        own = {f"variants.{name}" for name in ("id", "sku", "options", "barcodes")}
        return paths - naming(Product) - own


def only(record: Record, fields: Fields) -> Record:
    """Return a record with nothing but what was asked for, and its id."""
    if fields is None:
        return record
    heads = {path.partition(".")[0] for path in fields}
    kept = record.without(*(record.given - heads - {"id"}))
    for name in heads & kept.given - fields:
        value = getattr(kept, name)
        inner = {path.partition(".")[2] for path in fields if path.startswith(f"{name}.")} | {"id"}
        each = [v.without(*(v.given - inner)) for v in (value if isinstance(value, tuple) else ())]
        kept = kept.model_copy(update={name: tuple(each)}) if each else kept
    return kept


# -- the same plan, and the same in the store


def variant(sku: str = "TEE-S", **fields: Any) -> Product:
    """A row of a feed."""
    return Product(variants=(Variant(sku=sku, **fields),))


def tee(**fields: Any) -> Product:
    return Product(handle="tee", **fields)


class _Louder:
    """A task that says what it gives and looks at."""

    kinds = frozenset({"product"})
    needs = frozenset({"vendor"})
    reads = frozenset({"title", "vendor"})

    def transform(self, desired: Any, live: Any) -> tuple[Record, tuple[str, ...]]:
        return desired.but(title=f"{live.title} by {live.vendor}"), ("louder",)


def _cheaper(desired: Any, live: Any) -> Record:
    sizes = {v.sku: v.model_copy(update={"cost": v.price}) for v in live.variants}
    variants = tuple(v.model_copy(update={"cost": sizes[v.sku].cost}) for v in desired.variants)
    cheaper: Record = desired.model_copy(update={"variants": variants})
    return cheaper


ACME: dict[str, Any] = {"where": "vendor = 'Acme'"}
SOURCES: dict[str, tuple[Iterable[Record], dict[str, Any]]] = {
    "price": ([variant(price=euro("12.00"))], {"max_price_move": "1000%"}),
    "sale": ([variant(sale=Sale(price=euro("9.00")))], {"max_price_move": "1000%"}),
    "stock": ([variant(inventory=(InventoryLevel(available=0),))], {"max_emptied": "100%"}),
    "no stock": ([variant(inventory=(InventoryLevel(available=0),), price=euro("1"))], {}),
    "title": ([tee(title="Tee 2", seo=Seo(title="T"))], {}),
    "status": ([tee(status="draft")], {}),
    "tags": ([tee(tags_add=("new",), tags_remove=("summer",))], {}),
    "options": (
        [
            tee(
                options=(Option(name="Size", values=("S", "L")),),
                variants=(Variant(sku="TEE-L", options=("L",), price=euro("12.00")),),
            )
        ],
        {},
    ),
    "by options": ([tee(variants=(Variant(options=("M",), price=euro("12.00")),))], {}),
    "media": ([tee(media=(Media(url="https://cdn.example/tee.jpg", alt="back"),))], {}),
    "picture of a variant": (
        [tee(variants=(Variant(sku="TEE-S", media=("https://cdn.example/tee.jpg",)),))],
        {},
    ),
    "collections": ([tee(collections_add=("winter", "brand"))], {}),
    "members": ([Collection(handle="brand", products=("handle:mug",))], {}),
    "metafields": ([tee(metafields=(Metafield(namespace="a", key="b", value="c"),))], {}),
    "replaced variants": (
        [tee(variants=(Variant(sku="TEE-M", options=("M",)),), modes={"variants": "replace"})],
        {"max_deletes": 1},
    ),
    "first options": (
        [
            Product(
                handle="mug",
                options=(Option(name="Size", values=("S",)),),
                variants=(Variant(sku="MUG-S", options=("S",)),),
            )
        ],
        {},
    ),
    "absent variants": (
        [tee(variants=(Variant(sku="TEE-M", options=("M",)),))],
        {"absent_variants": "delete", "max_deletes": 1, **ACME},
    ),
    "emptied variants": (
        [tee(variants=(Variant(sku="TEE-M", options=("M",)),))],
        {"absent_variants": "zero-stock", **ACME},
    ),
    "scope": ([tee(title="Tee 2"), Product(handle="mug", title="Mug 2")], ACME),
    "scope of tags": ([tee(title="Tee 2")], {"where": "tags has 'cotton' and price > 10.50"}),
    **{
        f"absent {word}": ([Product(handle="x", title="X")], {"absent": word, **ACME})
        for word in ("zero-stock", "draft", "archive", "delete")
    },
    "rename": ([Product(handle="tea", sku="TEE-S", title="Tea")], {}),
    "renamed": ([Product(handle="tea", sku="TEE-S")], {"allow_rename": True}),
    "two": ([tee(variants=(Variant(sku="MUG"),))], {}),
    "case": ([Product(handle="TEE", title="Tee 2"), variant("tee-s", price=euro("1.00"))], {}),
    "some fields": ([tee(title="Tee 2", vendor="Other", tags=())], {"fields": "title"}),
    "a task": ([tee(status="active")], {"transforms": [_Louder()]}),
    "a function": ([variant(price=euro("12.00"))], {"transforms": [_cheaper]}),
    "an edit": ([tee(tags=("x",))], {"transforms": [Edit({"seo.title": "{title}!"})]}),
}
#: What is left of options where a source asks for more than the guards let through.
_LOOSE: dict[str, Any] = {"stock": True, "max_deletes": 9, "max_emptied": ""}


def shown(plan: Plan) -> Any:
    """Return all that a plan says, but for its own names and times."""
    about = {
        k: v
        for k, v in plan.about.items()
        if k not in ("created_at", "digest", "store", "forecast")
    }
    changes = [(c.kind, c.part, c.action, c.label, c.reasons, c.fields) for c in plan.changes()]
    raw = [(row.before, row.after, row.reads, row.undo) for row in plan._file.changes()]
    told = (list(plan.skipped()), list(plan.fit()), list(plan.warnings()), plan.guards())
    return changes, raw, told, about


def held(store: Store) -> list[str]:
    """Return what is in a store, but for times."""
    found = (each for kind in ("collection", "product") for each in store.items(kind).iter())
    return [each.without("created_at", "updated_at").model_dump_json() for each in found]


@pytest.fixture(scope="module")
def goods(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store's file with goods."""
    folder = tmp_path_factory.mktemp("goods")
    winter = Collection(handle="winter", title="Winter")
    with (
        storebridge.open(f"local:{folder / 'shop.db'}", state=folder / "state") as store,
        store.plan([*CATALOGUE, winter, BRAND], folder / "fill.plan") as plan,
    ):
        plan.apply(store)
    return folder / "shop.db"


@contextmanager
def opened(goods: Path, folder: Path) -> Iterator[list[Store]]:
    """Give a stingy and a generous store, each with the goods for itself."""
    with ExitStack() as stack:
        stores = []
        for word in WORDS:
            (folder / word).mkdir()
            url = f"local:{shutil.copy(goods, folder / word / 'shop.db')}"
            store = storebridge.open(url, state=folder / word / "state")
            stores.append(stack.enter_context(store))
            for kind in ("collection", "product"):
                Asked().watch(store, kind, stingy=word == "stingy")
        yield stores


WORDS = ("stingy", "generous")


@pytest.fixture(scope="module")
def both(goods: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Store]]:
    """A stingy and a generous store, in which nothing is changed."""
    with opened(goods, tmp_path_factory.mktemp("both")) as stores:
        yield stores


@pytest.mark.parametrize("case", SOURCES)
def test_less_of_a_record_leads_to_the_same_plan(
    case: str, both: list[Store], tmp_path: Path
) -> None:
    source, options = SOURCES[case]
    said = []
    for number, store in enumerate(both):
        with store.plan(source, tmp_path / f"{number}.plan", **{**_LOOSE, **options}) as plan:
            said.append(json.dumps(shown(plan), default=str))
    assert said[0] == said[1]


#: What people do between a plan and its apply; each is in the way of some plans and not of others.
BY_HAND: dict[str, Callable[[Product], Product]] = {
    "title": lambda live: live.but(title="By hand"),
    "price": lambda live: live.model_copy(
        update={"variants": tuple(v.but(price=euro("0.77")) for v in live.variants)}
    ),
    "stock": lambda live: live.model_copy(
        update={
            "variants": tuple(
                v.but(inventory=(InventoryLevel(available=5),)) for v in live.variants
            )
        }
    ),
    "tags": lambda live: live.but(tags=("by", "hand")),
    "vendor": lambda live: live.but(vendor="By hand"),
    "seo": lambda live: live.but(seo=Seo(title="By hand")),
    "media": lambda live: live.but(media=(), modes={"media": "replace"}),
}


IN_THE_WAY = ("price", "stock", "title", "tags", "media", "replaced variants", "a task")


@pytest.mark.parametrize(
    ("edit", "way"), [*((edit, "refuse") for edit in BY_HAND), ("price", "overwrite")]
)
def test_less_of_a_record_leads_to_the_same_conflicts(
    edit: str, way: Any, goods: Path, tmp_path: Path
) -> None:
    with opened(goods, tmp_path) as stores:
        said = [json.dumps(applied(store, BY_HAND[edit], way, tmp_path)) for store in stores]
    assert said[0] == said[1]


def applied(store: Store, edit: Callable[[Product], Product], way: Any, folder: Path) -> Any:
    """Return what came of plans between which and their apply somebody edits, and what is there."""
    plans = [
        store.plan(
            [*source], Path(tempfile.mkdtemp(dir=folder)) / "a.plan", **{**_LOOSE, **options}
        )
        for name in IN_THE_WAY
        for source, options in (SOURCES[name],)
    ]
    found = store.products.find("handle:tee")
    assert found is not None
    store.products.update(edit(found))
    items: list[Any] = []
    for plan in plans:
        with plan:
            report = plan.apply(store, on_conflict=way)
            items += [dict(report.counts), *map(str, report.items("skipped", "failed"))]
    return items, held(store)


# -- how little that is


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        (variant(price=euro("12.00")), {"variants.price"}),
        (variant(inventory=(InventoryLevel(available=7),)), {"variants.inventory"}),
        (tee(seo=Seo(title="New")), {"seo"}),
        (tee(media_add=(Media(url="https://cdn.example/new.jpg"),)), {"media"}),
        (variant(media=("https://cdn.example/tee.jpg",)), {"variants.media", "media"}),
    ],
    ids=["prices", "stock", "texts", "pictures", "pictures of variants"],
)
def test_planning_and_applying_read_what_the_source_gives(
    source: Product, fields: set[str], filled: Store, tmp_path: Path
) -> None:
    asked = Asked().watch(filled)
    with filled.plan([source], tmp_path / "feed.plan", stock=True) as plan:
        planned = len(asked)
        assert asked.heads == fields
        assert plan.apply(filled).counts["applied"] == 1
    assert len(asked) > planned, "the look for conflicts"
    assert asked.heads == fields


@pytest.mark.parametrize(
    "options",
    [{"transforms": [_cheaper]}, {"where": "vendor = 'Acme'", "absent": "delete"}],
    ids=["a function", "deletes"],
)
def test_what_may_need_anything_reads_all(
    options: dict[str, Any], filled: Store, tmp_path: Path
) -> None:
    asked = Asked().watch(filled)
    source = [variant("MUG", price=euro("6.00"))]
    filled.plan(source, tmp_path / "all.plan", max_deletes=9, max_emptied="", **options).close()
    assert "*" in asked.heads


@pytest.mark.parametrize(
    ("text", "options"),
    [("Handle,Title\nx,X", {**ACME, "absent": "delete"}), ("Handle,Command\ntee,DELETE", {})],
    ids=["the source lacks it", "the source says so"],
)
def test_what_goes_is_read_whole_before_it_goes(
    text: str, options: dict[str, Any], filled: Store, tmp_path: Path
) -> None:
    whole, asked = filled.products.find("handle:tee"), Asked().watch(filled)
    assert whole is not None
    source = tmp_path / "goes.csv"
    source.write_text(text, encoding="utf-8")
    with filled.plan(source, tmp_path / "goes.plan", **{**_LOOSE, **options}) as plan:
        (change,) = (row for row in plan._file.changes() if row.action == "delete")
        assert change.before == whole.model_dump_json()
        planned = len(asked)
        plan.apply(filled, on_conflict="overwrite")
    assert None in asked[planned:]


def test_what_a_platform_cannot_read_is_not_asked_for() -> None:
    needs = Needs(FakeRecords(Order, {"note": Field(), "comments": Field(read=False)}))
    needs.add(Order(number="7", note="x", comments=(Comment(text="y"),)), ("number:7",))
    assert needs.fields == naming(Order) | {"note"}


@pytest.mark.parametrize("kind", KINDS)
def test_names_tell_each_kind_of_record_apart(kind: str) -> None:
    record = sample(kind, 1, StoreInfo(id="x", currency="EUR", locales=("en", "de")))
    for each in (record, record.without("key"), record.without("key", "handle", "codes")):
        named = only(each, naming(KINDS[kind], ("sku:",)))
        assert named.keys() == each.keys()
        assert named.label == each.label
