"""One measured step each, run in a process of its own by `run.py`."""

from __future__ import annotations

import sys
from pathlib import Path

import storebridge
from storebridge.formats import Context, Sourced, read
from storebridge.plan import Plan

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.catalogue import MARKETS


def plan(source: str, folder: str) -> None:
    """Plan a file into a local store."""
    with _store(folder) as store, _planned(store, source, _plan(folder)):
        pass


def apply(source: str, folder: str) -> None:
    """Plan a file into a local store and apply the plan."""
    plan(source, folder)
    with _store(folder) as store, Plan.open(_plan(folder)) as made:
        assert made.apply(store).ok


def models(source: str, folder: str) -> None:
    """Read the file and the store through the models, and do nothing with them."""
    with _store(folder) as store:
        context = Context(
            currency=store.info.currency,
            weight_unit="kg",
            length_unit="cm",
            market_currencies=MARKETS,
        )
        in_file = sum(isinstance(item, Sourced) for item in read(Path(source), context))
        in_store = sum(1 for _ in store.products.iter())
    assert in_file == in_store


def feed_models(source: str, folder: str) -> None:
    """Read a feed and the store through the models, and do nothing with them."""
    with _store(folder) as store:
        context = Context(currency=store.info.currency, location=store.info.only_location)
        assert all(isinstance(item, Sourced) for item in read(Path(source), context))
        assert sum(1 for _ in store.products.iter())


def feed(source: str, folder: str) -> None:
    """Plan a feed of stock and prices."""
    output = Path(folder) / "feed.plan"
    output.unlink(missing_ok=True)
    with _store(folder) as store, store.plan(Path(source), output, stock=True) as made:
        rows = Path(source).read_text(encoding="utf-8").count("\n") - 1
        assert made.counts["update"] == rows, made.counts


def replan(source: str, folder: str) -> None:
    """Plan again with nothing to change."""
    output = Path(folder) / "again.plan"
    output.unlink(missing_ok=True)
    with _store(folder) as store, _planned(store, source, output) as made:
        assert made.is_empty, made.counts


def jsonl(source: str, folder: str) -> None:
    """Write the store as JSONL, which `source` names."""
    with _store(folder) as store:
        store.pull(Path(source))


def _planned(store: storebridge.Store, source: str, output: Path) -> Plan:
    return store.plan(Path(source), output, context={"market_currencies": MARKETS})


def _store(folder: str) -> storebridge.Store:
    return storebridge.open(f"local:{folder}/shop.db", state=Path(folder) / "state")


def _plan(folder: str) -> Path:
    return Path(folder) / "first.plan"


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
