"""Redirects: read to the last, written one by one, and many new ones by a file."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.shopify.shop import Handler, Shop, operation

import storebridge
from storebridge.adapter import Batch, Change, Query
from storebridge.errors import OutcomeUnknown
from storebridge.flow import Multipart, Request, Response, Status
from storebridge.models import Redirect
from storebridge.testing.rig import MemoryJournal, creation
from storebridge.testing.sandbox import answer

MANY = 45


def redirects(shop: Shop, **query: Any) -> list[Redirect]:
    """Return all redirects, page by page."""
    records, cursor, found = shop.adapter.records("redirect"), "", list[Redirect]()
    while True:
        page = shop.engine.run(records.page(Query(**query), cursor))
        found += page.records
        if not page.cursor:
            return found
        cursor = page.cursor


def some(count: int = MANY) -> list[Change[Any]]:
    rows = [Redirect(path=f"/old/{n}", target=f"/new/{n}") for n in range(count)]
    return [creation(each, f"c{n}") for n, each in enumerate(rows)]


def job(shop: Shop, *changes: Change[Any], **more: Any) -> Any:
    return shop.write("redirect", *changes, way="bulk", **more)


def losing(name: str, times: int = 1) -> Any:
    """Return what loses the answers to an operation so often, after it was carried out."""
    left = [times]

    def between(request: Request, sandbox: Handler) -> Response:
        answer = sandbox(request)
        sent = json.loads(request.body) if isinstance(request.body, bytes) else None
        if left[0] and sent and operation(sent) == name:
            left[0] -= 1
            raise OutcomeUnknown("gone")
        return answer

    return between


def test_a_redirect_is_made_changed_found_and_deleted() -> None:
    shop = Shop()
    [id_] = shop.create(Redirect(path="old page/", target="https://other.example/x?a=1"))
    found = shop.read(id_, "redirect")
    assert (found.path, found.target) == ("/old page/", "https://other.example/x?a=1")
    shop.update(id_, Redirect(target="/new"))
    [sent] = shop.variables("RedirectUpdate")
    assert sent["redirect"] == {"target": "/new"}
    records = shop.adapter.records("redirect")
    keys = ["path:/old page/", "path:old page/", "path:/old", "path:/none'\\ OR path:*"]
    assert [each.id for each in shop.engine.run(records.fetch(keys, None))] == [id_]
    change = Change(id="1", action="delete", part="core", record_id=id_, desired=found)
    for _ in range(2):
        assert shop.write("redirect", change)[0].status is Status.APPLIED
    assert redirects(shop) == []


def test_all_are_read_whenever_they_were_changed() -> None:
    shop = Shop(page_size=2)
    ids = shop.create(*(Redirect(path=f"/{n}", target="/") for n in range(5)))
    late = datetime(2090, 1, 1, tzinfo=UTC)
    # Shopify doesn't say when a redirect was changed: none may be left out.
    assert [each.id for each in redirects(shop, updated_since=late)] == ids
    assert [each.id for each in redirects(shop, ids=tuple(ids[1:3]))] == ids[1:3]


def test_directly_they_are_sent_one_by_one_and_as_a_job_by_one_file() -> None:
    shop = Shop()
    assert all(each.status is Status.APPLIED for each in shop.write("redirect", *some(19)))
    assert shop.operations == ["RedirectCreate"] * 19
    shop.sent.clear()
    outcomes = job(shop, *some(60)[19:])
    held = {each.path: each for each in redirects(shop)}
    for change, outcome in zip(some(60)[19:], outcomes, strict=True):
        assert outcome.status is Status.APPLIED
        assert held[change.desired.path].id == outcome.id
        assert held[change.desired.path].target == change.desired.target
    assert "RedirectCreate" not in shop.operations
    assert shop.operations.count("RedirectImportSubmit") == 1


def test_a_plan_of_many_takes_the_file_and_says_so(tmp_path: Path) -> None:
    """300 by themselves take 3,000 points, more than the bucket of the Standard plan has."""
    store = storebridge.open("sandbox:shopify?memory", state=tmp_path)
    rows = [Redirect(path=f"/old/{n}", target="/") for n in range(300)]
    for count, way in ((50, "direct"), (300, "bulk")):
        plan = store.plan(rows[:count], tmp_path / f"{count}.plan")
        [phase] = plan.forecast.phases
        assert (phase.kind, phase.way) == ("redirect", way)
        assert plan.apply().ok
    assert {each.path for each in store.redirects.iter()} == {each.path for each in rows}
    assert store.plan(rows, tmp_path / "again.plan").is_empty


def test_a_file_has_the_columns_of_shopifys_own_and_every_sign() -> None:
    files: list[bytes] = []

    def keep(request: Request, sandbox: Handler) -> Response:
        if isinstance(request.body, Multipart):
            content = request.body.files[0].content
            assert isinstance(content, bytes)
            files.append(content)
        return sandbox(request)

    shop = Shop(keep)
    odd = creation(Redirect(path='/a,"b"/ü', target="/x?y=1,2"), "odd")
    outcomes = job(shop, odd, *some())
    assert all(each.status is Status.APPLIED for each in outcomes)
    [content] = files
    head, first, *_ = content.decode().splitlines()
    assert (head, first) == ("Redirect from,Redirect to", '"/a,""b""/ü","/x?y=1,2"')
    assert shop.read(outcomes[0].id, "redirect").path == '/a,"b"/ü'


def test_a_row_that_isnt_taken_fails_alone() -> None:
    shop = Shop()
    bad = creation(Redirect(path="/ ", target="/x"), "bad")
    outcomes = job(shop, *some(20), bad, *some()[20:])
    assert [each.change for each in outcomes if each.status is not Status.APPLIED] == ["bad"]
    assert outcomes[20].message
    assert len(redirects(shop)) == MANY


def test_changes_and_deletions_go_with_many_new_ones() -> None:
    shop = Shop()
    one, two = shop.create(Redirect(path="/1", target="/"), Redirect(path="/2", target="/"))
    update: Any = Change(
        id="u", action="update", part="core", record_id=one, desired=Redirect(target="/x")
    )
    delete: Any = Change(
        id="d", action="delete", part="core", record_id=two, desired=Redirect(path="/2")
    )
    outcomes = job(shop, update, *some(), delete)
    assert all(each.status is Status.APPLIED for each in outcomes)
    assert len(redirects(shop)) == MANY + 1
    assert shop.read(one, "redirect").target == "/x"


def test_a_redirect_of_another_path_that_a_search_brings_is_left_out() -> None:
    shop = Shop()
    _, second = shop.create(Redirect(path="/a", target="/"), Redirect(path="/b", target="/"))

    def loose(request: Request, sandbox: Handler) -> Response:
        if isinstance(request.body, bytes):
            request = replace(request, body=request.body.replace(b"path:'/b'", b"path:/*"))
        return sandbox(request)

    shop.between = loose
    records = shop.adapter.records("redirect")
    assert [each.id for each in shop.engine.run(records.fetch(["path:/b"], None))] == [second]


def test_a_path_that_no_search_knows_is_no_failure() -> None:
    shop = Shop(losing("RedirectCreate"))
    shop.sandbox.switch(search_lag=3600)
    [outcome] = shop.write("redirect", some()[0])
    assert outcome.status is Status.UNKNOWN
    assert len(redirects(shop)) == 1


@pytest.mark.parametrize("lag", [0, 15])
def test_a_redirect_whose_answer_is_lost_is_made_once(lag: int) -> None:
    shop = Shop(losing("RedirectCreate"))
    shop.sandbox.switch(search_lag=lag)
    [change, *_] = some()
    [outcome] = shop.write("redirect", change)
    assert (outcome.status, outcome.id) == (Status.APPLIED, redirects(shop)[0].id)
    [again] = shop.write("redirect", change, uncertain=frozenset({change.id}))
    assert (again.status, again.id) == (Status.APPLIED, outcome.id)
    assert len(redirects(shop)) == 1


def test_a_path_that_leads_elsewhere_is_never_adopted() -> None:
    shop = Shop()
    [id_] = shop.create(Redirect(path="/old/0", target="/elsewhere"))
    [change, *_] = some()
    [outcome] = shop.write("redirect", change)
    assert outcome.status is Status.FAILED
    [outcome] = shop.write("redirect", change, uncertain=frozenset({change.id}))
    assert outcome.status is not Status.APPLIED
    assert shop.read(id_, "redirect").target == "/elsewhere"


def test_a_target_that_is_refused_is_not_looked_for() -> None:
    def refuse(request: Request, sandbox: Handler) -> Response:
        if isinstance(request.body, bytes) and b"mutation RedirectCreate" in request.body:
            error = {"field": ["urlRedirect", "target"], "message": "No", "code": "CREATE_FAILED"}
            payload = {"urlRedirect": None, "userErrors": [error]}
            return answer(200, {"data": {"urlRedirectCreate": payload}})
        return sandbox(request)

    shop = Shop(refuse)
    [outcome] = shop.write("redirect", some()[0])
    assert (outcome.status, outcome.cause) == (Status.FAILED, "rejected")
    assert shop.operations == ["RedirectCreate"]


@pytest.mark.parametrize("name", ["RedirectImport", "RedirectImportSubmit"])
def test_a_file_whose_answer_is_lost_makes_each_redirect_once(name: str) -> None:
    shop = Shop(losing(name))
    changes = some()
    outcomes = job(shop, *changes)
    if {each.status for each in outcomes} == {Status.UNKNOWN}:
        uncertain = frozenset(change.id for change in changes)
        outcomes = job(shop, *changes, uncertain=uncertain)
    assert {each.status for each in outcomes} == {Status.APPLIED}
    assert len(redirects(shop)) == MANY


def test_after_a_kill_the_same_file_is_asked_about_and_none_sent() -> None:
    shop = Shop()
    changes = some()
    records = shop.adapter.records("redirect")
    journal = MemoryJournal()
    batch: Batch[Any] = Batch(id="b", changes=tuple(changes), way="bulk")
    shop.engine.run_batch(records, batch, journal)
    shop.sent.clear()
    uncertain = frozenset(change.id for change in changes)
    resumed = replace(batch, state=journal.state, uncertain=uncertain)
    outcomes = shop.engine.run_batch(records, resumed)
    assert {each.status for each in outcomes} == {Status.APPLIED}
    assert set(shop.operations) == {"RedirectImportStatus", "Redirects"}
    assert len(redirects(shop)) == MANY


@pytest.mark.parametrize("code", ["ALREADY_IMPORTED", "IN_PROGRESS"])
def test_a_file_that_was_started_before_is_waited_for(code: str) -> None:
    def started(request: Request, sandbox: Handler) -> Response:
        found = sandbox(request)
        sent = json.loads(request.body) if isinstance(request.body, bytes) else None
        if sent and operation(sent) == "RedirectImportSubmit":
            payload = {"job": None, "userErrors": [{"message": "No", "code": code}]}
            return answer(200, {"data": {"urlRedirectImportSubmit": payload}})
        return found

    shop = Shop(started)
    assert {each.status for each in job(shop, *some())} == {Status.APPLIED}
    assert len(redirects(shop)) == MANY


def test_a_file_that_isnt_worked_off_is_unknown() -> None:
    shop = Shop()
    shop.sandbox.switch(seconds=3600)
    outcomes = job(shop, *some())
    assert {each.status for each in outcomes} == {Status.UNKNOWN}
    shop.sandbox.switch(seconds=0)


def test_scopes_are_named() -> None:
    shop = Shop()
    shop.sandbox.switch(scopes=["read_online_store_navigation", "read_products"])
    shop.engine.run(shop.adapter.info())
    [fit] = shop.adapter.records("redirect").check(Redirect(path="/a", target="/b"))
    assert "write_online_store_navigation" in fit.message


def meanwhile(shop: Shop, name: str, made: Redirect) -> None:
    """Let a person make a redirect just before an operation is sent for the first time."""

    def between(request: Request, sandbox: Handler) -> Response:
        sent = json.loads(request.body) if isinstance(request.body, bytes) else None
        if sent and operation(sent) == name:
            shop.between = None
            shop.create(made)
        return sandbox(request)

    shop.between = between


@pytest.mark.parametrize("path", ["/old/7", "/OLD/7"])
def test_a_file_leaves_out_what_a_person_made_since_the_plan(path: str) -> None:
    shop = Shop()
    theirs, same = Redirect(path=path, target="/mine"), Redirect(path="/old/8", target="/new/8")
    id_, _ = shop.create(theirs, same)
    outcomes = job(shop, *some())
    assert [each.change for each in outcomes if each.status is not Status.APPLIED] == ["c7"]
    [taken] = [each for each in outcomes if each.change == "c7"]
    assert (taken.status, taken.cause) == (Status.FAILED, "conflict")
    assert shop.read(id_, "redirect").target == "/mine"
    assert len(redirects(shop)) == MANY


def test_a_file_that_wrote_over_a_redirect_says_so() -> None:
    shop = Shop()
    meanwhile(shop, "RedirectImportSubmit", Redirect(path="/old/7", target="/mine"))
    outcomes = job(shop, *some())
    [over] = [each for each in outcomes if each.status is not Status.APPLIED]
    assert (over.change, over.cause) == ("c7", "conflict")
    assert "wrote over" in over.message


def test_a_file_that_was_begun_is_not_started_once_a_path_of_it_is_taken() -> None:
    def stopped(request: Request, sandbox: Handler) -> Response:
        sent = json.loads(request.body) if isinstance(request.body, bytes) else None
        if sent and operation(sent) == "RedirectImportSubmit":
            raise OutcomeUnknown("killed before it was sent")
        return sandbox(request)

    shop, journal, changes = Shop(stopped), MemoryJournal(), tuple(some())
    records = shop.adapter.records("redirect")
    batch: Batch[Any] = Batch(id="b", changes=changes, way="bulk")
    shop.engine.run_batch(records, batch, journal)
    shop.between = None
    [id_] = shop.create(Redirect(path="/old/7", target="/mine"))
    names = frozenset(change.id for change in changes)
    outcomes = shop.engine.run_batch(records, replace(batch, state=journal.state, uncertain=names))
    assert [each.change for each in outcomes if each.status is not Status.APPLIED] == ["c7"]
    assert shop.read(id_, "redirect").target == "/mine"
    assert len(redirects(shop)) == MANY
