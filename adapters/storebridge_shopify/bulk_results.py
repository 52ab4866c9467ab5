"""The lines of a job's file, and where in the file of its results the answer to each is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from storebridge import flow
from storebridge.adapter import Change
from storebridge.errors import AuthError, StorebridgeError, Unreadable
from storebridge.flow import Flow, wait
from storebridge.wire import dumps, loads
from storebridge_shopify.bulk import Job, save
from storebridge_shopify.graphql import Doc

__all__ = ["Line", "Lines", "answers_to", "line", "remove", "results_of"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file: a mutation's variables."""

    change: str
    body: bytes
    shows: str = ""
    """What the answer shows of the product, where it does: "handle:tee", "id:gid://…"."""


Lines = Mapping[str, Sequence[Line]]
"""The lines of a change by their document; none where no job can make it."""


def line(change: Change[Any], variables: Doc, shows: str = "") -> Line:
    """Return a line of a change."""
    return Line(change.id, dumps(variables), shows)


def results_of(
    job: Job | None, mark: str, lines: Sequence[Line]
) -> Flow[tuple[Path | None, dict[int, int]]]:
    """Return the file of a job's answers, and where in it each is, by the place of its line.

    A file that is shorter than the job was is asked for once more.
    """
    path: Path | None = None
    places: dict[int, int] = {}
    url = "" if job is None else job.url if job.is_complete else job.partial or job.url
    if job is None or not url:
        return None, {}
    expected = len(lines) if job.is_complete else min(job.objects, len(lines))
    for pause in (2.0, 0.0):
        try:
            path = yield from save(url, f"{mark}.jsonl")
        except AuthError:
            raise
        except StorebridgeError:
            break
        places = yield from flow.call(partial(_located, path, lines))
        if len(places) >= expected:
            break
        yield from wait(pause, "a file that was cut off")
    return path, places


def _located(path: Path, lines: Sequence[Line]) -> dict[int, int]:
    """Return where the answer to each line is, by the place of the line; none told twice.

    Recorded answers count lines from 0; where neither end of the count tells, since it isn't
    documented, what the answers show of their products does.
    """
    found: dict[int, int | None] = {}
    votes: Counter[tuple[int, bool | None]] = Counter()
    at = 0
    with path.open("rb") as file:
        for raw in file:
            start, at = at, at + len(raw)
            try:
                doc = loads(raw)
            except Unreadable:
                continue
            number = doc.get("__lineNumber") if isinstance(doc, dict) else None
            if type(number) is not int:
                continue
            found[number] = None if number in found else start
            votes.update((base, _shows(lines, number - base, doc)) for base in (0, 1))
    bases = [base for base in (0, 1) if votes[base, True] and not votes[base, False]]
    if (0 in found) != (len(lines) in found):
        bases = [0 if 0 in found else 1]
    return {
        number - base: start
        for base in bases[:1]
        for number, start in found.items()
        if start is not None and 0 <= number - base < len(lines)
    }


def _shows(lines: Sequence[Line], place: int, doc: Doc) -> bool | None:
    """Return whether an answer shows the product of a line; None where it shows none."""
    data = doc.get("data")
    payloads = data.values() if isinstance(data, dict) else ()
    products = (each.get("product") for each in payloads if isinstance(each, dict))
    product = next((each for each in products if isinstance(each, dict) and each), None)
    if product is None or not 0 <= place < len(lines) or not lines[place].shows:
        return None
    kind, _, value = lines[place].shows.partition(":")
    return bool(product.get(kind) == value)


def answers_to(
    path: Path | None, places: Mapping[int, int], start: int, count: int
) -> dict[int, Doc]:
    """Return the answers to some lines, by their place among those."""
    found: dict[int, Doc] = {}
    if path is not None:
        with path.open("rb") as file:
            for place in range(count):
                if start + place in places:
                    file.seek(places[start + place])
                    found[place] = loads(file.readline())
    return found


def remove(path: Path | None) -> None:
    """Remove the file of a job's answers."""
    if path is not None:
        path.unlink(missing_ok=True)
