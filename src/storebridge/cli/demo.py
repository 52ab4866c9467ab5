"""`demo`: the whole way of a catalogue, on real commands, in a store or a sandbox of one."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from storebridge.cli.output import command, say
from storebridge.errors import UsageError
from storebridge.models import Market, Money, Product, Variant
from storebridge.store import Store, open

__all__ = ["demo"]

_LOCAL = "local:shop.db"
#: What the edit of the catalogue replaces: a price, a title and a vendor.
_EDITS = (
    ("MUG-SALT,Glaze,Salt,,,24.00", "MUG-SALT,Glaze,Salt,,,25.50"),
    ("Brass Pen,brass-pen", "Brass Pen with Cap,brass-pen"),
    ("Hive No. 9", "Hive Nine"),
)


def demo(
    *,
    folder: Annotated[
        Path | None, Parameter(help="Where its files go; by default a new temporary folder.")
    ] = None,
    to: Annotated[
        str, Parameter(help="Which store: sandbox:woocommerce, say; by default a file, shop.db.")
    ] = _LOCAL,
) -> int:
    """Show it all: plan a catalogue, apply, meet a conflict, plan anew, apply, undo."""
    if not to.startswith(("local:", "sandbox:")):
        raise UsageError(
            f"The demo puts made-up products into a store, which {to} may have customers for. "
            "Use a sandbox, like sandbox:woocommerce, or local:shop.db."
        )
    if folder is not None and folder.exists() and not folder.is_dir():
        raise UsageError(f"--folder {folder} is a file. Name a folder; a new one is made.")
    place = folder or Path(tempfile.mkdtemp(prefix="storebridge-demo-"))
    place.mkdir(parents=True, exist_ok=True)
    with _inside(place):
        _tell(f"storebridge at work, in {place}")
        where = ("--to", to, *_prepare(to))
        _first_plan(where)
        _edit_and_conflict(to, where)
        _undo(to)
    _tell("That was it")
    say(f"The catalogue, the store and the plans are in {place}.")
    say(f"With a file and a shop of your own: {command('stores', 'add', 'NAME', 'URL')}")
    return 0


def _prepare(to: str) -> tuple[str, ...]:
    """Write the catalogue, and return what a plan of it has to be told besides."""
    _tell("A catalogue: ten products with variants, pictures and prices for Switzerland")
    with as_file(files("storebridge.cli") / "demo.csv") as bundled:
        shutil.copyfile(bundled, "catalogue.csv")
    say("catalogue.csv is a product file as Shopify writes it.")
    with open(to, state="state") as store:
        if store.supports("market"):
            _make_market(to, store)
            return ()
        say(f"The store is {to}, which answers as {store.adapter.title} does, on this machine.")
        named: tuple[str, ...] = ()
        if "Switzerland" in store.info.market_currencies():
            say("It sells to Switzerland already.")
        else:
            say("It knows no markets: the prices for Switzerland are left out, as the plan says.")
            named = ("--market-currency", "Switzerland=CHF")
        places = [each.name for each in store.info.locations]
        if len(places) > 1:
            say(f"It has several locations ({', '.join(places)}): the stock is put into the first.")
            named += ("--location", places[0])
        return named


def _make_market(to: str, store: Store) -> None:
    say(f"The store is {to}. A market is put into it first, with three lines of Python:")
    say(f'    with storebridge.open("{to}") as store:')
    say('        swiss = Market(handle="switzerland", name="Switzerland", currency="CHF")')
    say("        store.markets.create(swiss)")
    store.markets.create(Market(handle="switzerland", name="Switzerland", currency="CHF"))


def _first_plan(where: tuple[str, ...]) -> None:
    _tell("What would it change? A plan says so, and changes nothing")
    _run("plan", "catalogue.csv", *where, "-o", "first.plan")
    _run("show", "first.plan", "--limit", "2")
    _tell("The plan is good, so it is applied")
    _run("apply", "first.plan")
    _tell("Planned again, nothing is left to do")
    _run("plan", "catalogue.csv", *where, "-o", "none.plan", "--check")


def _edit_and_conflict(to: str, where: tuple[str, ...]) -> None:
    _tell("Somebody edits the catalogue: a price, a title and a vendor")
    text = Path("catalogue.csv").read_text(encoding="utf-8")
    for old, new in _EDITS:
        text = text.replace(old, new)
    Path("edited.csv").write_text(text, encoding="utf-8", newline="\n")
    _run("plan", "edited.csv", *where, "-o", "second.plan")
    _run("show", "second.plan")
    _tell("Meanwhile somebody changes that very price by hand, in the store")
    with open(to, state="state") as store:
        price = Money("23.00", store.info.currency)
        say(f'    salt = Variant(sku="MUG-SALT", price=Money("23.00", "{price.currency}"))')
        say('    store.products.update(Product(handle="stoneware-mug", variants=(salt,)))')
        salt = Variant(sku="MUG-SALT", price=price)
        store.products.update(Product(handle="stoneware-mug", variants=(salt,)))
    say(f"The salt mug costs {price} there now; the plan had read 24.00 {price.currency}.")
    _tell("The plan is applied all the same, but doesn't overwrite what it hadn't seen")
    _run("apply", "second.plan", expected=5)
    _tell("So that one change is planned anew, and both prices are seen")
    _run("apply", "second.plan", "--on-conflict", "replan", expected=5)
    _run("show", "second.again.plan")
    _run("apply", "second.again.plan")


def _undo(to: str) -> None:
    _tell("On second thoughts: the edits are taken back")
    _run("undo", "second.again.plan", "--yes")
    _run("undo", "second.plan", "--yes")
    _run("history", to)


def _run(*words: str, expected: int = 0) -> None:
    """Show a command, run it, and show its exit code where it isn't 0."""
    from storebridge.cli.app import run

    words = words if words[0] == "show" else (*words, "--state", "state")
    say()
    say(("$ ", "dim"), (command(*words), "bold"))
    sys.stdout.flush()
    code = run(words)
    if code != expected:
        raise SystemExit(code or 1)
    if code:
        say((f"(exit code {code})", "dim"))


def _tell(text: str) -> None:
    say()
    say(("== ", "dim"), (text, "bold cyan"))


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
