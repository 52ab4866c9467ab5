"""`pull`: a store's records in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from storebridge import formats
from storebridge.cli.common import StateDir, StoreText
from storebridge.cli.output import command, progress, say
from storebridge.models import KINDS
from storebridge.store import open

__all__ = ["pull"]


def pull(
    store: StoreText,
    kind: Annotated[
        str,
        Parameter(help=f"One kind of record: {', '.join(KINDS)}; by default the whole catalogue."),
    ] = "",
    /,
    *,
    output: Annotated[
        Path, Parameter(name=["-o", "--output"], help="The file; a JSONL file loses nothing.")
    ],
    where: Annotated[
        str, Parameter(help="Only products, or records of the kind, that match.")
    ] = "",
    fields: Annotated[
        str,
        Parameter(help="Only these fields of products, like price,seo.title,title[de]."),
    ] = "",
    format: Annotated[
        str,
        Parameter(
            help="sheet (ours, the default for CSV and XLSX), collections, redirects, "
            "shopify-csv, woocommerce-csv, matrixify or jsonl."
        ),
    ] = "",
    state: StateDir = None,
) -> None:
    """Write a store's records to a file: a backup, or the start of an edit."""
    counts: dict[str, int] = {}
    with open(store, state=state) as opened, progress() as tick:

        def on_progress(what: str, count: int) -> None:
            counts[what] = count
            tick(f"Reading {what} records", count, 0)

        losses = opened.pull(
            output,
            kind,
            where=where,
            fields=fields.split(",") if fields else (),
            format=format,
            on_progress=on_progress,
        )
        places = [each.name for each in opened.info.locations]
        # Neither table says where a quantity lies, and a plan doesn't guess.
        nowhere = format in ("shopify-csv", "woocommerce-csv") and len(places) > 1
        place = ("--location", places[0]) if nowhere else ()
    kinds = counts if kind else formats.held(output, format)
    written = {what: count for what, count in counts.items() if what in kinds}
    for loss in losses:
        if loss.kind in written and loss.field.partition(" ")[0] == "record":
            written[loss.kind] -= loss.count
    found = ", ".join(f"{count} {what}" for what, count in written.items() if count) or "no"
    say(f"Wrote {found} record{'' if sum(written.values()) == 1 else 's'} to {output}.")
    for loss in losses:
        part = "" if loss.field == "record" else f"{loss.field} of "
        say(f"  The format can't hold {part}{loss.count} {loss.kind} ({loss.example})")
    if counts:
        words = ("plan", output, "--to", store, *place)
        say(f"Change the file, then see what differs:  {command(*words, state=state)}")
