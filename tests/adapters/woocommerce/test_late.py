"""Servers that begin with a request after the client has given it up: made once, or told unknown.

Without a SKU nothing in WooCommerce stops a second product, so what was sent isn't sent again while
the first request may still be waiting for a worker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.adapters.woocommerce.shop import Shop, tee

from storebridge.errors import OutcomeUnknown
from storebridge.flow import Request, RequestKind, Response
from storebridge.models import (
    Amount,
    Comment,
    LineItem,
    Money,
    Option,
    Order,
    Product,
    Record,
    Variant,
)
from storebridge.testing.rig import creation

_TEN_MINUTES = 600.0


class Late:
    """A shop whose server begins with the first request of a path after some seconds."""

    def __init__(self, path: str, seconds: float) -> None:
        self.shop = Shop()
        self.shop.learn()
        self.path, self.seconds = path, seconds
        self.sent = 0
        self.reading: Callable[[Request], None] = lambda _request: None
        self._todo: list[tuple[float, Request]] = []

    def begin(self) -> None:
        """From now on the server is late."""
        self.shop.between = self._answer

    def _answer(self, request: Request, sandbox: Any) -> Response:
        now = self.shop.clock.time()
        due = [each for at, each in self._todo if at <= now]
        self._todo = [(at, each) for at, each in self._todo if at > now]
        for each in due:
            sandbox(each)
        if request.kind is RequestKind.CREATE and request.path.endswith(self.path):
            self.sent += 1
            if self.sent == 1:
                self._todo.append((now + self.seconds, request))
                raise OutcomeUnknown("no answer in time", covers=request.covers)
        if request.kind is RequestKind.READ:
            self.reading(request)
        said: Response = sandbox(request)
        return said

    def work(self) -> None:
        """Let the server do all that is left."""
        for _, request in self._todo:
            self.shop.sandbox(request)
        self._todo = []

    def count(self, path: str) -> int:
        """Return how many records of a path there are."""
        return len(self.shop.sandbox_rows(f"/wp-json/wc/v3{path}"))


def nameless(name: str = "a") -> Product:
    """Return a product that the shop would take twice."""
    return tee(name, variant={"sku": ""})


@pytest.mark.parametrize("seconds", [20, 120, 500])
def test_a_product_that_is_made_late_is_found_and_not_sent_again(seconds: float) -> None:
    late = Late("/products/batch", seconds)
    late.begin()
    [outcome] = late.shop.create(nameless())
    late.work()
    assert outcome.status == "applied", outcome
    assert (late.sent, late.count("/products")) == (1, 1)


def test_a_product_that_is_made_an_hour_late_is_unknown_and_adopted_by_the_next_run() -> None:
    late = Late("/products/batch", 3_600)
    late.begin()
    change = creation(nameless(), "1")
    [outcome] = late.shop.write("product", change, id="same")
    assert (outcome.status, outcome.cause, late.sent) == ("unknown", "lost", 1)
    assert "Apply again" in outcome.remedy
    late.work()
    [outcome] = late.shop.write("product", change, id="same", uncertain=frozenset({"1"}))
    assert outcome.status == "applied"
    assert (late.sent, late.count("/products")) == (1, 1)


@pytest.mark.parametrize("seconds", [0.5, 20, 120, 500])
def test_a_run_that_follows_a_kill_at_once_doubles_nothing_either(seconds: float) -> None:
    late = Late("/products/batch", seconds)
    late.begin()
    change = creation(nameless(), "1")
    late.reading = _killed
    with pytest.raises(KeyboardInterrupt):
        late.shop.write("product", change, id="same")
    late.reading = lambda _request: None
    [outcome] = late.shop.write("product", change, id="same", uncertain=frozenset({"1"}))
    late.work()
    assert outcome.status == "applied", outcome
    assert (late.sent, late.count("/products")) == (1, 1)


def _killed(request: Request) -> None:
    raise KeyboardInterrupt


def test_what_never_arrived_is_sent_by_the_next_run_once_the_server_must_be_done() -> None:
    late = Late("/products/batch", 1e9)
    late.begin()
    change = creation(nameless(), "1")
    [outcome] = late.shop.write("product", change, id="same")
    assert (outcome.status, late.sent) == ("unknown", 1)
    began = late.shop.clock.time()
    [outcome] = late.shop.write("product", change, id="same", uncertain=frozenset({"1"}))
    assert outcome.status == "applied"
    assert late.shop.clock.time() - began >= _TEN_MINUTES
    assert (late.sent, late.count("/products")) == (2, 1)


def test_a_look_that_fails_does_not_count() -> None:
    late = Late("/products/batch", 5)
    failing = iter(range(2))

    def reading(request: Request) -> None:
        if late.sent and next(failing, None) is not None:
            raise OutcomeUnknown("the network is down")

    late.reading = reading
    late.begin()
    [outcome] = late.shop.create(nameless())
    assert outcome.status == "applied", outcome
    assert (late.sent, late.count("/products")) == (1, 1)


def test_with_a_sku_it_is_sent_again_soon_and_the_late_one_is_refused() -> None:
    late = Late("/products/batch", 20)
    late.begin()
    began = late.shop.clock.time()
    [outcome] = late.shop.create(tee("a"))
    assert late.shop.clock.time() - began < 20
    late.work()
    assert outcome.status == "applied"
    assert (late.sent, late.count("/products")) == (2, 1)


def test_where_wordpress_says_that_it_died_the_others_do_not_wait() -> None:
    """An error of PHP's own ends the request: nothing of it can come later."""
    error = b'{"code":"internal_server_error","message":"x"}'
    shop = Shop()
    shop.learn()
    shop.between, began = _dying(Response(status=500, body=error)), shop.clock.time()
    outcomes = shop.create(nameless("a"), nameless("bad"), nameless("c"))
    assert [outcome.status for outcome in outcomes] == ["applied", "unknown", "applied"]
    assert len(shop.all()) == 2
    assert shop.clock.time() - began < 60


def test_the_next_run_sends_what_is_uncertain_one_by_one() -> None:
    """One bad item can kill a batch each time: the others get past it."""
    shop = Shop()
    shop.learn()
    shop.between = _dying(Response(status=502, body=b"<html>Bad gateway</html>"))
    changes = [creation(nameless(name), name) for name in ("a", "bad", "c")]
    first = shop.write("product", *changes, id="same")
    assert {str(outcome.status) for outcome in first} == {"unknown"}
    assert shop.all() == []
    again = shop.write("product", *changes, id="same", uncertain=frozenset(("a", "bad", "c")))
    assert [outcome.status for outcome in again] == ["applied", "unknown", "applied"]
    assert len(shop.all()) == 2


def test_variants_that_are_made_late_are_found_and_not_sent_again() -> None:
    late = Late("/variations/batch", 120)
    late.begin()
    [outcome] = late.shop.create(_shirt("a"))
    late.work()
    assert outcome.status == "applied", outcome
    [live] = late.shop.fetch("handle:a")
    assert (late.sent, len(live.variants)) == (1, 2)


def test_an_order_that_is_made_late_is_found_and_not_sent_again() -> None:
    late = Late("/orders/batch", 120)
    late.shop.create(tee("a"))
    late.begin()
    total = Amount(shop=Money("9.90", "USD"))
    line = LineItem(sku="A", title="A", quantity=1, total=total)
    [outcome] = late.shop.create(Order(key="erp-1", line_items=(line,), currency="USD"))
    late.work()
    assert outcome.status == "applied", outcome
    assert (late.sent, late.count("/orders")) == (1, 1)


@pytest.mark.parametrize("seconds", [20, 120, 3_600])
def test_a_note_that_is_made_late_reaches_the_customer_once(seconds: float) -> None:
    late = Late("/notes", seconds)
    late.shop.create(tee("a"))
    total = Amount(shop=Money("9.90", "USD"))
    line = LineItem(sku="A", title="A", quantity=1, total=total)
    [made] = late.shop.create(Order(key="erp-1", line_items=(line,), currency="USD"))
    late.begin()
    change = creation(Order(comments=(Comment(text="Sent today", to_customer=True),)), "1")
    change = _update(change, made.id)
    [outcome] = late.shop.write("order", change, id="same")
    assert outcome.status == ("applied" if seconds < _TEN_MINUTES else "unknown"), outcome
    late.work()
    assert late.sent == 1
    again = frozenset({"1"})
    [outcome] = late.shop.write("order", change, id="same", uncertain=again)
    assert outcome.status == "applied"
    notes = late.shop.sandbox_rows(f"/wp-json/wc/v3/orders/{made.id}/notes")
    assert [note["note"] for note in notes if note["customer_note"]] == ["Sent today"]


def test_a_note_of_a_run_that_was_killed_is_waited_for() -> None:
    late = Late("/notes", 120)
    late.shop.create(tee("a"))
    total = Amount(shop=Money("9.90", "USD"))
    line = LineItem(sku="A", title="A", quantity=1, total=total)
    [made] = late.shop.create(Order(key="erp-1", line_items=(line,), currency="USD"))
    late.begin()
    change = creation(Order(comments=(Comment(text="Sent today", to_customer=True),)), "1")
    change = _update(change, made.id)
    late.reading = lambda request: _killed(request) if late.sent else None
    with pytest.raises(KeyboardInterrupt):
        late.shop.write("order", change, id="same")
    late.reading = lambda _request: None
    [outcome] = late.shop.write("order", change, id="same", uncertain=frozenset({"1"}))
    assert (outcome.status, late.sent) == ("applied", 1)


def test_a_run_waits_once_for_all_that_is_uncertain() -> None:
    """Ten products and their variants cost ten minutes together, not ten minutes each."""
    late = Late("/nothing", 0)
    late.begin()
    records: list[Record] = [_shirt(f"s{number}") for number in range(5)]
    changes = [creation(record, str(number)) for number, record in enumerate(records)]
    began = late.shop.clock.time()
    outcomes = late.shop.write("product", *changes, uncertain=frozenset(c.id for c in changes))
    assert {outcome.status for outcome in outcomes} == {"applied"}
    assert _TEN_MINUTES <= late.shop.clock.time() - began < _TEN_MINUTES + 120


def _dying(answer: Response) -> Callable[[Request, Any], Response]:
    """Return a network behind which the server dies of one product, with all that is with it."""

    def died(request: Request, sandbox: Any) -> Response:
        body = request.body if isinstance(request.body, bytes) else b""
        if request.path.endswith("/products/batch") and b'"Tee bad"' in body:
            return answer
        said: Response = sandbox(request)
        return said

    return died


def _update(change: Any, record_id: str) -> Any:
    from dataclasses import replace

    return replace(change, action="update", part="publication", record_id=record_id)


def _shirt(handle: str) -> Product:
    variants = tuple(Variant(options=(size,), price=Money("9", "USD")) for size in ("S", "M"))
    options = (Option(name="Size", values=("S", "M")),)
    return Product(handle=handle, title=handle, options=options, variants=variants)
