"""Bulk jobs: started once, followed to their end, their results brought to a file.

An app runs five queries and five mutations at once in a shop (usage/bulk-operations, since
2026-01); jobs of others, and our own of other runs, are waited for and never touched. A job shows
neither the file nor the client identifier that it was started with (schema), but its document:
so the name of the operation in it is what a job is known by when the answer was lost.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from storebridge.errors import Conflict, OutcomeUnknown
from storebridge.flow import FilePart, Flow, Request, RequestKind, send, wait
from storebridge_shopify.graphql import Doc, call, check, following, text_of
from storebridge_shopify.uploads import TRANSFER, staged

__all__ = [
    "Job",
    "Submission",
    "follow",
    "job_mark",
    "look",
    "named",
    "save",
    "start",
    "under_way",
    "upload",
]

#: Seconds between two looks at a job: they grow, since a job of minutes may as well take hours.
_FIRST, _GROWTH, _LAST = 1.0, 1.5, 60.0
#: Seconds that a place is waited for, and that a job may take (usage/bulk-operations: 24 hours
#: for a mutation, ten days for a query).
_PLACE, _MUTATION, _QUERY = 3_600.0, 90_000.0, 900_000.0
#: Seconds before each look for a job whose answer was lost.
_SETTLED = (5.0, 15.0)
_ENDED = frozenset({"COMPLETED", "FAILED", "CANCELED", "EXPIRED"})
_FULL = frozenset({"OPERATION_IN_PROGRESS", "LIMIT_REACHED"})
_BUSY = _FULL | {"INTERNAL_FILE_SERVER_ERROR"}
#: As many jobs are looked through, newest first, for one of ours.
_JOBS, _PAGES = 50, 4
_FRAGMENT = re.compile(r"^fragment (\w+) on \w+ \{$(.*?)^\}$", re.MULTILINE | re.DOTALL)
_SPREAD = re.compile(r"\.\.\.(\w+)")
_OPERATION = re.compile(r"^(mutation|query) \w+", re.MULTILINE)

Told = Callable[[int], Flow[None]]


@dataclass(frozen=True, slots=True)
class Job:
    """How far a job is, as the shop says."""

    id: str
    status: str
    error: str
    objects: int
    """The lines that were worked off, of a query those of its result."""
    roots: int
    url: str
    partial: str
    """Where the results of a job lie that came to no good end."""

    @classmethod
    def of(cls, doc: Doc) -> Self:
        """Return the job that an answer shows."""
        return cls(
            id=doc["id"],
            status=doc["status"],
            error=doc["errorCode"] or "",
            objects=int(doc["objectCount"]),
            roots=int(doc["rootObjectCount"]),
            url=doc["url"] or "",
            partial=doc["partialDataUrl"] or "",
        )

    @property
    def is_complete(self) -> bool:
        """Whether it came to its end by itself."""
        return self.status == "COMPLETED"

    @property
    def words(self) -> str:
        """What became of it, for a message."""
        number = self.id.rpartition("/")[2]
        return f"job {number} ended as {self.status}{f' ({self.error})' if self.error else ''}"


@dataclass(frozen=True, slots=True)
class Submission:
    """A job to start."""

    document: str
    """"bulk_mutation" or "bulk_query"."""
    mark: str
    """The name of its operation, by which it is found again."""
    variables: Doc
    covers: tuple[str, ...] = ()
    """The changes that it makes."""

    @property
    def root(self) -> str:
        """The field of the mutation that starts it."""
        return "bulkOperationRunMutation" if self.covers else "bulkOperationRunQuery"


def job_mark(batch: str, *parts: object) -> str:
    """Return the name of a batch's job: the same when the batch comes again."""
    digest = hashlib.sha256(batch.encode()).hexdigest()[:24]
    return "_".join(["Storebridge", digest, *map(str, parts)])


def named(document: str, mark: str) -> str:
    """Return the text of a document for a job, under the name that the job is known by."""
    lines = (line for line in text_of(document).splitlines() if not line.startswith("#"))
    return _OPERATION.sub(rf"\1 {mark}", _spelled_out("\n".join(lines)), count=1)


def _spelled_out(text: str) -> str:
    """Return a document with its fragments in place: nothing says that a job takes any."""
    bodies: dict[str, str] = dict(_FRAGMENT.findall(text))
    text = _FRAGMENT.sub("", text)
    while _SPREAD.search(text):
        text = _SPREAD.sub(lambda found: bodies[found[1]].strip(), text)
    return text


# -- starting


def start(submission: Submission) -> Flow[tuple[str, bool]]:
    """Start a job and return its id, and whether it may run twice since an answer was lost.

    After a lost answer the job is looked for before it is asked for again.

    Raises:
        Conflict: if no place came free.
        OutcomeUnknown: if the answer was lost twice, and no such job shows.
        Rejected: if Shopify refuses the document or the file.
    """
    try:
        return (yield from _started(submission)), False
    except OutcomeUnknown:
        if found := (yield from under_way(submission.mark)):
            return found, False
    try:
        return (yield from _started(submission)), True
    except OutcomeUnknown:
        if found := (yield from under_way(submission.mark)):
            return found, True
        raise


def _started(submission: Submission) -> Flow[str]:
    """Start a job as soon as there is a place for it."""
    for pause in _pauses(_PLACE):
        data = yield from call(
            submission.document,
            submission.variables,
            kind=RequestKind.SUBMIT,
            covers=submission.covers,
        )
        payload = data[submission.root]
        codes = {each["code"] for each in payload["userErrors"]}
        if not codes & _BUSY:
            return str(check(payload)["bulkOperation"]["id"])
        yield from wait(pause, "Shopify has no place for another job yet")
    if not codes & _FULL:
        check(payload)
    raise Conflict(
        f"no place came free for a bulk job in {_PLACE / 60:.0f} minutes; under way are: "
        f"{', '.join((yield from _others())) or 'jobs that this app may not see'}",
        code="OPERATION_IN_PROGRESS",
        remedy="Wait until they end, or cancel them in whatever started them; then try again.",
    )


def _pauses(limit: float) -> Iterator[float]:
    """Yield growing waits which together take so many seconds."""
    pause, gone = _FIRST, 0.0
    while gone < limit:
        yield pause
        gone += pause
        pause = min(pause * _GROWTH, _LAST)


def _listed() -> Flow[list[Doc]]:
    """Return the newest jobs of this app."""
    found: list[Doc] = []
    after: str | None = None
    for _ in range(_PAGES):
        data = yield from call("bulk_jobs", {"first": _JOBS, "after": after})
        found += data["bulkOperations"]["nodes"]
        after = following(data["bulkOperations"]["pageInfo"])
        if not after:
            break
    return found


def _others() -> Flow[list[str]]:
    """Return what is under way, in words: which jobs, and since when."""
    return [
        f"{each['type'].lower()} {each['id'].rpartition('/')[2]} since {each['createdAt']}"
        for each in (yield from _listed())
        if each["status"] not in _ENDED
    ]


def under_way(mark: str) -> Flow[str]:
    """Return the id of the newest job whose operation's name begins so; "" if none shows.

    Looks twice, since a job may show a moment after it was asked for.
    """
    name = re.compile(rf"\b{mark}(_|\b)")
    for pause in _SETTLED:
        yield from wait(pause, "a lost answer")
        for each in (yield from _listed()):
            if name.search(each["query"]):
                return str(each["id"])
    return ""


# -- following


def look(job_id: str) -> Flow[Job | None]:
    """Return a job as it is now; None if the shop knows of none."""
    doc = (yield from call("bulk_job", {"id": job_id}))["bulkOperation"]
    return Job.of(doc) if doc else None


def follow(job_id: str, told: Told, *, query: bool = False) -> Flow[Job | None]:
    """Return a job once it has ended; None if the shop doesn't know it (any more).

    Args:
        job_id: which one.
        told: called with the lines that it has worked off, at each look.
        query: whether it is a query, which may take longer.

    Raises:
        OutcomeUnknown: if it is still under way when Shopify should have ended it.
    """
    for pause in _pauses(_QUERY if query else _MUTATION):
        job = yield from look(job_id)
        if job is None:
            return None
        yield from told(job.objects)
        if job.status in _ENDED:
            return job
        yield from wait(pause, f"Shopify works on a job, {job.objects} lines so far")
    raise OutcomeUnknown(f"bulk job {job_id.rpartition('/')[2]} is under way and doesn't end")


# -- files


def upload(content: bytes) -> Flow[str]:
    """Upload the lines of a mutation's variables, and return the path that a job finds them at."""
    file = FilePart(name="file", filename="lines.jsonl", content=content, media_type="text/jsonl")
    return (yield from staged(file, "BULK_MUTATION_VARIABLES")).key


def save(url: str, name: str) -> Flow[Path]:
    """Bring a result to the engine's spool under a name, and return where it is.

    Raises:
        AccessDenied, NotFound: if the address is no longer good; Shopify's are for seven days.
    """
    request = Request(method="GET", path=url, save_to=name, foreign=True, timeout=TRANSFER)
    response = yield from send(request)
    assert response.path is not None
    return response.path
