"""The changes of a batch as lines of jobs, and what became of each line.

Nothing is called applied without proof: the line of the result that says so, or the record as the
shop has it now. A line may be missing, come twice or be cut off with the end of the file; a job
may be canceled or fail half-way. What no line tells of is looked up once the job has ended; then
it was made, or it will not be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Generic, TypeVar

from storebridge import flow
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
from storebridge.flow import Flow, Outcome, Status, progress, remember
from storebridge.models import Record
from storebridge.wire import MISREAD
from storebridge_shopify.bulk import (
    Submission,
    follow,
    job_mark,
    named,
    start,
    under_way,
    upload,
)
from storebridge_shopify.bulk_results import Line, Lines, answers_to, remove, results_of
from storebridge_shopify.graphql import Doc, check, document, id_of, refusal
from storebridge_shopify.shapes import of_line
from storebridge_shopify.steps import Steps

__all__ = ["DOCUMENTS", "Jobs"]

R = TypeVar("R", bound=Record)

#: What jobs carry out, in the order in which a change needs them.
DOCUMENTS = (
    "tags_remove",
    "tags_add",
    "product_set_shown",
    "product_set",
    "product_join",
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


class Jobs(Generic[R]):
    """Makes the changes of one batch by jobs.

    Args:
        batch: the changes.
        lines: says what lines would make a change; none where no job can.
        tell: takes outcomes; they are durable when it returns.
        look: returns the outcomes of changes by what the shop has now.
        shown: returns the record that the answers to a change show, by document; None if none.
        steps: notes what was written.
    """

    def __init__(
        self,
        batch: Batch[R],
        lines: Callable[[Change[R]], Flow[Lines]],
        tell: Callable[[Sequence[Outcome]], Flow[None]],
        look: Callable[[Sequence[Change[R]], str], Flow[list[Outcome]]],
        shown: Callable[[Change[R], Mapping[str, Doc]], R | None],
        steps: Steps,
    ) -> None:
        """Keep what the jobs are to make, and how it is told, looked up and shown."""
        self._batch, self._lines, self._tell = batch, lines, tell
        self._look, self._shown, self._steps = look, shown, steps
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
        mark = job_mark(self._batch.id, name, self._file)
        covers = tuple(dict.fromkeys(each.change for each in lines))
        held = {"document": name, "file": self._file, "lines": [each.change for each in lines]}
        self._file += 1
        try:
            path = yield from upload(b"".join(each.body + b"\n" for each in lines))
            yield from remember({**held, "id": ""})
            variables = {"mutation": named(name, mark), "path": path, "client": mark}
            submission = Submission("bulk_mutation", mark, variables, covers)
            job_id, again = yield from start(submission)
            self._twice |= again
        except AuthError:
            raise
        except StorebridgeError as error:
            yield from self._done([self._steps.failure(change, error) for change in covers])
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
            if job_id := (yield from under_way(job_mark(self._batch.id))):
                yield from follow(job_id, self._ignored)
            return
        name, self._file = held["document"], held["file"] + 1
        mark = job_mark(self._batch.id, name, held["file"])
        job_id = held["id"] or (yield from under_way(mark))
        if job_id:
            self._resumed = self._changes.keys() & set(held["lines"])
            for change in self._resumed:
                for earlier in DOCUMENTS[: DOCUMENTS.index(name)]:
                    if self._plans.get(change, {}).get(earlier):
                        self._steps.note(change, document(earlier).mutation)
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
        path, places = yield from results_of(job, mark, lines)
        unsure: dict[str, str] = {}
        for first, piece in _pieces(lines):
            answers = yield from flow.call(partial(answers_to, path, places, first, len(piece)))
            outcomes, untold = self._read(name, piece, answers)
            yield from self._done(outcomes)
            unsure |= untold
        yield from flow.call(partial(remove, path))
        asked = [self._changes[each] for each in unsure if each in self._changes]
        if asked:
            found = yield from self._look(asked, "" if job is None else job.words)
            found = [_told_of(each, unsure[each.change]) for each in found]
            yield from self._done([*map(self._steps.told, found)])

    def _read(
        self, name: str, lines: Sequence[Line], answers: Mapping[int, Doc]
    ) -> tuple[list[Outcome], dict[str, str]]:
        """Return the outcomes that answers give, and the changes that must be looked up.

        With these goes the place in an answer that couldn't be read, "" where there is none.
        """
        outcomes: dict[str, Outcome] = {}
        unsure: dict[str, str] = {}
        for place, each in enumerate(lines):
            if each.change not in self._changes:
                continue
            try:
                payload = self._proven(name, each, answers.get(place))
                self._answers.setdefault(each.change, {})[name] = payload
                self._steps.note(each.change, document(name).mutation, payload)
            except (OutcomeUnknown, Unavailable, RateLimited):
                unsure[each.change] = ""
            except (BadAnswer, *MISREAD):
                unsure[each.change] = of_line(name, answers[place])
            except Conflict as error:
                if self._twice:  # what stands in the way may be what the line has made before
                    unsure[each.change] = ""
                else:
                    outcomes[each.change] = Outcome.failure(each.change, error)
            except StorebridgeError as error:
                outcomes[each.change] = Outcome.failure(each.change, error)
        unsure = {change: place for change, place in unsure.items() if change not in outcomes}
        for change in dict.fromkeys(each.change for each in lines):
            if change in outcomes or change in unsure or change not in self._changes:
                continue
            self._next[change] = DOCUMENTS.index(name) + 1
            if self._is_last(change, name):
                held = self._answers.pop(change, {})
                try:
                    outcomes[change] = self._applied(self._changes[change], held)
                except MISREAD:
                    unsure[change] = _place_in(held)
        return [*map(self._steps.told, outcomes.values())], unsure

    def _applied(self, change: Change[R], answers: Mapping[str, Doc]) -> Outcome:
        """Return the outcome of a change whose lines were all carried out."""
        made = (id_of(each["product"]) for each in answers.values() if each.get("product"))
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


def _place_in(answers: Mapping[str, Doc]) -> str:
    """Return the place in the answers to a change that couldn't be read, by their documents."""
    found = (of_line(each, {"data": {document(each).mutation: answers[each]}}) for each in answers)
    return next(filter(None, found), "")


def _told_of(outcome: Outcome, place: str) -> Outcome:
    """Return the outcome of a change that was looked up since its line couldn't be read."""
    if not place or outcome.status is Status.APPLIED:
        return outcome
    return replace(outcome, message=f"{outcome.message}; its line can't be read, at {place}")


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
