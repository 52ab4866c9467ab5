"""What a plan command was asked for: a source and stores, or a job file and words that beat it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from storebridge import config
from storebridge.cli.app import typed
from storebridge.cli.common import Planning, Reading
from storebridge.cli.plan import is_store
from storebridge.config import StoreConfig
from storebridge.errors import UsageError
from storebridge.jobs import Job
from storebridge.models.text import slug
from storebridge.plan import PlanOptions, words
from storebridge.plan.group import Wanted, called, targets
from storebridge.store import Store
from storebridge.store.opening import opened

__all__ = ["Asked", "ask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be planned, for one store or for a group."""

    wanted: list[Wanted]
    is_group: bool
    """Whether a folder is made, with a plan for each store: for a tag, or several stores."""
    output: Path | None
    name: str
    """What a group is called where its folder needs a name."""
    state: Path | None
    jobs: int
    wait: float
    live: tuple[str, ...]

    @property
    def source(self) -> str:
        """The source of the one store, as it can be typed."""
        source = self.wanted[0].source
        return source.label if isinstance(source, StoreConfig) else str(source)

    @property
    def options(self) -> dict[str, Any]:
        """The plan's options for the one store, by the names of `PlanOptions`."""
        options = self.wanted[0].options
        return {f.name: getattr(options, f.name) for f in fields(options)}

    def opened(self) -> Store:
        """Return the one store."""
        store = self.wanted[0].store
        return opened(store, state=self.state) if isinstance(store, StoreConfig) else store


def ask(
    source: str,
    to: Sequence[str] | None,
    output: Path | None,
    planning: Planning | None,
    reading: Reading | None,
    *,
    state: Path | None,
    jobs: int = 0,
    wait: float = 0.0,
    live: str = "",
) -> Asked:
    """Return what is asked for; a source that ends in .toml is a job file.

    Raises:
        UsageError: if no store is named, or a word means nothing.
        ConfigError: if a store or the job file can't be found.
    """
    texts = [text for one in to or () for text in one.split(",") if text]
    confirmed = tuple(name.strip() for name in live.split(",") if name.strip())
    if source.casefold().endswith(".toml"):
        job = Job.load(source)
        stores = targets(texts) if texts else job.targets
        found = job.wanted(stores, _typed(planning, reading))
        texts = texts or list(job.to)
        if output is None:
            output = job.output_for("" if _is_group(texts) else called(stores[0]))
            if output is not None:  # the job names it, so nobody has to make its folder
                output.parent.mkdir(parents=True, exist_ok=True)
        state, jobs, confirmed = state or job.state, jobs or job.jobs, confirmed or job.live
        wait = wait or job.wait or 0.0
    elif texts:
        options = PlanOptions.of(**(planning or Planning()).options(reading))
        origin = config.resolve(source)[0] if is_store(source) else source
        found = [Wanted(store, origin, options) for store in targets(texts)]
    else:
        raise UsageError("no store is named. Say for which one the plan is: --to STORE")
    name = Path(source).stem if source.endswith(".toml") else slug("-".join(texts))
    return Asked(
        wanted=found,
        is_group=_is_group(texts),
        output=output,
        name=name[:40],
        state=state,
        jobs=jobs,
        wait=wait,
        live=confirmed,
    )


def _is_group(texts: Sequence[str]) -> bool:
    return len(texts) != 1 or texts[0].startswith("@")


def _typed(planning: Planning | None, reading: Reading | None) -> dict[str, Any]:
    """Return what was typed of a plan's words, by the names of fields."""
    given = {
        f.name: getattr(part, f.name)
        for part in (planning, reading)
        if part is not None
        for f in fields(part)
        if f.name in typed()
    }
    return words.understood(given, "the command line")
