"""A local store that is driven without an engine, and records with every field given."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from pydantic import AwareDatetime

from storebridge.adapter import Batch, Change, Query, Records
from storebridge.flow import Call, Flow, Outcome, Report
from storebridge.models import Model, Money, Record
from storebridge_local import LocalAdapter, LocalSettings

NUMBERS = count(1)


class Shop:
    """A local store and the shortest ways to use it."""

    def __init__(self, path: Path | str, **settings: Any) -> None:
        self.path = Path(path)
        self.adapter = LocalAdapter(LocalSettings(path=str(path), **settings))

    def run(self, flow: Flow[Any]) -> tuple[Any, list[Outcome]]:
        """Return a flow's result and what it reported."""
        outcomes: list[Outcome] = []
        answer = None
        while True:
            try:
                instruction = flow.send(answer)
            except StopIteration as stop:
                return stop.value, outcomes
            answer = None
            if isinstance(instruction, Call):
                answer = instruction.function()
            elif isinstance(instruction, Report):
                outcomes.extend(instruction.outcomes)

    def info(self) -> Any:
        return self.run(self.adapter.info())[0]

    def records(self, kind: str) -> Records[Any]:
        return self.adapter.records(kind)

    def change(self, action: Any, desired: Record, **given: Any) -> Change[Any]:
        if action == "create":
            given.setdefault("key", next(iter(desired.keys()), ""))
        given = {"id": str(next(NUMBERS)), "part": "core", **given}
        return Change(action=action, desired=desired, **given)

    def batch(self, *changes: Change[Any], **given: Any) -> Batch[Any]:
        return Batch(changes=changes, **{"id": f"batch-{next(NUMBERS)}", **given})

    def send(self, batch: Batch[Any]) -> list[Outcome]:
        return self.run(self.records(batch.changes[0].desired.kind).write(batch))[1]

    def write(self, *changes: Change[Any], **given: Any) -> list[Outcome]:
        return self.send(self.batch(*changes, **given))

    def create(self, record: Any) -> Any:
        """Create one record and return it as the store reports it."""
        (outcome,) = self.write(self.change("create", record))
        assert outcome.status == "applied", outcome
        return outcome.record

    def update(self, live: Any, desired: Any, **given: Any) -> Any:
        (outcome,) = self.write(self.change("update", desired, record_id=live.id, **given))
        assert outcome.status in ("applied", "unchanged"), outcome
        return outcome.record

    def refused(self, action: Any, desired: Any, **given: Any) -> Outcome:
        (outcome,) = self.write(self.change(action, desired, **given))
        assert outcome.status == "failed", outcome
        return outcome

    def delete(self, live: Any) -> None:
        blank = type(live)()
        (outcome,) = self.write(self.change("delete", blank, record_id=live.id))
        assert outcome.status == "applied", outcome

    def fetch(self, kind: str, *keys: str, fields: Any = None) -> tuple[Any, ...]:
        found: tuple[Any, ...] = self.run(self.records(kind).fetch(keys, fields))[0]
        return found

    def page(self, kind: str, query: Query | None = None, cursor: str = "") -> Any:
        return self.run(self.records(kind).page(query or Query(), cursor))[0]

    def all(self, kind: str, query: Query | None = None) -> list[Any]:
        page = self.page(kind, query)
        found = list(page.records)
        while page.cursor:
            page = self.page(kind, query, page.cursor)
            found += page.records
        return found


@pytest.fixture
def open_shop() -> Iterator[Callable[..., Shop]]:
    shops: list[Shop] = []

    def open_one(path: Path | str, **settings: Any) -> Shop:
        shops.append(Shop(path, **settings))
        return shops[-1]

    yield open_one
    for one in shops:
        one.adapter.close()


@pytest.fixture
def shop(open_shop: Callable[..., Shop], tmp_path: Path) -> Shop:
    return open_shop(tmp_path / "shop.db")


#: What a value must be where its type alone doesn't say.
_WORDS: Mapping[str, Any] = {
    "locale": "de",
    "locales": ("de", "en"),
    "country": "DE",
    "countries": ("DE", "FR"),
    "location": "Default",
    "modes": {},
    "collections": (),
    "products": (),
}


@pytest.fixture
def full() -> Callable[[type[Model]], Any]:
    """Return a function that makes a model with every field given, no two texts alike."""
    texts = count(1)

    def make(model: type[Model]) -> Any:
        hints = get_type_hints(model)
        names = [name for name in model.model_fields if not name.endswith(("_add", "_remove"))]
        return model(**{n: _WORDS[n] if n in _WORDS else value(hints[n]) for n in names})

    def value(kind: Any) -> Any:
        origin, inner = get_origin(kind), get_args(kind)
        if origin is Annotated:
            return value(inner[0])
        if origin in (Union, types.UnionType):
            return value(next(one for one in inner if one is not type(None)))
        if origin is tuple:
            return (value(inner[0]), value(inner[0]))
        if origin is Literal:
            return inner[-1]
        if origin is not None:  # a mapping
            return (
                {"text": value(inner[1])} if inner[1] is not Any else {"n": 1, "deep": ["ä", None]}
            )
        if issubclass(kind, Model):
            return make(kind)
        plain = {
            bool: True,
            int: 7,
            str: f"Grün “{next(texts)}” \u2028 <b>😀</b>",
            Decimal: Decimal("1.250"),
            Money: Money("1234567890.10", "EUR"),
            AwareDatetime: datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC),
        }
        return plain[kind]

    return make
