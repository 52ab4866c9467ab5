"""Reading a large store by bulk queries: jobs of a few points each, and pages from their files.

A page takes some hundred points of the bucket, a job ten and some looks. Pages with all that there
is take about 40 points for each product, 4 for an order and 1 for a customer: so of some thousands
on, Standard's 100 points a second would take minutes, and a job is the shorter way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from uuid import uuid4

from storebridge import flow
from storebridge.errors import BadAnswer, NotFound, Rejected, Unavailable
from storebridge.flow import Flow, wait
from storebridge.wire import dumps
from storebridge_shopify.bulk import Submission, follow, job_mark, named, save, start
from storebridge_shopify.bulk_index import build, roots
from storebridge_shopify.bulk_shapes import Export
from storebridge_shopify.graphql import Doc, call, nothing_asked

__all__ = ["CURSOR", "BulkPages", "query_text"]

#: How a cursor begins that leads to a file: "bulk:<jobs>:<number of the last record>".
CURSOR = "bulk:"
#: Records to a page: what comes of a file costs no points.
_SIZE = 100
_HEAD = re.compile(r"^query (\w+)\([^)]*\)", re.MULTILINE)
_INCLUDE = re.compile(r"(\w+)(\([^)]*\))? @include\(if: \$(\w+)\)")


class BulkPages:
    """The files of jobs that were run, and their pages."""

    def __init__(self) -> None:
        """Begin before the first job."""
        self._files: dict[str, tuple[Path, ...]] = {}

    def opened(
        self, export: Export, search: str | None, flags: Mapping[str, bool], least: int
    ) -> Flow[str | None]:
        """Return the cursor of records that jobs have read; "" if they found none.

        Args:
            export: how records of their kind come of jobs.
            search: which records; None for all.
            flags: which connections are wanted.
            least: how many there have to be; 0 for no jobs at all.

        Returns:
            None where pages are to be read instead: there are fewer, or Shopify runs no such query.
        """
        if not least:
            return None
        [found] = (yield from call(export.count, {"query": search, "limit": least})).values()
        if found is None or found["count"] < least:
            return None
        names = export.needed(flags)
        try:
            return (yield from self.begin([(n, query_text(n, flags, search)) for n in names]))
        except Rejected as error:
            if error.code != "INVALID":
                raise
            return None  # a rule for queries that is written nowhere costs time, and no records

    def begin(self, texts: Sequence[tuple[str, str]]) -> Flow[str]:
        """Run queries side by side, and return the cursor of the first page; "" if there is none.

        Args:
            texts: the names of documents and the queries made of them.

        Raises:
            Unavailable: if a job fails twice.
            BadAnswer: if a file isn't what its job has counted.
        """
        started = []
        for name, text in texts:
            started.append((yield from _begun(name, text)))
        jobs = []
        for (name, text), job_id in zip(texts, started, strict=True):
            jobs.append((yield from self._brought(name, text, job_id)))
        files = tuple(path for _, path in jobs if path is not None)
        if len(files) < len(jobs):
            return ""
        key = ",".join(job.rpartition("/")[2] for job, _ in jobs)
        self._files[key] = files
        return f"{CURSOR}{key}:0"

    def page(self, cursor: str) -> Flow[tuple[list[Doc], str]]:
        """Return the records at a cursor with their children, and the next cursor."""
        key, _, after = cursor.removeprefix(CURSOR).partition(":")
        if key not in self._files:
            self._files[key] = yield from self._again(key.split(","))
        files = self._files[key]
        docs, last = yield from flow.call(partial(roots, files, int(after), _SIZE))
        if last:
            return docs, f"{CURSOR}{key}:{last}"
        del self._files[key]
        yield from flow.call(partial(_remove, files))
        return docs, ""

    def _brought(self, name: str, text: str, job_id: str) -> Flow[tuple[str, Path | None]]:
        """Return a job and its file; one that failed is run once more."""
        for is_last in (False, True):
            job = yield from follow(job_id, _untold, query=True)
            if job is None:
                raise NotFound(f"the shop doesn't know bulk job {job_id} any more")
            if job.is_complete:
                return job_id, (yield from _file(job_id, job.url, job.objects, job.roots))
            if is_last or job.status != "FAILED":
                raise Unavailable(
                    f"a bulk query came to no good end: {job.words}",
                    remedy="Read again; with the setting bulk_from = 0 pages are read instead.",
                )
            job_id = yield from _begun(name, text)
        raise AssertionError  # the second round ends in one way or the other

    def _again(self, numbers: Sequence[str]) -> Flow[tuple[Path, ...]]:
        """Return the files of jobs that another run has begun, or an earlier engine."""
        found = []
        for number in numbers:
            job_id = f"gid://shopify/BulkOperation/{number}"
            job = yield from follow(job_id, _untold, query=True)
            if job is None or not job.is_complete or (not job.url and job.objects):
                raise NotFound(f"the results of bulk job {number} are gone: read from the start")
            if path := (yield from _file(job_id, job.url, job.objects, job.roots)):
                found.append(path)
        return tuple(found)


def query_text(name: str, flags: Mapping[str, bool], query: str | None) -> str:
    """Return a document as a bulk query, which takes no variables: what isn't wanted is left out.

    Args:
        name: the document; its operation is named so that the job can be found again.
        flags: which of the fields with `@include` are wanted.
        query: the search at the root, None for everything.
    """
    text = _HEAD.sub(r"query \1", named(name, job_mark(uuid4().hex, name)))
    search = f"(query: {dumps(query).decode()})" if query else ""
    text = text.replace("(query: $query)", search)
    while match := _INCLUDE.search(text):
        if flags[match[3]]:
            text = text[: match.end(2) if match[2] else match.end(1)] + text[match.end() :]
        else:
            text = text[: match.start()] + text[_after_braces(text, match.end()) :]
    return text


def _after_braces(text: str, start: int) -> int:
    """Return where the selection ends that begins after a place."""
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0 and text[place] == "}":
            return place + 1
    raise ValueError("braces that don't match")


def _begun(name: str, text: str) -> Flow[str]:
    mark = text.split(maxsplit=2)[1]
    job_id, _ = yield from start(Submission("bulk_query", mark, {"text": text}))
    return job_id


def _untold(_objects: int) -> Flow[None]:
    return nothing_asked(None)


def _file(job_id: str, url: str, lines: int, count: int) -> Flow[Path | None]:
    """Return the file of a job, with its index beside it; None where nothing came out.

    A file that was cut off is brought once more.
    """
    if not url and not lines:
        return None
    for pause in (2.0, 0.0):
        if not url:
            raise NotFound(f"the results of bulk job {job_id} are gone: read from the start")
        path = yield from save(url, f"bulk-{job_id.rpartition('/')[2]}.jsonl")
        try:
            yield from flow.call(partial(build, path, lines, count))
        except BadAnswer:
            if not pause:
                raise
            yield from wait(pause, "a file that was cut off")
        else:
            return path
    raise AssertionError  # the second round ends in one way or the other


def _remove(files: Sequence[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)
        file.with_suffix(".index").unlink(missing_ok=True)
