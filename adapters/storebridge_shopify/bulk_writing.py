"""The changes of a batch as lines of jobs, and what became of each line.

Nothing is called applied without proof: the line of the result that says so, or the record as the
shop has it now. A line may be missing, come twice or be cut off with the end of the file; a job
may be canceled or fail half-way. What no line tells of is looked up once the job has ended; then
it was made, or it will not be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from storebridge.adapter import Batch, Change
from storebridge.errors import (
    AuthError,
    BadAnswer,
    Conflict,
    OutcomeUnknown,
    RateLimited,
    StorebridgeError,
    Unavailable,
)
from storebridge.flow import Flow, Outcome, Status, call, progress, remember, wait
from storebridge.models import Record
from storebridge.wire import dumps, loads
from storebridge_shopify.bulk import (
    Job,
    Order,
    follow,
    mark_of,
    named,
    save,
    start,
    under_way,
    upload,
)
from storebridge_shopify.graphql import Doc, check, document, refusal

__all__ = ["DOCUMENTS", "Jobs", "Line", "Lines", "line"]

R = TypeVar("R", bound=Record)

#: What jobs carry out, in the order in which a change needs them.
DOCUMENTS = (
    "product_set_shown",
    "product_set",
    "variants_update_shown",
    "publish",
    "unpublish",
    "translations_register",
    "translations_remove",
    "metafields_set",
    "metafields_delete",
    "product_delete",
)
#: As many answers are in memory at once.
_PIECE = 250
#: The most bytes of a file; Shopify takes 100 MB (usage/bulk-operations/imports), and several
#: are in memory at once.
MOST_BYTES = 20_000_000


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


class Jobs(Generic[R]):
    """Makes the changes of one batch by jobs.

    Args:
        batch: the changes.
        lines: says what lines would make a change; none where no job can.
        tell: takes outcomes; they are durable when it returns.
        look: returns the outcomes of changes by what the shop has now.
        shown: returns the record that the answers to a change show, by document; None if none.
    """

    def __init__(
        self,
        batch: Batch[R],
        lines: Callable[[Change[R]], Flow[Lines]],
        tell: Callable[[Sequence[Outcome]], Flow[None]],
        look: Callable[[Sequence[Change[R]], str], Flow[list[Outcome]]],
        shown: Callable[[Change[R], Mapping[str, Doc]], R | None],
    ) -> None:
        """Begin with nothing made."""
        self._batch, self._lines, self._tell = batch, lines, tell
        self._look, self._shown = look, shown
        self._changes = {change.id: change for change in batch.changes}
        self._plans: dict[str, Lines] = {}
        self._next = dict.fromkeys(self._changes, 0)
        """How many documents each change has behind it."""
        self._answers: dict[str, dict[str, Doc]] = {}
        """What Shopify said to the lines of each change, by document."""
        self._resumed: set[str] = set()
        """Changes of which an earlier run may have had answers that are gone."""
        self._told = 0
        self._file = 0
        self._twice = False
        """Whether lines may have been carried out before."""

    def run(self) -> Flow[list[Change[R]]]:
        """Make what jobs can make, and return the changes that are left to be made directly."""
        left: list[Change[R]] = []
        failed: list[Outcome] = []
        for change in self._batch.changes:
            try:
                found = yield from self._lines(change)
            except AuthError:
                raise
            except StorebridgeError as error:
                failed.append(Outcome.failure(change.id, error))
                continue
            if any(found.values()):
                self._plans[change.id] = found
            else:
                left.append(change)
        yield from self._resume()  # first: an earlier run may have made what fails now
        yield from self._done([each for each in failed if each.change in self._changes])
        for place, name in enumerate(DOCUMENTS):
            waiting = [
                each
                for change, plan in self._plans.items()
                if self._next[change] <= place
                for each in plan.get(name, ())
            ]
            for piece in _files(waiting):
                yield from self._make(name, piece)
        return [change for change in left if change.id in self._changes]

    # -- one job

    def _make(self, name: str, lines: Sequence[Line]) -> Flow[None]:
        """Have some lines carried out, and tell what became of their changes.

        What the job is made of is kept before it is asked for, and its id after.
        """
        mark = mark_of(self._batch.id, name, self._file)
        covers = tuple(dict.fromkeys(each.change for each in lines))
        held = {"document": name, "file": self._file, "lines": [each.change for each in lines]}
        self._file += 1
        try:
            path = yield from upload(b"".join(each.body + b"\n" for each in lines))
            yield from remember({**held, "id": ""})
            variables = {"mutation": named(name, mark), "path": path, "client": mark}
            order = Order("bulk_mutation", mark, variables, covers)
            job_id, again = yield from start(order)
            self._twice |= again
        except AuthError:
            raise
        except StorebridgeError as error:
            yield from self._done([Outcome.failure(change, error) for change in covers])
            return
        yield from remember({**held, "id": job_id})
        yield from self._settle(job_id, name, mark, lines)

    def _resume(self) -> Flow[None]:
        """Go on with the job that a killed run had under way, or may have had."""
        held = self._batch.state
        if not self._batch.uncertain:
            return
        self._twice = True
        if not isinstance(held, dict) or "lines" not in held:
            self._file = 100  # other names than those of the run that nothing is known of
            if job_id := (yield from under_way(mark_of(self._batch.id))):
                yield from follow(job_id, self._ignored)
            return
        name, self._file = held["document"], held["file"] + 1
        mark = mark_of(self._batch.id, name, held["file"])
        job_id = held["id"] or (yield from under_way(mark))
        if job_id:
            self._resumed = self._changes.keys() & set(held["lines"])
            yield from self._settle(job_id, name, mark, list(self._again(name, held["lines"])))

    def _again(self, name: str, changes: Iterable[str]) -> Iterator[Line]:
        """Yield the lines of a file that was sent before, as far as they are still of interest."""
        seen: dict[str, int] = {}
        for change in changes:
            at = seen[change] = seen.get(change, -1) + 1
            lines = self._plans.get(change, {}).get(name, ())
            yield lines[at] if at < len(lines) else Line(change, b"")

    def _ignored(self, _objects: int) -> Flow[None]:
        yield from progress(self._told)

    def _settle(self, job_id: str, name: str, mark: str, lines: Sequence[Line]) -> Flow[None]:
        """Wait for the end of a job, and tell what became of each of its changes."""
        lines_of = (each.change for each in lines if each.change in self._changes)
        final = {change for change in lines_of if self._is_last(change, name)}

        def told(objects: int) -> Flow[None]:
            share = min(objects, len(lines)) / len(lines)
            yield from progress(self._told + int(len(final) * share))

        try:
            job = yield from follow(job_id, told)
        except OutcomeUnknown as error:
            covers = dict.fromkeys(each.change for each in lines)
            known = (change for change in covers if change in self._changes)
            yield from self._done([Outcome.failure(change, error) for change in known])
            return
        path, places = yield from _results(job, mark, lines)
        unsure: list[str] = []
        for first, piece in _pieces(lines):
            answers = yield from call(partial(_answers, path, places, first, len(piece)))
            outcomes, untold = self._read(name, piece, answers)
            yield from self._done(outcomes)
            unsure += untold
        yield from call(partial(_remove, path))
        asked = [self._changes[each] for each in unsure if each in self._changes]
        if asked:
            ended = "" if job is None else job.words
            yield from self._done((yield from self._look(asked, ended)))

    def _read(
        self, name: str, lines: Sequence[Line], answers: Mapping[int, Doc]
    ) -> tuple[list[Outcome], list[str]]:
        """Return the outcomes that answers give, and the changes that must be looked up."""
        outcomes: dict[str, Outcome] = {}
        unsure: dict[str, None] = {}
        for place, each in enumerate(lines):
            if each.change not in self._changes:
                continue
            try:
                payload = self._proven(name, each, answers.get(place))
                self._answers.setdefault(each.change, {})[name] = payload
            except (OutcomeUnknown, Unavailable, RateLimited, BadAnswer):
                unsure[each.change] = None
            except Conflict as error:
                if self._twice:  # what stands in the way may be what the line has made before
                    unsure[each.change] = None
                else:
                    outcomes[each.change] = Outcome.failure(each.change, error)
            except StorebridgeError as error:
                outcomes[each.change] = Outcome.failure(each.change, error)
        unsure = {change: None for change in unsure if change not in outcomes}
        for change in dict.fromkeys(each.change for each in lines):
            if change in outcomes or change in unsure or change not in self._changes:
                continue
            self._next[change] = DOCUMENTS.index(name) + 1
            if self._is_last(change, name):
                outcomes[change] = self._applied(self._changes[change])
        return list(outcomes.values()), list(unsure)

    def _applied(self, change: Change[R]) -> Outcome:
        """Return the outcome of a change whose lines were all carried out."""
        answers = self._answers.pop(change.id, {})
        made = (each["product"]["id"] for each in answers.values() if each.get("product"))
        record = None if change.id in self._resumed else self._shown(change, answers)
        return Outcome(
            change=change.id,
            status=Status.APPLIED,
            id=change.record_id or next(made, ""),
            record=record,
        )

    def _proven(self, name: str, asked: Line, answer: Doc | None) -> Doc:
        """Return what a line was answered.

        Raises:
            StorebridgeError: if the line failed.
            OutcomeUnknown: if nothing tells what became of it.
        """
        if answer is None:
            raise OutcomeUnknown("the job left no line", covers=(asked.change,))
        if answer.get("errors"):
            raise refusal(answer)
        payload = (answer.get("data") or {}).get(document(name).mutation)
        if payload and name == "product_delete" and _is_gone(payload):
            return dict(payload)
        payload = check(payload)
        product = payload.get("product")
        kind, _, value = asked.shows.partition(":")
        if product and kind == "id" and product["id"] != value:
            raise OutcomeUnknown("the line is of another product", covers=(asked.change,))
        return payload

    def _is_last(self, change: str, name: str) -> bool:
        """Return whether a change needs nothing more after a document."""
        place = DOCUMENTS.index(name)
        plan = self._plans.get(change, {})
        return not any(plan.get(later) for later in DOCUMENTS[place + 1 :])

    def _done(self, outcomes: Sequence[Outcome]) -> Flow[None]:
        """Tell outcomes, and forget their changes."""
        if not outcomes:
            return
        for each in outcomes:
            self._plans.pop(each.change, None)
            self._changes.pop(each.change, None)
        self._told += len(outcomes)
        yield from self._tell(outcomes)


def _is_gone(payload: Doc) -> bool:
    """Return whether there was nothing to delete; the error has no code, but is about the id."""
    return any((each["field"] or [""])[-1] == "id" for each in payload["userErrors"])


def _files(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    """Yield lines in pieces that a file takes."""
    start = size = 0
    for place, each in enumerate(lines):
        size += len(each.body) + 1
        if size > MOST_BYTES and place > start:
            yield lines[start:place]
            start, size = place, len(each.body) + 1
    if lines[start:]:
        yield lines[start:]


def _pieces(lines: Sequence[Line]) -> Iterator[tuple[int, Sequence[Line]]]:
    """Yield lines with their place in the file, some at a time; those of a change together."""
    start = 0
    for place in range(1, len(lines) + 1):
        ended = place == len(lines) or lines[place].change != lines[place - 1].change
        if place == len(lines) or (ended and place - start >= _PIECE):
            yield start, lines[start:place]
            start = place


# -- results


def _results(
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
        places = yield from call(partial(_located, path, lines))
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
            except BadAnswer:
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
    payloads = (doc.get("data") or {}).values()
    product = next((each["product"] for each in payloads if each and each.get("product")), None)
    if product is None or not 0 <= place < len(lines) or not lines[place].shows:
        return None
    kind, _, value = lines[place].shows.partition(":")
    return bool(product.get(kind) == value)


def _answers(
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


def _remove(path: Path | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)
