"""People work in the shop meanwhile: nothing of theirs is overwritten, and only the plan changes.

What a person changed is compared leaf by leaf: it must be there in the end. The one moment that no
platform without conditional writes can guard is between the look at a batch and the write of the
same field; edits of other fields survive then too.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import Any

import pytest

from storebridge.flow import Request, Response
from storebridge.plan import Plan, PlannedChange
from storebridge.testing import Fault, Killed, at
from tests.campaigns.rig import (
    Leaves,
    Shop,
    ask,
    catalogue,
    check,
    differing,
    docs,
    finished,
    leaves,
)

Edit = Callable[[Shop, dict[str, Any], random.Random], None]


# -- what people do


def _patch(**fields: Any) -> Edit:
    def edit(shop: Shop, doc: dict[str, Any], chance: random.Random) -> None:
        ask(shop.sandbox, "PATCH", f"/products/{doc['id']}", fields)

    return edit


def _price(shop: Shop, doc: dict[str, Any], chance: random.Random) -> None:
    variant = {"id": chance.choice(doc["variants"])["id"], "price": "0.77"}
    variant["compare_at_price"] = None
    ask(shop.sandbox, "PATCH", f"/products/{doc['id']}", {"variants": [variant]})


def _another_variant(shop: Shop, doc: dict[str, Any], chance: random.Random) -> None:
    variant = {"options": ["XXL"], "price": "9.00", "sku": f"human-{doc['id']}"}
    ask(shop.sandbox, "PATCH", f"/products/{doc['id']}", {"variants": [variant]})


def _stock(shop: Shop, doc: dict[str, Any], chance: random.Random) -> None:
    level = {"variant": doc["variants"][0]["id"], "location": "Main", "available": 777}
    ask(shop.sandbox, "PUT", f"/products/{doc['id']}/inventory", {"levels": [level]})


def _translation(shop: Shop, doc: dict[str, Any], chance: random.Random) -> None:
    text = {"locale": "de", "field": "title", "value": "Von Hand"}
    ask(shop.sandbox, "PUT", f"/products/{doc['id']}/translations", {"translations": [text]})


def _delete(shop: Shop, doc: dict[str, Any], chance: random.Random) -> None:
    ask(shop.sandbox, "DELETE", f"/products/{doc['id']}")


EDITS: dict[str, Edit] = {
    "title": _patch(title="By hand"),
    "texts": _patch(description_html="<p>By hand</p>", seo={"title": "By hand"}),
    "other field": _patch(type="By hand"),
    "tags": _patch(tags=["by", "hand"]),
    "unpublish": _patch(status="archived"),
    "price": _price,
    "variant": _another_variant,
    "stock": _stock,
    "translation": _translation,
    "delete": _delete,
}
#: What is written after the records themselves.
LATER = ("stock", "translation")


def work(shop: Shop, chance: random.Random, names: Sequence[str], share: float) -> Counter[str]:
    """Edit a share of the products, each in one of these ways; return how often which."""
    done = Counter[str]()
    for doc in ask(shop.sandbox, "GET", "/products")["items"]:
        if chance.random() < share:
            name = chance.choice(names)
            EDITS[name](shop, doc, chance)
            done[name] += 1
    return done


class Edited:
    """A plan for a shop in which people work, and what they may expect."""

    def __init__(self, folder: Path, seed: int, products: int = 10) -> None:
        self.chance = random.Random(f"edits {seed}")
        self.shop = Shop(folder)
        self.shop.fill(catalogue(seed, products))
        self.plan = self.shop.plan(catalogue(seed + 1000, products))
        with Plan.open(self.plan) as plan:
            self.planned = {(change.label, change.part) for change in plan.changes()}
        self.first = leaves(docs(self.shop.sandbox))
        self.theirs: Leaves = {}
        self.edits = self.writes = self.moment = 0

    def __enter__(self) -> Edited:
        return self

    def __exit__(self, *_: object) -> None:
        self.shop.sandbox.close()

    def __call__(self, request: Request) -> Response:
        """Answer as the platform; at one write people edit what is written later, or never."""
        self.writes += request.kind.mutates
        if request.kind.mutates and self.writes == self.moment:
            self.work(("other field", "variant", *LATER), share=0.7)
        return self.shop.sandbox(request)

    def work(self, names: Sequence[str] = tuple(EDITS), share: float = 0.6) -> None:
        """Let people edit, and keep what they changed."""
        before = leaves(docs(self.shop.sandbox))
        self.edits += sum(work(self.shop, self.chance, names, share).values())
        after = leaves(docs(self.shop.sandbox))
        self.theirs |= {path: after.get(path) for path in differing(before, after)}

    def check(self, done: Set[str] = frozenset()) -> None:
        """All that people changed is as they left it; where it stood in the way, that is told.

        `done` are the changes that were finished before anybody edited.
        """
        if not done:
            check(self.shop, self.plan)
        now = leaves(docs(self.shop.sandbox))
        lost = {path: now.get(path) for path in self.theirs if now.get(path) != self.theirs[path]}
        assert not lost, f"overwritten: {lost}"
        with Plan.open(self.plan) as plan:
            report = plan.report()
            left = list(report.items("skipped", "failed"))
            told = {item.label for item in left if item.cause in ("conflict", "missing")}
            rest = [change for change in plan.changes() if str(change.seq) not in done]
        wanted = {change.label for change in rest if self._in_the_way(change)}
        assert wanted <= told, f"not reported: {wanted - told}"
        assert report.counts["unknown"] == report.counts["open"] == 0
        assert all(item.cause in ("conflict", "missing") for item in left), left

    def _in_the_way(self, change: PlannedChange) -> bool:
        """Return whether people took the record away, or gave a field that is changed a value."""
        start = f".products {change.label}."
        if self.theirs.get(f"{start}handle", "") is None:
            return True
        fields = {path.partition("[")[0].partition(".")[0] for path, _, _ in change.fields}
        plain = fields & {"title", "tags", "status", "description_html"}
        return any(f"{start}{field}" in self.theirs for field in plain)


def edits_before_apply(folder: Path, rounds: int) -> int:
    """Edit between plan and apply; return how many edits there were."""
    total = 0
    for seed in range(rounds):
        with Edited(folder / str(seed), seed) as edited:
            edited.work()
            edited.shop.apply(edited.plan)
            edited.check()
            total += edited.edits
    return total


def edits_meanwhile(folder: Path, rounds: int) -> int:
    """Edit in the middle of a run what is written later, or never; return how many edits."""
    total = 0
    for seed in range(rounds):
        with Edited(folder / str(seed), seed) as edited:
            edited.moment = edited.chance.randrange(3, 12)
            edited.shop.apply(edited.plan, network=edited)
            edited.check()
            total += edited.edits
    return total


def edits_before_resume(folder: Path, rounds: int) -> int:
    """Kill a run, edit, and run again; return how many edits there were."""
    total = 0
    for seed in range(rounds):
        with Edited(folder / str(seed), seed) as edited:
            death = at({edited.chance.randrange(5, 30): Fault.KILLED_BEFORE})
            with pytest.raises(Killed):
                edited.shop.apply(edited.plan, death)
            done = finished(edited.plan)
            edited.work()
            edited.shop.apply(edited.plan)
            edited.check(done)
            total += edited.edits
    return total


def test_edits_between_plan_and_apply(tmp_path: Path) -> None:
    assert edits_before_apply(tmp_path, 3) > 12


def test_edits_in_the_middle_of_a_run(tmp_path: Path) -> None:
    assert edits_meanwhile(tmp_path, 2) > 8


def test_edits_between_a_kill_and_its_resume(tmp_path: Path) -> None:
    assert edits_before_resume(tmp_path, 3) > 12


@pytest.mark.soak
@pytest.mark.parametrize("edits", [edits_before_apply, edits_meanwhile, edits_before_resume])
def test_edits_for_long(tmp_path: Path, edits: Callable[[Path, int], int]) -> None:
    assert edits(tmp_path, 150) > 800
