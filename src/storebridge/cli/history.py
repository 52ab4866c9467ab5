"""`history`: which plans were applied to a store."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated

from cyclopts import App, Parameter

from storebridge.cli.common import Json, StateDir, StoreText
from storebridge.cli.output import say, table, write_json
from storebridge.store import open

__all__ = ["app", "history", "prune"]

app = App(name="history", help="List the plans that were applied to a store.")


@app.default
def history(store: StoreText, /, *, json: Json = False, state: StateDir = None) -> None:
    """List the plans that were applied to a store, the newest first."""
    with open(store, state=state) as opened:
        rows = opened.state.history()
    if json:
        names = ("path", "digest", "at", "counts", "undo_of")
        write_json([{name: getattr(row, name) for name in names} for row in rows])
        return
    if not rows:
        say("No plan has been applied to this store from here.")
        return
    table(
        ("when", "plan", "what came of it"),
        (
            (
                datetime.fromtimestamp(row.at).astimezone().isoformat(" ", "minutes"),
                row.path,
                ", ".join(f"{count} {status}" for status, count in row.counts.items() if count),
            )
            for row in rows
        ),
    )


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
        count = opened.state.prune(time.time() - days * 86_400)
    say(f"Forgot {count} entries that are older than {days} days.")
