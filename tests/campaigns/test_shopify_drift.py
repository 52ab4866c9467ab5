"""Answers of a schema that moved on: new fields and values change nothing, the rest is named.

What can't be read is an error, never a hole, and says where in the answer it is: of reads, of
writes, and of the lines of jobs' results.
"""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from storebridge.adapter import Query
from storebridge.engine import HandlerTransport
from storebridge.errors import BadAnswer, StorebridgeError
from storebridge.flow import Request, Response
from storebridge.models import Record
from tests.campaigns.shopify import ShopifyShop, catalogue, docs

KINDS = ("collection", "customer", "order", "product")
Change = Callable[[Any], Any]


@dataclass
class Break:
    """One place of an answer that is null, taken out, or of another type."""

    chance: random.Random
    place: str = ""
    told: bool = field(default=False, init=False)
    """Whether an error has to name it: the value has another type, so that its shape is wrong."""

    def __call__(self, data: Any) -> None:
        holder, key, self.place = self.chance.choice(list(_places(data)))
        was, value = holder[key], self.chance.choice((None, 7, "text", [], {}, True, "missing"))
        self.told = was is not None and (type(value) is not type(was) or value == {})
        if value == "missing" and isinstance(holder, dict):
            del holder[key]
            self.told = True
        else:
            holder[key] = value

    def named(self, path: str) -> bool:
        """Return whether a path is the place.

        An object without fields lacks its first one; where a next page is made up, what is missing
        is the way to it.
        """
        place = self.place.replace("hasNextPage", "endCursor")
        named = path in (self.place, place) or path.startswith(f"{self.place}.")
        return named or not (self.told or path)


def _places(value: Any, path: str = "") -> Iterator[tuple[Any, Any, str]]:
    """Yield each place of a document: what holds it, its name there, and its path."""
    of = isinstance(value, dict)
    for key, each in list(value.items() if of else enumerate(value)):
        at = f"{path}.{key}".removeprefix(".") if of else f"{path}[{key}]"
        yield value, key, at
        if isinstance(each, dict | list):
            yield from _places(each, at)


def _grown(data: Any) -> None:
    """Add a field to every object."""
    for holder, key, _ in list(_places(data)):
        if isinstance(holder[key], dict):
            holder[key]["newField"] = {"deep": [1, None]}


def _renamed(data: Any, chance: random.Random) -> None:
    """Give one enum a value that nobody knows."""
    words = [(holder, key) for holder, key, _ in _places(data) if _is_word(holder[key])]
    if words:
        holder, key = chance.choice(words)
        holder[key] = "BRAND_NEW"


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[A-Z_]{4,}", value) is not None


class Moved:
    """Reads a shop of which one answer is another version's."""

    def __init__(self, folder: Path) -> None:
        self.shop = ShopifyShop(folder, page_size=3)
        self.shop.fill(catalogue(3, 4))
        variants = [doc["id"] for doc in self.shop.sandbox.all("ProductVariant")]
        self.shop.sandbox.sell([(variants[0], 2)], email="a@example.com")
        self.change: Change | None = None
        self.turn = self.count = 0
        self.store = self.shop.open(inner=HandlerTransport(self._answer))
        self.plain = {kind: self.read(kind) for kind in KINDS}
        self.answers = {kind: self._counted(kind) for kind in KINDS}

    def read(self, kind: str, change: Change | None = None, turn: int = 0) -> Sequence[Record]:
        """Return the first page of a kind, with one answer changed."""
        self.change, self.turn, self.count = change, turn, 0
        records = self.store.adapter.records(kind)
        page = self.store.engine.run(records.page(Query(), ""))
        return tuple(page.records)

    def _counted(self, kind: str) -> int:
        self.read(kind)
        return self.count

    def _answer(self, request: Request) -> Response:
        said = self.shop.reach(request)
        self.count += 1
        if self.change is None or self.count - 1 != self.turn:
            return said
        found = json.loads(said.body)
        self.change(found["data"])
        return replace(said, body=json.dumps(found).encode())


def refusal(read: Callable[[], object]) -> StorebridgeError | None:
    """Return the error of ours that a read ends with, None if there is none."""
    try:
        read()
    except StorebridgeError as error:
        return error
    return None


def drift(folder: Path, rounds: int) -> tuple[int, int]:
    """Change answers by chance; return how many were read, and how many were refused."""
    moved, chance = Moved(folder), random.Random("drift")
    read = refused = 0
    for _ in range(rounds):
        kind, broken = chance.choice(KINDS), Break(chance)
        turn = chance.randrange(moved.answers[kind])
        error = refusal(partial(moved.read, kind, broken, turn))
        if isinstance(error, BadAnswer):
            assert broken.named(error.path), (broken.place, str(error))
            assert error.path in str(error)
        else:
            assert error is None or not broken.told, (broken.place, str(error))
        read, refused = read + (error is None), refused + (error is not None)
    moved.store.close()
    moved.shop.sandbox.close()
    return read, refused


def test_new_fields_change_nothing_and_new_words_are_kept(tmp_path: Path) -> None:
    moved, chance = Moved(tmp_path), random.Random("words")
    for kind in KINDS:
        for turn in range(moved.answers[kind]):
            assert moved.read(kind, _grown, turn) == moved.plain[kind]
        for _ in range(3):
            found = moved.read(kind, lambda data: _renamed(data, chance))
            assert len(found) == len(moved.plain[kind])

    def unheard(data: Any) -> None:
        for holder, key, _ in list(_places(data)):
            if key == "status":
                holder[key] = "BRAND_NEW"

    assert {each.status for each in moved.read("product", unheard)} == {"brand_new"}  # type: ignore[attr-defined]  # of products
    moved.store.close()


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    read, refused = drift(tmp_path, rounds=40)
    assert read
    assert refused > 12


@pytest.mark.soak
def test_what_cannot_be_read_is_named_twenty_thousand_times(tmp_path: Path) -> None:
    read, refused = drift(tmp_path, rounds=20_000)
    assert refused > read > 2_000


# -- lines of what jobs read


class Exported:
    """Reads a shop's products by jobs; one line of a file is another version's."""

    def __init__(self, folder: Path) -> None:
        self.shop = ShopifyShop(folder, page_size=2, bulk_from=3)
        self.shop.fill(catalogue(3, 5))
        self.change: Break | None = None
        self.files: dict[str, bytes] = {}
        self.line = ""
        self.store = self.shop.open(inner=HandlerTransport(self._answer))
        self.read(None)

    def read(self, change: Break | None) -> Sequence[Record]:
        """Return all products, with one line changed."""
        self.change, self.line = change, ""
        self.files.clear()
        records, cursor, found = self.store.adapter.records("product"), "", list[Record]()
        while True:
            page = self.store.engine.run(records.page(Query(), cursor))
            found += page.records
            cursor = page.cursor
            if not cursor:
                assert len(found) == 5, "records are missing"
                return found

    def _answer(self, request: Request) -> Response:
        said = self.shop.reach(request)
        if request.foreign and self.change is not None:
            if not self.line:  # the first file's, also where it is brought once more
                self.files[request.path] = self._changed(said.body, self.change)
            return replace(said, body=self.files.get(request.path, said.body))
        return said

    def _changed(self, body: bytes, change: Break) -> bytes:
        lines = body.splitlines()
        at = change.chance.randrange(len(lines))
        found = json.loads(lines[at])
        self.line = str(found["id"])
        change(found)
        lines[at] = json.dumps(found).encode()
        return b"\n".join(lines) + b"\n"


def exports(folder: Path, rounds: int) -> tuple[int, int]:
    """Change lines of files by chance; return how many were read, and how many were refused."""
    exported, chance = Exported(folder), random.Random("exports")
    read = refused = 0
    for _ in range(rounds):
        broken = Break(chance)
        error = refusal(partial(exported.read, broken))
        if error is not None:
            assert isinstance(error, BadAnswer)
            place = error.path.removeprefix(f"{exported.line}: ")
            joins = broken.place in ("id", "__parentId")  # what lines are joined by
            assert joins or broken.named(place), (exported.line, broken.place, str(error))
        read, refused = read + (error is None), refused + (error is not None)
    exported.store.close()
    exported.shop.sandbox.close()
    return read, refused


def test_a_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    read, refused = exports(tmp_path, rounds=8)
    assert read
    assert refused > 2


@pytest.mark.soak
def test_a_line_that_cannot_be_read_is_named_five_hundred_times(tmp_path: Path) -> None:
    read, refused = exports(tmp_path, rounds=500)
    assert refused > read > 100


# -- what a run of a plan is answered


class Between:
    """Stands before a shop; one answer to what a run asks is another version's."""

    def __init__(self, shop: ShopifyShop, change: Change, turn: int) -> None:
        self.shop, self.change, self.turn, self.count = shop, change, turn, 0

    def __call__(self, request: Request) -> Response:
        said = self.shop.sandbox(request)
        if not request.path.endswith("graphql.json"):
            return said
        self.count += 1
        found = json.loads(said.body)
        if self.count - 1 != self.turn or not found.get("data"):
            return said
        self.change(found["data"])
        return replace(said, body=json.dumps(found).encode())


class InFile(Between):
    """Changes one line of one file of a job's results."""

    def __call__(self, request: Request) -> Response:
        said = self.shop.sandbox(request)
        if not request.foreign or request.method != "GET":
            return said
        self.count += 1
        if self.count - 1 != self.turn:
            return said
        lines = said.body.splitlines()
        at = self.change.chance.randrange(len(lines))  # type: ignore[attr-defined]  # a Break
        found = json.loads(lines[at])
        self.change(found.get("data", found))
        lines[at] = json.dumps(found).encode()
        return replace(said, body=b"\n".join(lines) + b"\n")


class Runs:
    """A small plan for a shop, and how it ends undisturbed."""

    def __init__(self, folder: Path, way: str, network: type[Between]) -> None:
        self.folder, self.network, self.rounds = folder, network, 0
        self.shop = ShopifyShop(folder / "plain")
        self.shop.fill(catalogue(1, 2))
        self.plan = self.shop.plan(catalogue(2, 3), way=way)
        with ShopifyShop(folder / "first", self.shop.sandbox) as first:
            counted = network(first, lambda _: None, -1)
            assert first.apply(self.copy(first), network=counted).ok
            self.answers, self.end = counted.count, docs(first.sandbox)

    def survives(self, chance: random.Random) -> bool:
        """Apply the plan with one changed answer, and go on; return whether it was refused."""
        self.rounds += 1
        broken, told = Break(chance), list[str]()
        with ShopifyShop(self.folder / str(self.rounds), self.shop.sandbox) as shop:
            plan = self.copy(shop)
            try:
                between = self.network(shop, broken, chance.randrange(self.answers))
                report = shop.apply(plan, network=between)
                told += [item.message for item in report.items("failed", "unknown")]
            except StorebridgeError as error:
                told.append(str(error))
            named = re.compile(rf"at (\S+: )?{re.escape(broken.place)}(?!\w)")
            for text in told:
                unread = "could not read" in text or "can't be read" in text
                assert named.search(text) or not (broken.told and unread), (broken.place, text)
            for _ in range(2):
                with suppress(StorebridgeError):
                    shop.apply(plan, retry_failed=True)
            # What reads as "there is none" is found when the record is read back, and is told.
            differs = any("accepted" in text for text in told)
            assert differs or docs(shop.sandbox) == self.end, (broken.place, told)
        shutil.rmtree(shop.folder)
        return bool(told)

    def copy(self, shop: ShopifyShop) -> Path:
        """Return the plan, in the folder of another shop."""
        return Path(shutil.copy(self.plan, shop.folder))


def runs(folder: Path, rounds: int, way: str, network: type[Between]) -> int:
    """Run a plan so often; return how many runs were told of something that can't be read."""
    small, chance = Runs(folder, way, network), random.Random(f"runs {way}")
    refused = sum(small.survives(chance) for _ in range(rounds))
    small.shop.sandbox.close()
    return refused


def test_a_run_names_what_it_cannot_read(tmp_path: Path) -> None:
    small, chance = Runs(tmp_path, "direct", Between), random.Random("a run")
    assert any(small.survives(chance) for _ in range(20))
    small.shop.sandbox.close()


def test_a_line_of_a_result_that_cannot_be_read_is_looked_up(tmp_path: Path) -> None:
    assert runs(tmp_path, 1, "bulk", InFile) == 0


def test_a_change_goes_on_of_which_a_line_could_not_be_read(tmp_path: Path) -> None:
    """Its tags were taken out: that is its own work, and no conflict when it is tried again."""
    small = Runs(tmp_path, "bulk", InFile)
    with ShopifyShop(tmp_path / "shop", small.shop.sandbox) as shop:

        def spoiled(request: Request) -> Response:
            said = shop.sandbox(request)
            if not request.foreign or b'"tagsRemove"' not in said.body:
                return said
            return replace(said, body=said.body.replace(b'"tagsRemove":{', b'"moved":{'))

        plan = small.copy(shop)
        assert list(shop.apply(plan, network=spoiled).items("failed"))
        assert shop.apply(plan, retry_failed=True).ok
        assert docs(shop.sandbox) == small.end
    small.shop.sandbox.close()


@pytest.mark.soak
@pytest.mark.parametrize(("way", "network"), [("direct", Between), ("bulk", InFile)])
def test_five_hundred_runs_name_what_they_cannot_read(
    tmp_path: Path, way: str, network: type[Between]
) -> None:
    refused = runs(tmp_path, 500, way, network)
    assert (refused > 100) == (way == "direct")
