from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pytest
from storebridge_template import TemplateAdapter, sandbox
from storebridge_template.adapter import TemplateSettings

import storebridge
from storebridge.adapter import Query
from storebridge.engine import HandlerTransport
from storebridge.errors import (
    AccessDenied,
    BadAnswer,
    ConfigError,
    NotFound,
    NotSupported,
    Refused,
)
from storebridge.flow import Request, Status
from storebridge.models import (
    Category,
    Collection,
    Customer,
    Discount,
    Money,
    Product,
    Review,
    Variant,
)
from storebridge.store import Store
from storebridge.store.base import Opening
from storebridge.testing import VirtualClock
from storebridge.testing.faults import Fault, FaultTransport, at
from storebridge.where import WhereError
from tests.core.fake_platform import FakeAdapter

EUR = Money("9.90", "EUR")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Store]:
    with storebridge.open("local:shop.db", state=tmp_path / "state") as store:
        yield store


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Store]:
    with Store(FakeAdapter(), Opening(name="acme", state=tmp_path / "state")) as store:
        yield store


def platform(store: Store) -> FakeAdapter:
    assert isinstance(store.adapter, FakeAdapter)
    return store.adapter


# --- opening


def test_a_store_knows_what_it_is_called_and_asks_once_who_it_is(fake: Store) -> None:
    assert fake.name == "acme"
    assert fake.info.id == fake.info.id == "fake-1"
    assert fake.products.find("tee") is None
    assert platform(fake).asked == 1


def test_a_url_opens_a_store_and_settings_are_arguments() -> None:
    with storebridge.open("local:jp.db", currency="JPY") as store:
        assert (store.url, store.name, store.info.currency) == ("local:jp.db", "local:jp.db", "JPY")


def test_a_closed_store_can_be_used_again(shop: Store) -> None:
    shop.products.create(Product(handle="tee", title="Tee"))
    shop.close()
    assert shop.products.find("tee") is not None


def test_a_tag_opens_all_its_stores() -> None:
    Path("storebridge.toml").write_text(
        '[stores.a]\nurl = "local:a.db"\ntags = ["eu"]\n[stores.b]\nurl = "local:b.db"\n'
        'tags = ["eu"]\n',
        encoding="utf-8",
    )
    assert [store.name for store in storebridge.stores("@eu")] == ["a", "b"]
    with pytest.raises(ConfigError, match=r"means 2 stores \(a, b\)"):
        storebridge.open("@eu")


def test_a_sandbox_runs_in_process_and_remembers(tmp_path: Path) -> None:
    with storebridge.open("sandbox:template", state=tmp_path) as store:
        assert store.products.create(Product(handle="tee", title="Tee")).status is Status.APPLIED
    with storebridge.open("sandbox:template", state=tmp_path) as store:
        assert store.products.find("tee") is not None
    with storebridge.open("sandbox:template?memory", state=tmp_path) as store:
        assert store.products.find("tee") is None


@pytest.mark.parametrize("platform", ["shopify", "template", "woocommerce"])
def test_a_sandbox_in_another_folder_is_another_shop(
    platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name in ("a", "a", "b"):
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / name)
        with storebridge.open(f"sandbox:{platform}", state=tmp_path) as store:
            found.append(store.info.id)
    assert found[0] == found[1] != found[2]


def test_an_adapter_without_a_sandbox_says_what_to_try() -> None:
    with pytest.raises(ConfigError, match=r"local adapter has no sandbox; try local:shop\.db"):
        storebridge.open("sandbox:local")


# --- reading


def test_iter_gives_what_matches_and_asks_the_platform_for_less_where_it_can(fake: Store) -> None:
    products = platform(fake).products
    products.held = {
        "1": Product(id="1", handle="a", status="draft", vendor="Acme", title="A"),
        "2": Product(id="2", handle="b", status="draft", vendor="Beta", title="B"),
    }
    since = datetime(2026, 1, 1, tzinfo=UTC)
    found = fake.products.iter(
        "status = 'draft' and vendor = 'Acme' and id in ('1', '2')",
        fields=["title"],
        updated_since=since,
        raw=True,
    )
    assert [product.handle for product in found] == ["a"]
    (query,) = products.queries
    assert (query.status, query.ids, query.updated_since, query.raw) == (
        "draft", ("1", "2"), since, True,
    )  # fmt: skip
    assert set(query.fields or ()) == {"title", "status", "vendor", "id"}


def test_two_statuses_are_not_asked_for_as_one(fake: Store) -> None:
    list(fake.products.iter("status in ('draft', 'active')"))
    assert platform(fake).products.queries[0].status == ""


def test_a_wrong_where_is_an_error_before_anything_is_read(fake: Store) -> None:
    with pytest.raises(WhereError, match="no field 'vendr'"):
        list(fake.products.iter("vendr = 'Acme'"))
    assert platform(fake).products.queries == []


def test_pages_that_go_in_circles_end_with_an_error(fake: Store) -> None:
    platform(fake).products.cursors = ["", "a", "b", "a"]
    with pytest.raises(BadAnswer, match="product pages of acme go in circles"):
        list(islice(fake.products.pages(Query()), 10))
    assert len(platform(fake).products.queries) == 3


def test_get_is_by_id(shop: Store) -> None:
    made = shop.products.create(Product(handle="tee", title="Tee"))
    assert shop.products.get(made.id).title == "Tee"
    assert shop.products.get(f"id:{made.id}").title == "Tee"
    with pytest.raises(NotFound, match="no product with the id '999'"):
        shop.products.get("999")


def test_find_takes_a_bare_word_as_a_handle_before_a_sku(fake: Store) -> None:
    platform(fake).products.held = {
        "1": Product(id="1", handle="x", variants=(Variant(sku="tee"),)),
        "2": Product(id="2", handle="tee", variants=(Variant(sku="y"),)),
        "3": Product(id="3", handle="crème", variants=(Variant(sku="y"),)),
    }

    def found(key: str) -> str:
        product = fake.products.find(key)
        return product.id if product else ""

    assert found("tee") == "2"
    assert found("sku:tee") == "1"
    assert found("x") == "1"
    assert found("nothing") == ""
    assert found("handle:cre\u0300me") == "" or found("crème") == "3"
    with pytest.raises(Refused, match=r"'sku:y' means more than one product: .*id 2.*id 3"):
        fake.products.find("sku:y")
    with pytest.raises(NotSupported, match="finds no product by 'email'"):
        fake.products.find("email:a@example.com")


def test_customers_are_found_by_their_address(shop: Store) -> None:
    shop.customers.create(Customer(email="Ann@example.com", first_name="Ann"))
    found = shop.customers.find("ann@example.com")
    assert found is not None
    assert found.first_name == "Ann"


def test_discounts_are_found_by_a_code_in_any_case(shop: Store) -> None:
    shop.discounts.create(Discount(codes=("Ten", "X"), title="Tenner", percentage=Decimal(10)))
    shop.discounts.create(Discount(title="Three for two", percentage=Decimal(1)))
    for key in ("TEN", "ten", "code:tEn", "x"):
        found = shop.discounts.find(key)
        assert found is not None, key
        assert found.title == "Tenner"
    automatic = shop.discounts.find("Three for two")
    assert automatic is not None
    assert automatic.codes == ()
    assert shop.discounts.find("Tenner") is None
    assert shop.discounts.create(Discount(codes=("TEN",))).cause == "conflict"


def test_a_pull_takes_a_kind_by_its_plural(shop: Store) -> None:
    shop.discounts.create(Discount(codes=("TEN",), percentage=Decimal(10)))
    shop.reviews.create(Review(product="handle:tee", body="Good", email="a@example.com"))
    shop.categories.create(Category(path="A > B"))
    seen: list[tuple[str, int]] = []
    for kind in ("discounts", "discount", "reviews", "categories"):
        shop.pull(f"{kind}.jsonl", kind, on_progress=lambda *told: seen.append(told))
    assert seen == [("discount", 1), ("discount", 1), ("review", 1), ("category", 1)]


def test_a_kind_that_the_platform_lacks_says_so(fake: Store) -> None:
    assert fake.supports("product")
    assert not fake.supports("order")
    with pytest.raises(NotSupported, match="no records of kind 'order'"):
        fake.require("order")
    with pytest.raises(NotSupported):
        fake.orders  # noqa: B018 - the look at it is what raises


# --- direct writes


def test_create_update_upsert_delete(shop: Store) -> None:
    tee = Product(handle="tee", title="Tee", tags=("a",), variants=(Variant(sku="A", price=EUR),))
    made = shop.products.create(tee)
    assert (made.status, made.change) == (Status.APPLIED, "handle:tee")
    assert made.record == shop.products.get(made.id)
    edit = Product.model_validate({"handle": "tee", "title": "New", "tags+": ["b"]})
    assert shop.products.update(edit).status is Status.APPLIED
    now = shop.products.get(made.id)
    assert (now.title, now.tags, now.variants[0].sku) == ("New", ("a", "b"), "A")
    assert shop.products.update(edit).status is Status.UNCHANGED
    price = Product(variants=(Variant(sku="A", price=Money("8", "EUR")),))
    assert shop.products.upsert(price).id == made.id
    assert shop.products.get(made.id).variants[0].price == Money("8", "EUR")
    assert shop.products.upsert(Product(handle="cap", title="Cap")).id != made.id
    assert shop.products.delete(made.id).status is Status.APPLIED
    assert shop.products.find("tee") is None
    cap = shop.products.find("cap")
    assert cap is not None
    assert shop.products.delete(cap).status is Status.APPLIED


def test_a_product_without_a_status_is_a_draft(shop: Store) -> None:
    shop.products.create(Product(handle="tee", title="Tee"))
    shop.products.create(Product(handle="cap", title="Cap", status="active"))
    assert {p.handle: p.status for p in shop.products.iter()} == {"tee": "draft", "cap": "active"}


@pytest.mark.parametrize(
    ("verb", "record", "cause"),
    [
        ("create", Product(handle="tee", title="Other"), "conflict"),
        ("create", Product(handle="new", title="x", variants=(Variant(sku="A"),)), "conflict"),
        ("update", Product(handle="new", title="x"), "missing"),
        ("delete", Product(handle="new"), "missing"),
        ("delete", "999", "missing"),
        ("update", Product(handle="tee", variants=(Variant(sku="B"),)), "ambiguous"),
        ("upsert", Product(handle="new", variants=(Variant(sku="B"),)), "rename"),
        ("create", Product(handle="bad", variants=(Variant(price=Money("-1", "EUR")),)), "invalid"),
        ("update", Product(handle="tee", collections=("none",)), "reference"),
    ],
)
def test_what_can_not_be_done_is_an_outcome_and_changes_nothing(
    shop: Store, verb: str, record: Product | str, cause: str
) -> None:
    for handle, sku in (("tee", "A"), ("cap", "B")):
        shop.products.create(Product(handle=handle, title=handle, variants=(Variant(sku=sku),)))
    before = list(shop.products.iter())
    outcome = getattr(shop.products, verb)(record)
    assert (outcome.status, outcome.cause) == (Status.FAILED, cause)
    assert outcome.message
    assert outcome.remedy
    assert list(shop.products.iter()) == before


def test_a_record_is_renamed_by_its_id(shop: Store) -> None:
    made = shop.products.create(Product(handle="tee", title="Tee"))
    shop.products.update(Product(id=made.id, handle="shirt"))
    assert shop.products.get(made.id).handle == "shirt"


def test_handles_become_the_ids_of_the_records_they_name(fake: Store) -> None:
    platform(fake).collections.held = {"70": Collection(id="70", handle="summer")}
    fake.products.create(Product(handle="tee", title="Tee", collections=("summer",)))
    core, membership = platform(fake).products.batches
    assert membership.ids == core.ids == {"collection handle:summer": "70"}


def test_another_name_of_what_is_referred_to_is_no_difference(shop: Store) -> None:
    for name in "ab":
        shop.products.create(Product(handle=name, variants=(Variant(sku=name.upper()),)))
    first, other = "sku:A", f"id:{shop.products.find('b').id}"  # type: ignore[union-attr]
    items = shop.collections
    assert items.create(Collection(handle="sale", products=(first,))).status is Status.APPLIED
    for status in (Status.APPLIED, Status.UNCHANGED):
        assert items.upsert(Collection(handle="sale", products=(first, other))).status is status
    for kept in (Collection(handle="sale", products=("handle:a", "sku:B")),
                 Collection(handle="sale", products_add=("sku:B", "handle:b"))):  # fmt: skip
        assert items.update(kept).status is Status.UNCHANGED
    gone = items.update(Collection(handle="sale", products_remove=("sku:B",)))
    assert (gone.status, gone.message) == (Status.APPLIED, "")
    assert items.find("sale").products == (first,)  # type: ignore[union-attr]


@pytest.mark.parametrize("word", ["coat", "nope:coat"])
def test_a_reference_says_its_kind_of_key(shop: Store, word: str) -> None:
    outcome = shop.collections.create(Collection(handle="sale", products_add=(word,)))
    assert (outcome.status, outcome.cause) == (Status.FAILED, "invalid")
    assert outcome.message == f"products_add: This names a product by no kind of key ({word!r})"
    assert outcome.remedy == "Write handle:coat, sku:coat or id:coat, whichever it is"
    assert shop.collections.find("sale") is None


def test_each_part_is_a_change_and_later_ones_know_the_new_id(fake: Store) -> None:
    made = fake.products.create(Product(handle="tee", title="Tee", vendor="Acme"))
    core, later = platform(fake).products.batches
    assert [(c.part, c.action, c.record_id) for c in core.changes] == [("core", "create", "")]
    assert [(c.part, c.action, c.record_id) for c in later.changes] == [
        ("metafields", "update", made.id)
    ]
    assert later.changes[0].desired.vendor == "Acme"


def test_parts_after_a_failed_one_are_not_sent(fake: Store) -> None:
    platform(fake).products.refuses = {"core"}
    outcome = fake.products.create(Product(handle="tee", title="Tee", vendor="Acme"))
    assert (outcome.status, outcome.message) == (Status.FAILED, "no")
    assert len(platform(fake).products.batches) == 1


def test_one_failed_part_is_the_outcome_of_the_record(fake: Store) -> None:
    platform(fake).products.refuses = {"metafields"}
    outcome = fake.products.create(Product(handle="tee", title="Tee", vendor="Acme"))
    assert (outcome.status, outcome.id) == (Status.FAILED, "1")


def test_only_what_differs_is_sent(fake: Store) -> None:
    live = Product(id="1", handle="tee", title="Tee", tags=("a",), vendor="Acme")
    platform(fake).products.held = {"1": live}
    fake.products.update(Product(handle="tee", title="New", tags=("a",), vendor="Acme"))
    (batch,) = platform(fake).products.batches
    (change,) = batch.changes
    assert change.before is not None
    assert (change.desired.given, change.before.given) == ({"title"}, {"title"})
    assert change.key == "handle:tee"


def test_a_new_handle_goes_with_its_own_part_only(fake: Store) -> None:
    platform(fake).products.held = {"1": Product(id="1", handle="tee", vendor="Acme")}
    fake.products.update(Product(id="1", handle="shirt", vendor="Beta"))
    given = [batch.changes[0].desired.given for batch in platform(fake).products.batches]
    assert given == [{"handle"}, {"vendor"}]


def test_what_the_store_keeps_otherwise_than_sent_is_a_failure(fake: Store) -> None:
    platform(fake).products.spoil = lambda record: record.model_copy(update={"title": "TEE"})
    outcome = fake.products.create(Product(handle="tee", title="Tee"))
    assert (outcome.status, outcome.cause) == (Status.FAILED, "differs")
    assert "title: sent 'Tee', the store has 'TEE'" in outcome.message


def test_what_the_platform_can_not_hold_is_named(fake: Store) -> None:
    outcome = fake.products.create(Product(handle="tee", title="Tee", brand="Acme", url="x"))
    assert outcome.status is Status.APPLIED
    assert outcome.message == "Fake can't hold: brand, url"


def test_many_records_go_in_batches_and_outcomes_come_in_order(fake: Store) -> None:
    records = [Product(handle=f"p{number}", title="x") for number in range(7)]
    outcomes = list(fake.products.create_many(iter(records)))
    assert [outcome.change for outcome in outcomes] == [f"handle:p{n}" for n in range(7)]
    assert sorted(len(b.changes) for b in platform(fake).products.batches) == [1, 2, 2, 2]


def test_two_records_of_one_batch_may_not_mean_the_same_one(fake: Store) -> None:
    twins = [Product(handle="tee", title="A"), Product(handle="tee", title="B")]
    first, second = fake.products.upsert_many(twins)
    assert first.status is Status.APPLIED
    assert (second.status, second.cause) == (Status.FAILED, "ambiguous")


def test_two_records_of_several_batches_may_not_mean_the_same_one(fake: Store) -> None:
    handles = ["a", "b", "tee", "c", "d", "tee"]  # batches of two, and one look after the first
    outcomes = list(fake.products.create_many(Product(handle=h, title="x") for h in handles))
    assert [outcome.status for outcome in outcomes[:5]] == [Status.APPLIED] * 5
    assert (outcomes[5].status, outcomes[5].cause) == (Status.FAILED, "ambiguous")


def test_a_read_only_store_is_never_written_to() -> None:
    adapter = FakeAdapter()
    with Store(adapter, Opening(name="acme", access="read", state=Path("state"))) as store:
        with pytest.raises(AccessDenied, match="storebridge stores allow acme write"):
            store.products.create(Product(handle="tee", title="Tee"))
        assert adapter.products.batches == []
        assert store.products.find("tee") is None


def test_writers_at_once_lose_nothing_of_one_record(tmp_path: Path) -> None:
    url, state = f"local:{(tmp_path / 'shop.db').as_posix()}", tmp_path / "state"
    with storebridge.open(url, state=state) as store:
        store.products.create(Product(handle="tee", title="Tee"))

    def add(start: int) -> None:
        with storebridge.open(url, state=state) as mine:
            for number in range(start, start + 12):
                edit = Product.model_validate({"handle": "tee", "tags+": [f"t{number}"]})
                mine.products.update(edit)

    threads = [threading.Thread(target=add, args=(start,)) for start in (0, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with storebridge.open(url, state=state) as store:
        (tee,) = store.products.iter()
        assert len(tee.tags) == 24


def template(
    *, faults: dict[int, Fault] | None = None, state: Path
) -> tuple[Store, FaultTransport]:
    transport = FaultTransport(HandlerTransport(sandbox.create(None)), at(faults or {}))
    settings = TemplateSettings.model_validate(sandbox.settings())
    opening = Opening(state=state, clock=VirtualClock(), transport=transport)
    return Store(TemplateAdapter(settings), opening), transport


def test_a_lost_answer_to_a_create_makes_no_second_one(tmp_path: Path) -> None:
    plain, transport = template(state=tmp_path / "a")
    with plain:
        plain.products.create(Product(handle="tee", title="Tee"))
    posts = [e.number for e in transport.history if e.request.method == "POST"]
    store, _ = template(faults={posts[0]: Fault.LOST}, state=tmp_path / "b")
    with store:
        outcome = store.products.create(Product(handle="tee", title="Tee"))
        assert outcome.status is Status.APPLIED
        assert [product.id for product in store.products.iter()] == [outcome.id]


def test_call_reaches_any_endpoint(tmp_path: Path) -> None:
    store, transport = template(state=tmp_path)
    with store:
        answer = store.call(Request(method="GET", path="/info"))
    assert answer.status == 200
    assert "x-template-token" in {name.lower() for name in transport.history[-1].request.headers}


# --- plans and files


def test_a_plan_is_made_in_a_file_of_its_own_and_applied(shop: Store) -> None:
    with shop.plan([Product(handle="tee", title="Tee")]) as plan:
        assert plan.path.parent == Path(".storebridge/plans")
        assert plan.apply(shop).counts["applied"] == 1
    with shop.plan([Product(handle="tee", title="Tee")]) as again:
        assert again.is_empty
        assert again.path != plan.path


def test_a_pull_can_be_planned_from(shop: Store, tmp_path: Path) -> None:
    shop.collections.create(Collection(handle="summer", title="Summer"))
    shop.products.create(Product(handle="tee", title="Tee", vendor="Acme", collections=("summer",)))
    shop.products.create(Product(handle="cap", title="Cap", vendor="Beta"))
    seen: list[tuple[str, int]] = []
    shop.pull("all.jsonl", on_progress=lambda kind, count: seen.append((kind, count)))
    assert seen[-1] == ("product", 2)
    with storebridge.open("local:copy.db", state=tmp_path / "state") as copy:
        with copy.plan("all.jsonl") as plan:
            assert plan.apply(copy).ok
        assert {p.handle for p in copy.products.iter()} == {"tee", "cap"}
        tee = copy.products.find("tee")
        assert tee is not None
        assert tee.collections == ("summer",)
    shop.pull("some.jsonl", "product", where="vendor = 'Acme'")
    text = Path("some.jsonl").read_text(encoding="utf-8")
    assert "tee" in text
    assert "cap" not in text
