"""What campaigns against platforms share: shops, spoiled answers, and runs through both."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Self

from storebridge.adapter import Adapter, Query
from storebridge.compare import diff
from storebridge.engine import Engine, HandlerTransport, Transport
from storebridge.errors import StorebridgeError
from storebridge.flow import Outcome, Request, Response
from storebridge.models import Product, Record
from storebridge.plan import Plan
from storebridge.store import Store
from storebridge.testing import VirtualClock
from storebridge.testing.faults import Plan as Faults
from tests.campaigns.rig import Handler, Shop, settle

__all__ = ["Nemesis", "PlatformShop", "given", "survived"]

#: The network of each run.
Networks = Callable[[int], AbstractContextManager[Handler]]
_DONE = ("applied", "unchanged")


class PlatformShop(Shop):
    """A shop of a platform in this process, and its adapter with settings of the campaign's."""

    kinds: ClassVar[tuple[str, ...]]
    """What a campaign reads back."""

    def __init__(self, folder: Path, sandbox: Any = None, **values: Any) -> None:
        """Stand a shop up; `values` are settings of its adapter."""
        self.values = values
        super().__init__(folder, sandbox)

    def reach(self, request: Request) -> Response:
        """Answer as the shop's own screen does, past its troubles."""
        answer: Response = self.sandbox(request)
        return answer

    def docs(self) -> dict[str, Any]:
        """Return everything in the shop by name, without numbers and times of its own."""
        raise NotImplementedError

    def open(self, faults: Faults | None = None, inner: Transport | None = None) -> Store:
        """Return a new store object; the shop is asked for its facts past every fault."""
        store = super().open(faults, inner)
        with self._past(store.adapter) as engine:
            engine.run(store.adapter.info())
        return store

    def live(self) -> dict[tuple[str, str], Record]:
        """Return what is in the shop, past every fault, by kind and id."""
        own = self.adapter()
        found: dict[tuple[str, str], Record] = {}
        with self._past(own) as engine:
            for kind in self.kinds:
                cursor, first = "", True
                while cursor or first:
                    page = engine.run(own.records(kind).page(Query(), cursor))
                    found.update(((kind, record.id), record) for record in page.records)
                    cursor, first = page.cursor, False
        self._known = own
        return found

    def lacks(self, desired: Record, record: Record) -> Mapping[str, Any]:
        """Return the fields at which a record isn't as desired; new pictures by their texts."""
        lacking = dict(diff(self._known.normalise(desired).without("media"), record).after)
        if isinstance(desired, Product) and isinstance(record, Product):
            there = {media.id: media.alt for media in record.media}
            new = Counter(media.alt for media in desired.media if media.id not in there)
            missing = new - Counter(there.values())
            missing += Counter(m.alt for m in desired.media if there.get(m.id, m.alt) != m.alt)
            lacking |= {"media": missing} if missing else {}
        return lacking

    def planned(self, source: Iterable[Record], **options: Any) -> list[str]:
        """Return what a new plan would do, in words."""
        path = self.plan(source, "again.plan", **options)
        with Plan.open(path) as plan:
            found = [f"{c.action} {c.part} {c.label}: {c.fields}" for c in plan.changes()]
        path.unlink()
        return found

    def _past(self, own: Adapter) -> Engine:
        return Engine(own, clock=VirtualClock(), transport=HandlerTransport(self.reach))


class Nemesis:
    """Stands before a shop: answers are spoiled, or come in the shop's place, by chance.

    At its end the shop has done all that it had put off.
    """

    gone: ClassVar[Response]
    """What stands for an answer to work that goes on."""

    def __init__(
        self,
        shop: PlatformShop,
        seed: int,
        rate: float,
        kinds: Sequence[str],
        answer: Handler | None = None,
    ) -> None:
        """Spoil a share of the answers, in these ways, by chance that can be repeated."""
        self.shop, self.seed, self.rate, self.kinds = shop, seed, rate, kinds
        self.answer = answer or shop.sandbox
        self.hits, self._seen = Counter[str](), Counter[str]()
        self._todo: list[tuple[float, Request]] = []
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._work(all=True)

    def __call__(self, request: Request) -> Response:
        """Return the shop's answer, or what arrives in its place."""
        with self._lock:
            self._work()
            place = self.place(request)
            self._seen[place] += 1
            dice = random.Random(f"{self.seed} {place} {self._seen[place]}")
            kind = dice.choice(self.kinds) if dice.random() < self.share(request) else ""
            self.hits[kind] += 1
            if kind == "later" and request.kind.mutates:
                now = self.shop.clock.time()
                self._todo += [(now + after, part) for after, part in self.later(request, dice)]
                return self.gone
        return self.said(request, kind, dice)

    def place(self, request: Request) -> str:
        """Return what requests are counted by."""
        raise NotImplementedError

    def share(self, request: Request) -> float:
        """Return how many of such requests are hit."""
        return self.rate

    def later(self, request: Request, dice: random.Random) -> Iterable[tuple[float, Request]]:
        """Yield the pieces in which a request is done, and in how many seconds."""
        raise NotImplementedError

    def said(self, request: Request, kind: str, dice: random.Random) -> Response:
        """Return an answer spoiled in one way; "" for as it is."""
        raise NotImplementedError

    def _work(self, *, all: bool = False) -> None:
        """Do what the shop has come to by now, or all that is left."""
        now = self.shop.clock.time()
        due = [each for each in self._todo if all or each[0] <= now]
        self._todo = [each for each in self._todo if each not in due]
        for _, request in sorted(due, key=lambda each: each[0]):
            self.shop.reach(request)


def survived(
    plain: PlatformShop,
    faulty: PlatformShop,
    plan: Path,
    faults: Callable[[int], Faults],
    network: Networks,
) -> int:
    """Hold a plan's end in a faulty shop against its end in a plain one; return its changes."""
    copy = Path(shutil.copy(plan, faulty.folder))
    report = plain.apply(plan)
    assert report.ok, list(report.items("failed", "unknown"))[:3]
    settle(faulty, copy, faults, network)
    one, other = faulty.docs(), plain.docs()
    differs = [name for name in {*one, *other} if one.get(name) != other.get(name)]
    assert not differs, differs
    return report.planned


def given(
    shop: PlatformShop,
    source: Sequence[Record],
    faults: Callable[[int], Faults],
    network: Networks,
    rounds: int = 40,
) -> int:
    """Create records without a plan, and give those again that aren't told as done.

    Returns:
        How many records were given in all.
    """
    rest, count = list(source), 0
    for number in range(rounds):
        verb = "create" if number == 0 else "upsert"
        with network(number) as between, shop.open(faults(number), HandlerTransport(between)) as to:
            outcomes = _told(to, rest, verb)
        _hold(shop, rest, verb, outcomes)
        count += len(rest)
        rest = [r for r, o in zip(rest, outcomes, strict=True) if str(o.status) not in _DONE]
        if not rest:
            return count
        shop.clock.advance(600)
    raise AssertionError([(o.change, o.message) for o in outcomes])


def _told(store: Store, source: Sequence[Record], verb: str) -> list[Outcome]:
    items: Any = store.items(source[0].kind)
    try:
        return list(getattr(items, f"{verb}_many")(source))
    except StorebridgeError as error:
        return [Outcome.failure(each.label, error) for each in source]


def _hold(
    shop: PlatformShop, source: Sequence[Record], verb: str, outcomes: Sequence[Outcome]
) -> None:
    """Hold each answer against the shop."""
    found = (each for (kind, _), each in shop.live().items() if kind == source[0].kind)
    live = {name: each for each in found for name in each.keys()}  # noqa: SIM118 - names of its own
    assert len(outcomes) == len(source)
    for record, outcome in zip(source, outcomes, strict=True):
        where = f"{verb} {record.label}: {outcome}"
        if str(outcome.status) in _DONE:
            assert not shop.lacks(record, live[record.keys()[0]]), where
        else:
            assert outcome.cause, where
            assert outcome.message, where
            assert outcome.remedy or outcome.status == "unknown", where
