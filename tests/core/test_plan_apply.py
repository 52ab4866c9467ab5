"""Applying: exactly what was shown, once, and never over what a person changed."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storebridge import Store
from storebridge.adapter import Batch, Change
from storebridge.compare import Patch, flatten
from storebridge.errors import AuthError, Locked, OutcomeUnknown
from storebridge.flow import Flow, Outcome, Status, report
from storebridge.models import Product, Variant
from storebridge.plan import Plan
from tests.conftest import OpenStore
from tests.records import CATALOGUE, euro, mug, tee

EDIT = (
    Product(handle="tee", title="Tee 2", variants=(Variant(sku="TEE-S", price=euro("12.00")),)),
    Product(handle="mug", title="Mug 2"),
)


@pytest.fixture
def plan(filled: Store, tmp_path: Path) -> Plan:
    """A plan that changes the tee and the mug."""
    return filled.plan(EDIT, tmp_path / "edit.plan")


def title(store: Store, handle: str) -> str:
    found = store.products.find(handle)
    assert found is not None
    return found.title


def test_the_counts_add_up_to_the_plan(filled: Store, plan: Plan) -> None:
    outcome = plan.apply(filled)
    assert outcome.planned == sum(outcome.counts.values()) == 2
    assert outcome.ok
    assert outcome.exit_code == 0
    assert str(outcome).endswith("2 applied")


def test_applying_twice_sends_nothing_twice(filled: Store, plan: Plan) -> None:
    plan.apply(filled)
    filled.products.update(Product(handle="mug", title="Mine"))
    assert plan.apply(filled).counts["applied"] == 2
    assert title(filled, "mug") == "Mine"


def test_a_field_that_was_changed_since_the_plan_is_refused(filled: Store, plan: Plan) -> None:
    filled.products.update(Product(handle="mug", title="Mine"))
    outcome = plan.apply(filled)
    (item,) = outcome.items("skipped")
    assert (item.label, item.cause) == ("mug", "conflict")
    assert "title" in item.message
    assert outcome.exit_code == 5
    assert (title(filled, "mug"), title(filled, "tee")) == ("Mine", "Tee 2")


def test_another_field_or_a_sale_is_no_conflict(filled: Store, plan: Plan) -> None:
    filled.products.update(Product(handle="mug", vendor="Mine"))
    assert plan.apply(filled).ok
    found = filled.products.find("mug")
    assert found is not None
    assert (found.title, found.vendor) == ("Mug 2", "Mine")


def test_overwrite_sends_it_and_remembers_what_was_there(
    filled: Store, plan: Plan, tmp_path: Path
) -> None:
    filled.products.update(Product(handle="mug", title="Mine"))
    assert plan.apply(filled, on_conflict="overwrite").ok
    assert title(filled, "mug") == "Mug 2"
    with plan.undo(tmp_path / "undo.plan", filled) as undo:
        undo.apply(filled)
    assert title(filled, "mug") == "Mine"


def test_replan_shows_the_new_value_before_anything_is_overwritten(
    filled: Store, plan: Plan, tmp_path: Path
) -> None:
    filled.products.update(Product(handle="mug", title="Mine"))
    plan.apply(filled, on_conflict="replan")
    assert title(filled, "mug") == "Mine"
    with plan.replan(tmp_path / "again.plan", filled) as again:
        (change,) = again.changes()
        assert change.fields == (("title", "Mine", "Mug 2"),)
        assert again.apply(filled).ok
    assert title(filled, "mug") == "Mug 2"


def test_somebody_who_did_the_same_leaves_nothing_to_do(filled: Store, plan: Plan) -> None:
    filled.products.update(Product(handle="mug", title="Mug 2"))
    outcome = plan.apply(filled)
    assert (outcome.counts["applied"], outcome.counts["unchanged"]) == (1, 1)


def test_a_record_that_is_gone_is_told(filled: Store, plan: Plan) -> None:
    filled.products.delete(filled.products.find("mug"))  # type: ignore[arg-type]  # it is there
    (item,) = plan.apply(filled).items("skipped")
    assert "no longer in the store" in item.message


def test_a_record_that_somebody_created_meanwhile_is_not_doubled(
    store: Store, tmp_path: Path
) -> None:
    with store.plan([mug()], tmp_path / "a.plan") as made:
        store.products.create(mug(title="Theirs"))
        outcome = made.apply(store)
    assert outcome.conflicts == 1
    assert [p.title for p in store.products.iter()] == ["Theirs"]


def test_a_failed_change_fails_alone_and_is_sent_again_only_on_request(
    store: Store, tmp_path: Path
) -> None:
    with store.plan([tee(collections=()), mug()], tmp_path / "a.plan") as made:
        store.products.create(Product(handle="taken", title="X", variants=(Variant(sku="MUG"),)))
        outcome = made.apply(store)
        assert (outcome.counts["applied"], outcome.counts["failed"]) == (1, 1)
        (item,) = outcome.items("failed")
        assert item.cause == "conflict"
        assert item.remedy
        store.products.delete(store.products.find("taken"))  # type: ignore[arg-type]  # as above
        assert made.apply(store).counts["failed"] == 1
        assert made.apply(store, retry_failed=True).ok


def test_one_plan_at_a_time_and_the_loser_hears_who(
    filled: Store, plan: Plan, open_store: OpenStore
) -> None:
    other = open_store()
    held, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with other.state.lock("apply", 0, "applying night.plan"):
            held.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    with pytest.raises(Locked, match=r"night\.plan"):
        plan.apply(filled)
    leave.set()
    thread.join()
    assert plan.apply(filled).ok


class Twisted:
    """Stands before an adapter's write and changes what it does."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.records = store.adapter.records("product")
        self.real = self.records.write
        monkeypatch.setattr(self.records, "write", self.write)
        self.batches: list[Batch[Any]] = []
        self.mode = ""

    def write(self, batch: Batch[Any]) -> Flow[None]:
        self.batches.append(batch)
        if self.mode == "silent":
            return
        if self.mode == "denied":
            raise AuthError("the token was revoked", status=401)
        if self.mode == "lost":
            yield from self.real(batch)
            raise OutcomeUnknown("no answer")
        if self.mode == "liar":
            changes = batch.changes
            yield from report(
                [Outcome(change=c.id, status=Status.APPLIED, id=c.record_id) for c in changes]
            )
            return
        yield from self.real(batch)


def _claimed(change: Change[Any]) -> Outcome:
    return Outcome(change=change.id, status=Status.APPLIED, id=change.record_id)


def test_accepted_but_different_is_a_failure_with_both_values(
    filled: Store, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    Twisted(filled, monkeypatch).mode = "liar"
    outcome = plan.apply(filled)
    items = {item.label: item for item in outcome.items("failed")}
    assert items["mug"].cause == "differs"
    assert "title: sent 'Mug 2', the store has 'Mug'" in items["mug"].message
    assert outcome.exit_code == 4


def test_no_outcome_means_unknown_and_the_next_run_looks_again(
    filled: Store, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    twisted = Twisted(filled, monkeypatch)
    twisted.mode = "silent"
    assert plan.apply(filled).counts["unknown"] == 2
    twisted.mode = ""
    assert plan.apply(filled).ok
    first, second = twisted.batches
    assert first.id == second.id
    assert second.uncertain == {change.id for change in second.changes}


def test_refused_credentials_stop_the_run_and_it_goes_on_later(
    filled: Store, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    twisted = Twisted(filled, monkeypatch)
    twisted.mode = "denied"
    with pytest.raises(AuthError):
        plan.apply(filled)
    assert len(twisted.batches) == 1
    twisted.mode = ""
    assert plan.apply(filled, retry_failed=True).ok


def test_history_tells_what_was_applied(filled: Store, plan: Plan) -> None:
    plan.apply(filled)
    newest = filled.state.history()[0]
    assert newest.digest == plan.digest
    assert newest.counts["applied"] == 2


def test_what_is_sent_is_what_was_shown(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twisted = Twisted(store, monkeypatch)
    with store.plan([p for p in CATALOGUE if p.kind == "product"], tmp_path / "a.plan") as made:
        shown = {str(c.seq): {path: after for path, _, after in c.fields} for c in made.changes()}
        made.apply(store)
    for batch in twisted.batches:
        for change in batch.changes:
            if change.action == "create":
                sent = Patch({}, json.loads(change.desired.model_dump_json()))
                assert {p: after for p, _, after in flatten(Product, sent)} == shown[change.id]


def test_a_field_that_the_platform_never_shows_is_sent_once(
    filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = filled.adapter.records("product")
    blind = replace(records.fields["platform_fields"], read=False)
    monkeypatch.setattr(records, "fields", {**records.fields, "platform_fields": blind})
    real = records.fetch

    def hidden(keys: Any, fields: Any) -> Any:
        found = yield from real(keys, fields)
        return tuple(record.without("platform_fields") for record in found)

    monkeypatch.setattr(records, "fetch", hidden)
    source = [Product(handle="mug", platform_fields={"local": {"shelf": 7}})]
    with filled.plan(source, tmp_path / "a.plan") as made:
        assert made.apply(filled).ok
    assert filled.plan(source, tmp_path / "b.plan").is_empty
    other = [Product(handle="mug", platform_fields={"local": {"shelf": 8}})]
    assert not filled.plan(other, tmp_path / "c.plan").is_empty
