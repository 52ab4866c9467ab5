"""The file: made once, for its owner, not mistaken for another, safe with kills and processes."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading

import pytest

from storebridge.errors import (
    ConfigError,
    NotSupported,
    Refused,
    Unavailable,
)
from storebridge.flow import Request
from storebridge.models import Collection, Location, Product, Variant
from storebridge.registry import load
from storebridge_local import LocalAdapter, LocalSettings, database


def product(n):
    return Product(handle=f"p{n}", variants=(Variant(sku=f"S{n}"),))


def pragma(path, **values):
    connection = sqlite3.connect(path)
    for name, value in values.items():
        connection.execute(f"PRAGMA {name} = {value}")
    connection.close()


def test_the_adapter_is_found_by_its_name():
    assert load("local") is LocalAdapter


def test_settings_come_from_the_url():
    settings = LocalSettings.model_validate(
        LocalAdapter.settings_from_url("a/b.db?currency=USD&locales=en,de&weight_unit=lb")
    )
    assert (settings.path, settings.currency) == ("a/b.db", "USD")
    assert (settings.locales, settings.weight_unit) == (("en", "de"), "lb")


def test_a_new_store_has_an_identity_and_facts_that_stay(open_shop, tmp_path):
    info = open_shop(tmp_path / "a.db", currency="CHF", name="A").info()
    again = open_shop(tmp_path / "a.db").info()
    other = open_shop(tmp_path / "b.db").info()
    assert info == again
    assert (info.currency, info.name, other.name) == ("CHF", "A", "b")
    assert info.id != other.id
    assert info.locations == (Location(id="1", name="Default", active=True),)
    assert open_shop(tmp_path / "a.db", locales="de,fr").info().locales == ("de", "fr")


def test_another_currency_is_refused(open_shop, tmp_path):
    open_shop(tmp_path / "a.db", currency="CHF").info()
    with pytest.raises(ConfigError, match="is a store in CHF, and EUR was asked for"):
        open_shop(tmp_path / "a.db", currency="EUR").info()


def test_a_store_in_memory_leaves_no_file(open_shop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shop, other = open_shop(":memory:"), open_shop(":memory:")
    shop.create(Product(handle="mug"))
    assert len(shop.all("product")) == 1
    assert other.all("product") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_only_the_owner_may_read_the_file(shop):
    shop.create(Product(handle="mug"))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in shop.path.parent.iterdir()}
    assert modes == {0o600}


def test_a_missing_folder_is_said(open_shop, tmp_path):
    with pytest.raises(ConfigError, match="Make it first"):
        open_shop(tmp_path / "none" / "a.db").info()
    with pytest.raises(ConfigError):
        open_shop(tmp_path).info()


def test_foreign_files_are_left_alone(open_shop, tmp_path):
    path = tmp_path / "foreign.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to be read as one\n" * 100)
    before = path.read_bytes(), text.read_bytes()
    for one in (path, text):
        with pytest.raises(ConfigError, match=r"is no local store.* Name another file\."):
            open_shop(one).info()
    assert (path.read_bytes(), text.read_bytes()) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["foreign.db", "notes.txt"]


@pytest.mark.parametrize(("version", "said"), [(99, "a newer storebridge. Upgrade"), (0, "older")])
def test_files_of_other_versions_are_refused(shop, version, said):
    shop.info()
    shop.adapter.close()
    pragma(shop.path, user_version=version)
    with pytest.raises(ConfigError, match=said):
        shop.info()


def test_an_empty_file_becomes_a_store(open_shop, tmp_path):
    (tmp_path / "a.db").touch()
    assert open_shop(tmp_path / "a.db").info().currency == "EUR"


def test_a_store_that_another_process_made_meanwhile_is_taken(shop, open_shop, monkeypatch):
    real = database.Database._is_new
    identities = []

    def raced(self, connection):
        monkeypatch.undo()
        new = real(self, connection)
        identities.append(open_shop(shop.path).info().id)
        return new

    monkeypatch.setattr(database.Database, "_is_new", raced)
    assert [shop.info().id] == identities


@pytest.mark.parametrize("folder_writable", [True, False])
def test_a_read_only_file_is_read_and_not_written(shop, monkeypatch, folder_writable):
    shop.create(Product(handle="mug"))
    shop.adapter.close()
    before = shop.path.read_bytes()
    real = os.access
    # Tests may run as root, whom no mode keeps from writing.
    refused = {shop.path} if folder_writable else {shop.path, shop.path.parent}
    monkeypatch.setattr(os, "access", lambda path, mode: path not in refused and real(path, mode))
    assert len(shop.all("product")) == 1
    with pytest.raises(Refused, match="may only be read; nothing was written"):
        shop.create(Product(handle="cup"))
    shop.adapter.close()
    assert shop.path.read_bytes() == before


def test_a_busy_file_is_unavailable_and_unharmed(shop, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    shop.create(Product(handle="mug"))
    other = sqlite3.connect(shop.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match=r"another process is writing.*Try again later") as caught:
        shop.create(Product(handle="cup"))
    assert caught.value.code == "busy"
    assert len(shop.all("product")) == 1
    other.execute("ROLLBACK")
    other.close()
    shop.create(Product(handle="cup"))


def test_a_full_disk_writes_nothing_of_the_batch(shop):
    shop.create(product(0))
    with shop.adapter._database.read() as session:
        session.execute("PRAGMA max_page_count = 40")
    big = [product(n).but(description_html="x" * 4000) for n in range(1, 100)]
    with pytest.raises(Unavailable, match="the disk is full; nothing was written"):
        shop.write(*[shop.change("create", one) for one in big])
    assert [p.handle for p in shop.all("product")] == ["p0"]
    with shop.adapter._database.read() as session:
        session.execute("PRAGMA max_page_count = 100000")
    assert all(o.status == "applied" for o in shop.write(*[shop.change("create", o) for o in big]))


def test_a_batch_that_comes_again_is_answered_from_what_was_made(shop):
    live = shop.create(product(0))
    batch = shop.batch(
        shop.change("create", product(1)),
        shop.change("update", Product(tags_add=("x",)), record_id=live.id),
        shop.change("create", product(0)),
        id="killed",
    )
    first = shop.send(batch)
    assert [o.status for o in first] == ["applied", "applied", "failed"]
    shop.adapter.close()
    again = shop.batch(
        *batch.changes, id="killed", uncertain=frozenset(c.id for c in batch.changes)
    )
    second = shop.send(again)
    assert [(o.status, o.id, o.record) for o in second] == [
        (o.status, o.id, o.record) for o in first
    ]
    assert len(shop.all("product")) == 2


def test_a_delete_that_comes_again_was_made(shop):
    live = shop.create(product(0))
    batch = shop.batch(shop.change("delete", Product(), record_id=live.id), id="d")
    shop.send(batch)
    (outcome,) = shop.send(shop.batch(*batch.changes, id="d", uncertain={batch.changes[0].id}))
    assert (outcome.status, outcome.id, outcome.record) == ("applied", live.id, None)


def test_a_batch_that_never_arrived_is_made(shop):
    change = shop.change("create", product(1))
    (outcome,) = shop.send(shop.batch(change, id="lost", uncertain={change.id}))
    assert outcome.status == "applied"
    assert len(shop.all("product")) == 1


def test_old_evidence_is_forgotten(shop, monkeypatch):
    shop.write(shop.change("create", product(1)), id="old")
    monkeypatch.setattr(database, "KEEP_DAYS", 0)
    shop.write(shop.change("create", product(2)), id="new")
    with shop.adapter._database.read() as session:
        assert [row[0] for row in session.execute("SELECT id FROM batch")] == ["new"]


KILLED = """
    import os, sys
    from storebridge.adapter import Batch, Change
    from storebridge.models import Product
    from storebridge_local import LocalAdapter, LocalSettings, records
    adapter = LocalAdapter(LocalSettings(path=sys.argv[1]))
    when = sys.argv[2]
    changes = tuple(
        Change(id=str(n), action="create", part="core", desired=Product(handle=f"p{n}"))
        for n in range(20)
    )
    made = 0
    real = records.LocalRecords._put
    def put(self, session, record):
        global made
        made += 1
        if when == "within" and made == 10:
            os._exit(9)
        real(self, session, record)
    records.LocalRecords._put = put
    for instruction in (flow := adapter.records("product").write(Batch(id="b", changes=changes))):
        flow.send(instruction.function())  # makes the batch; its report is what comes next
        os._exit(9)
"""


@pytest.mark.parametrize(("when", "there"), [("within", 0), ("after", 20)])
def test_a_kill_leaves_all_or_nothing_and_the_batch_ends_the_same(shop, when, there):
    code = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(shop.path), when], check=False
    ).returncode
    assert code == 9
    assert len(shop.all("product")) == there
    changes = [
        shop.change("create", Product(handle=f"p{n}"), id=str(n), key=f"handle:p{n}")
        for n in range(20)
    ]
    outcomes = shop.write(*changes, id="b", uncertain=frozenset(map(str, range(20))))
    assert [o.status for o in outcomes] == ["applied"] * 20
    assert sorted(p.handle for p in shop.all("product")) == sorted(f"p{n}" for n in range(20))


WRITER = """
    import sys
    from storebridge.adapter import Batch, Change
    from storebridge.models import Product
    from storebridge_local import LocalAdapter, LocalSettings
    adapter = LocalAdapter(LocalSettings(path=sys.argv[1]))
    name = sys.argv[2]
    for round in range(20):
        desired = [Product(handle=f"{name}-{round}-{n}") for n in range(5)]
        desired.append(Product(handle=f"shared-{round}"))
        changes = tuple(
            Change(id=str(n), action="create", part="core", desired=one)
            for n, one in enumerate(desired)
        )
        flow = adapter.records("product").write(Batch(id=f"{name}-{round}", changes=changes))
        report = flow.send(next(flow).function())
        statuses = [outcome.status for outcome in report.outcomes]
        assert statuses[:5] == ["applied"] * 5, report.outcomes
        print(statuses[5])
"""


def test_two_processes_make_and_write_one_store_at_once(shop):
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(shop.path)]
    writers = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in ("a", "b")
    ]
    shared = [writer.communicate()[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    # Each shared handle was made by exactly one of them.
    for pair in zip(*shared, strict=True):
        assert sorted(pair) == ["applied", "failed"]
    products = shop.all("product")
    assert len(products) == 2 * 20 * 5 + 20
    ids = [p.id for p in products] + [v.id for p in products for v in p.variants]
    assert len(set(ids)) == len(ids)


def test_threads_take_turns(shop):
    failures = []

    def work(name):
        try:
            for n in range(20):
                shop.create(Collection(handle=f"{name}-{n}"))
                shop.all("collection")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(shop.all("collection")) == 80


def test_there_is_no_http_interface(shop):
    request = Request(method="GET", path="/")
    with pytest.raises(NotSupported, match="no HTTP interface"):
        shop.adapter.prepare(request, None, "", 0.0)
