"""Reading many: walks end, and every record comes exactly once, also while the store changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from storebridge.adapter import Change, Query
from storebridge.parts import declared
from storebridge.testing.kit.base import Base, kinds
from storebridge.testing.rig import Rig

__all__ = ["PagingTests"]

_TOO_FEW = "too few pages to test: set walk_records, or give the adapter a smaller page size"


class PagingTests(Base):
    """Pages and queries."""

    @kinds
    def test_every_record_comes_once(self, rig: Rig, kind: str) -> None:
        """A walk ends, brings each record once and repeats no cursor; totals are true."""
        self.supported(rig, kind)
        there = [record.id for record in rig.all(kind)]
        made = [self._create(rig, kind, number) for number in range(self.walk_records)]
        pages = list(rig.walk(kind))
        found = [record.id for page in pages for record in page.records]
        assert sorted(found) == sorted([*there, *made])
        assert len(pages) > 2, _TOO_FEW
        assert {page.total for page in pages} <= {None, len(found)}
        assert rig.run(rig.records(kind).count(Query())) in (None, len(found))

    @kinds
    def test_changes_between_pages_lose_nothing(self, rig: Rig, kind: str) -> None:
        """What is there throughout comes once, though others are made and deleted meanwhile."""
        self.supported(rig, kind)
        made = [self._create(rig, kind, number) for number in range(self.walk_records)]
        found: list[str] = []
        gone: set[str] = set()
        for turn, page in enumerate(rig.walk(kind)):
            found += [record.id for record in page.records]
            seen = next((each for each in found if each in made), "")
            if seen and not gone:
                assert page.cursor, _TOO_FEW
                ahead = next(each for each in reversed(made) if each not in found)
                gone = {seen, ahead}
                for record_id in gone:
                    self._delete(rig, kind, record_id)
            if turn < 2:
                self._create(rig, kind, 100 + turn)
            assert turn < 3 * self.walk_records + 9, "the walk doesn't end"
        stayed = [each for each in made if each not in gone]
        lost = [each for each in stayed if each not in found]
        assert not lost, f"{len(lost)} of {len(stayed)} records were left out"
        assert len(found) == len(set(found)), "a record came twice"

    @kinds
    def test_empty_store_is_one_empty_page(self, rig: Rig, kind: str) -> None:
        """A walk through nothing ends."""
        self.supported(rig, kind)
        pages = list(rig.walk(kind))
        if any(page.records for page in pages):
            pytest.skip("a new store of this platform has records of this kind")
        assert [page.total in (None, 0) for page in pages] == [True]

    @kinds
    def test_queries_choose(self, rig: Rig, kind: str) -> None:
        """Ids, status and time of the last change choose records; all have it in `raw` if asked."""
        records = self.supported(rig, kind)
        first = self._create(rig, kind, 1)
        second = self._create(rig, kind, 2)
        assert [record.id for record in rig.all(kind, ids=(second,))] == [second]
        everything = rig.all(kind, raw=True)
        assert {first, second} <= {record.id for record in everything}
        assert all(isinstance(record.raw, Mapping) and record.raw for record in everything)
        live = rig.read(kind, second)
        if (time := getattr(live, "updated_at", None)) is not None:
            assert second in {record.id for record in rig.all(kind, updated_since=time)}
            assert rig.all(kind, updated_since=time + timedelta(days=1)) == []
        if (known := declared("status", records.fields)) and known.write and live.status:
            same = {record.id for record in rig.all(kind, status=live.status)}
            assert second in same
            assert rig.all(kind, status="kit-nonsense") == []

    @kinds
    def test_needed_fields_are_there(self, rig: Rig, kind: str) -> None:
        """Who asks for a few fields gets at least these, as who asks for all."""
        self.supported(rig, kind)
        record_id = rig.create(self.pruned(rig, kind, 1))
        whole, _ = self._read(rig, kind, record_id, None)
        for name in sorted(whole.given - {"id"}):
            for read in self._read(rig, kind, record_id, frozenset({name})):
                assert name in read.given, f"{name} was asked for and not read"
                assert getattr(read, name) == getattr(whole, name), f"{name} was read otherwise"

    def test_needed_fields_of_variants_are_there(self, rig: Rig) -> None:
        """Who asks for a field of the variants gets it of each, as who asks for all."""
        record_id = rig.create(self.pruned(rig, "product", 1))
        whole, _ = self._read(rig, "product", record_id, None)
        for name in sorted({name for each in whole.variants for name in each.given}):
            values = [getattr(each, name) for each in whole.variants]
            for read in self._read(rig, "product", record_id, frozenset({f"variants.{name}"})):
                assert [getattr(each, name) for each in read.variants] == values, name

    def test_many_keys_at_once(self, rig: Rig) -> None:
        """As many keys as `fetch_size` allows lead to all their records."""
        records = self.supported(rig, "product")
        made = [self._create(rig, "product", number) for number in range(self.walk_records)]
        spare = [f"id:{10**9 + n}" for n in range(max(0, records.fetch_size - len(made)))]
        keys = [f"id:{each}" for each in made] + spare
        found = rig.fetch("product", *keys[: records.fetch_size])
        assert sorted(record.id for record in found) == sorted(made[: records.fetch_size])

    def _read(
        self, rig: Rig, kind: str, record_id: str, fields: frozenset[str] | None
    ) -> tuple[Any, Any]:
        """Return a record as it is fetched, and as it comes in a page, by who needs some fields."""
        records, query = rig.records(kind), Query(ids=(record_id,), fields=fields)
        [fetched] = rig.run(records.fetch([f"id:{record_id}"], fields))
        [paged] = rig.run(records.page(query, "")).records
        return fetched, paged

    def _create(self, rig: Rig, kind: str, number: int) -> str:
        return rig.create(self.small(rig, kind, f"kit-{number}"))

    def _delete(self, rig: Rig, kind: str, record_id: str) -> None:
        live = rig.read(kind, record_id)
        change: Change[Any] = Change(
            id="1", action="delete", part="core", record_id=record_id, desired=live, before=live
        )
        rig.write(kind, change)
