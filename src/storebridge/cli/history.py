"""`history`: which plans were applied to a store."""

from __future__ import annotations

import time
from typing import Annotated

from cyclopts import App, Parameter

from storebridge.cli.common import Json, StateDir, StoreText
from storebridge.cli.output import moment, say, shortened, table, write_json
from storebridge.store import open
from storebridge.store.base import check_there

__all__ = ["app", "history", "prune"]

app = App(name="history", help="List the plans that were applied to a store.")


@app.default
def history(store: StoreText, /, *, json: Json = False, state: StateDir = None) -> None:
    """List the plans that were applied to a store, the newest first."""
    with open(store, state=state) as opened:
        check_there(opened.adapter)
        rows = opened.state.history()
    if json:
        names = ("path", "digest", "at", "counts", "undo_of")
        write_json([{name: getattr(row, name) for name in names} for row in rows])
        return
    if not rows:
        say("No plan has been applied to this store from here.")
        return
    head = ("when", "plan", "what came of it")
    whens = [moment(row.at) for row in rows]
    became = [", ".join(f"{n} {status}" for status, n in row.counts.items() if n) for row in rows]
    beside = max(map(len, whens)) + max(map(len, [*became, head[2]])) + 2 * len(head)
    paths = [shortened(row.path, beside) for row in rows]
    table(head, zip(whens, paths, became, strict=True))


@app.command
def prune(
    store: StoreText,
    /,
    *,
    days: Annotated[int, Parameter(help="How long ago.")] = 90,
    state: StateDir = None,
) -> None:
    """Forget plans that were applied long ago; the plan files themselves stay."""
    with open(store, state=state) as opened:
        check_there(opened.adapter)
        count = opened.state.prune(time.time() - days * 86_400)
    say(f"Forgot {count} entries that are older than {days} days.")
