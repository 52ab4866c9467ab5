"""Redirects: one by one, or many new ones by one file that Shopify works off.

A path has one redirect, whatever is sent twice: a second one is refused, and a file changes it.
The search for a path lags behind what was written, so a file's redirects are read from the list.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from storebridge.adapter import Batch, BulkLimits, Change, Cost
from storebridge.errors import (
    AuthError,
    BadAnswer,
    Conflict,
    OutcomeUnknown,
    Rejected,
    StorebridgeError,
)
from storebridge.flow import FilePart, Flow, Outcome, RequestKind, progress, remember, report, wait
from storebridge.models import Redirect
from storebridge_shopify import fields
from storebridge_shopify.graphql import (
    Doc,
    call,
    check,
    document,
    drained,
    id_of,
)
from storebridge_shopify.lookup import values
from storebridge_shopify.nested import FlatRecords
from storebridge_shopify.records import applied, mutate, removal
from storebridge_shopify.search import any_of, term
from storebridge_shopify.site import Facts
from storebridge_shopify.uploads import staged

__all__ = ["RedirectRecords"]

#: As many paths are searched for in one request.
_PATHS = 20
#: Seconds between two looks at a file that is worked off.
_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 60.0, 60.0)
#: What a file takes besides its rows: its upload, its start, some looks, and the list afterwards.
_JOB = ("staged_uploads", "redirect_import", "redirect_import_submit")
#: Seconds until the search knows a redirect that was made a moment ago.
_LAG = (2.0, 5.0, 10.0, 20.0)


class RedirectRecords(FlatRecords[Redirect]):
    """The redirects of a shop's own pages."""

    model = Redirect
    fields = fields.REDIRECT
    finds = ("id", "path")
    type: ClassVar[str] = "UrlRedirect"
    root: ClassVar[str] = "urlRedirects"
    listing: ClassVar[str] = "redirects"
    by_id: ClassVar[str] = "redirects_by_id"

    def __init__(self, *arguments: Any) -> None:
        """Keep the shop and its settings, and work out what a file of many redirects costs."""
        super().__init__(*arguments)
        requests = len(_JOB) + 1 + len(_PAUSES)
        points = sum(document(name).cost({}) for name in _JOB) + len(_PAUSES)
        # How many rows a file may have is written nowhere; so many are a few hundred kilobytes.
        cost = Cost(requests=requests, points=points)
        self.bulk = BulkLimits(changes=5_000, at_once=1, cost=cost)

    # -- reading

    def look_up(self, keys: Sequence[str]) -> Flow[list[str]]:
        """Return the ids of the redirects of these paths, as the search knows them."""
        paths = list(dict.fromkeys(map(_path, values(keys, "path"))))
        found: dict[str, None] = {}
        for start in range(0, len(paths), _PATHS):
            piece = paths[start : start + _PATHS]
            query = any_of(term("path", each) for each in piece)
            nodes = yield from drained("redirects", self.root, {"query": query}, 250)
            same = {each.casefold() for each in piece}
            found |= {node["id"]: None for node in nodes if node["path"].casefold() in same}
        return list(found)

    def read(self, doc: Doc) -> Redirect:
        """Return the redirect that a document describes."""
        return Redirect(id=doc["id"], path=doc["path"], target=doc["target"])

    # -- writing

    def write(self, batch: Batch[Redirect]) -> Flow[None]:
        """Make the changes; as a job, the new redirects go by one file."""
        new = [change for change in batch.changes if change.action == "create"]
        if not new or (batch.way == "direct" and batch.state is None):
            yield from super().write(batch)
            return
        facts = yield from self.shop.known()
        for change in batch.changes:
            if change.action != "create":
                yield from report([(yield from self.outcome(change, batch, facts))])
        yield from self._by_file(new, batch)

    def make(self, change: Change[Redirect], batch: Batch[Redirect], facts: Facts) -> Flow[str]:
        """Create a redirect; one whose answer was lost is there if its path is taken."""
        name, root, kind = "redirect_create", "urlRedirectCreate", RequestKind.CREATE
        variables = {"redirect": _input(change.desired)}
        try:
            payload = yield from mutate(name, root, variables, change, kind)
        except Rejected as error:
            if "urlRedirect.path" not in error.fields or not change.desired.target:
                raise
            return (yield from self._leading(change, error))
        return id_of(payload["urlRedirect"])

    def _leading(self, change: Change[Redirect], error: Rejected) -> Flow[str]:
        """Return the redirect that has the path, if it leads where it should.

        The search may not know it yet: it is asked several times.

        Raises:
            Rejected: if the path leads elsewhere.
            OutcomeUnknown: if the search doesn't know the path by then.
        """
        for pause in (*_LAG, 0.0):
            found = yield from self.fetch((f"path:{change.desired.path}",), None)
            for live in found:
                if self.is_made(change.desired, live):
                    return live.id
                raise error
            if pause:
                yield from wait(pause, "a path that is taken")
        text = "its path is taken, and the search doesn't know by which redirect"
        raise OutcomeUnknown(text, covers=(change.id,))

    def update(
        self, change: Change[Redirect], batch: Batch[Redirect], facts: Facts
    ) -> Flow[Outcome]:
        """Write the path or the target of a redirect."""
        variables = {"id": change.record_id, "redirect": _input(change.desired)}
        yield from mutate("redirect_update", "urlRedirectUpdate", variables, change)
        return applied(change, change.record_id)

    def delete(self, change: Change[Redirect]) -> Flow[str]:
        """Delete a redirect."""
        return (yield from removal("redirect_delete", "urlRedirectDelete", change))

    def _by_file(self, new: Sequence[Change[Redirect]], batch: Batch[Redirect]) -> Flow[None]:
        """Create redirects by one file, and read from the list what became of each.

        A file writes over redirects that are there, so paths that are taken are left out. What was
        begun is remembered: after a kill the same file is asked about, never sent twice.
        """
        rows = list(new)
        try:
            kept = begun = str((batch.state or {}).get("import", ""))
            if not begun or not (yield from _status(begun))["finished"]:
                held = yield from self._held()
                rows = [change for change in new if _path_of(change) not in held]
                told = [_there(change, held[_path_of(change)]) for change in new
                        if change not in rows]  # fmt: skip
                yield from report(told)
                # A file can't be changed any more when a path of it was taken meanwhile.
                if rows and (not begun or any(each.cause for each in told)):
                    begun = yield from self._begin(rows)
                    yield from remember({"import": begun})
            if not rows:
                return
            over = yield from _worked_off(begun, [change.id for change in rows])
            if begun != kept and batch.uncertain:
                over = 0  # what an earlier file has made meanwhile
            held = yield from self._held()
        except AuthError:
            raise
        except StorebridgeError as error:
            yield from report([Outcome.failure(change.id, error) for change in rows])
            return
        yield from report(_written_over([_outcome(change, held) for change in rows], over))

    def _held(self) -> Flow[dict[str, Redirect]]:
        """Return all redirects by path, in lower case."""
        nodes = yield from drained("redirects", self.root, {"query": None}, 250)
        return {node["path"].casefold(): self.read(node) for node in nodes}

    def _begin(self, new: Sequence[Change[Redirect]]) -> Flow[str]:
        """Upload a file of redirects and return the id of its import; nothing is made by that."""
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(("Redirect from", "Redirect to"))
        rows.writerows((_path(c.desired.path), c.desired.target) for c in new)
        content = text.getvalue().encode()
        file = FilePart("file", "redirects.csv", content, "text/csv")
        lying = yield from staged(file, "URL_REDIRECT_IMPORT")
        name, root = "redirect_import", "urlRedirectImportCreate"
        payload = yield from mutate(name, root, {"url": lying.url}, new[0])
        return id_of(payload["urlRedirectImport"])

    # -- forms

    def cost(self, change: Change[Redirect]) -> Cost:
        """Return what a change takes when it is made by itself."""
        name = f"redirect_{change.action}"
        lines = 1 if change.action == "create" else 0
        return Cost(requests=1, points=document(name).cost({}), lines=lines)

    def normal(self, desired: Redirect) -> Redirect:
        """Return a desired redirect as Shopify gives it back: its path begins with a slash."""
        if "path" in desired.given and _path(desired.path) != desired.path:
            return desired.model_copy(update={"path": _path(desired.path)})
        return desired


def _path(text: str) -> str:
    return f"/{text.lstrip('/')}" if text else ""


def _input(desired: Redirect) -> dict[str, Any]:
    given = {"path": _path(desired.path), "target": desired.target}
    return {name: value for name, value in given.items() if name in desired.given}


def _path_of(change: Change[Redirect]) -> str:
    return _path(change.desired.path).casefold()


def _worked_off(id_: str, covers: Sequence[str]) -> Flow[int]:
    """Start an import, unless it was started before, and wait until it is finished.

    Returns:
        How many redirects it has written over.

    Raises:
        OutcomeUnknown: if it isn't finished after four minutes.
    """
    state = yield from _status(id_)
    if not state["finished"]:
        variables, kind = {"id": id_}, RequestKind.SUBMIT
        name, root = "redirect_import_submit", "urlRedirectImportSubmit"
        data = yield from call(name, variables, kind=kind, covers=tuple(covers))
        try:
            check(data[root])
        except Rejected as error:
            if error.code not in ("ALREADY_IMPORTED", "IN_PROGRESS"):
                raise
    for pause in _PAUSES:
        state = yield from _status(id_)
        done = sum(state[each] or 0 for each in ("createdCount", "updatedCount", "failedCount"))
        yield from progress(done)
        if state["finished"]:
            return int(state["updatedCount"] or 0)
        yield from wait(pause, "Shopify imports redirects")
    raise OutcomeUnknown("Shopify is still importing redirects", covers=tuple(covers))


def _status(id_: str) -> Flow[Doc]:
    found = (yield from call("redirect_import_status", {"id": id_}))["urlRedirectImport"]
    if found is None:
        raise BadAnswer("the import of redirects is gone")
    state: Doc = found
    return state


def _outcome(change: Change[Redirect], held: Mapping[str, Redirect]) -> Outcome:
    """Return what became of a row of a file: the answer only counts."""
    live = held.get(_path_of(change))
    if live is not None and live.target == change.desired.target:
        return applied(change, live.id)
    error = Rejected(
        "Shopify didn't take this row of the file",
        fields={"path": change.desired.path},
        remedy="Look whether the path is one of a page that is there.",
    )
    return Outcome.failure(change.id, error)


def _there(change: Change[Redirect], live: Redirect) -> Outcome:
    """Return the outcome of a redirect whose path is taken before anything is sent."""
    if live.target == change.desired.target:
        return applied(change, live.id)
    error = Conflict(
        f"the path has a redirect by now (id {live.id})",
        fields={"path": change.desired.path},
        remedy="Plan again.",
    )
    return Outcome.failure(change.id, error)


def _written_over(outcomes: Sequence[Outcome], count: int) -> list[Outcome]:
    """Return outcomes in which those that weren't made, but written over, are conflicts.

    The answer only counts them. They were there before, so theirs are the lowest ids.
    """
    made = sorted(
        (each for each in outcomes if each.id), key=lambda each: int(each.id.rpartition("/")[2])
    )
    error = Conflict(
        "a redirect of this path was made meanwhile, and the file wrote over it",
        remedy="Look whether it leads where it should.",
    )
    over = {each.change: Outcome.failure(each.change, error) for each in made[:count]}
    return [over.get(each.change, each) for each in outcomes]
