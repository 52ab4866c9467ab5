"""Job files: what a plan command takes, written down once, for one store or for many.

    source = "feeds/supplier-*.csv"
    to = "@all"
    output = "nightly-{date}.plans"
    where = "vendor = 'Acme'"
    max-deletes = 10

    [stores.acme]
    currency = "CHF"

The words are those of the command line, with `-` or `_`. A table of a store has words for that
store alone; they beat those above, and what is given to the command or the call beats both.
Relative paths are seen from the job file. In `source` and `output` stand `{store}`, `{date}`
(2026-01-31), `{time}` (235959) and `{job}` (the file's name without its ending).
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storebridge import config
from storebridge.config import StoreConfig
from storebridge.errors import ConfigError, UsageError
from storebridge.models.text import slug
from storebridge.plan import PlanFolder, Task, Transform, words
from storebridge.plan.group import OnStore, Wanted, called, plan_each, targets
from storebridge.sources import is_source
from storebridge.templates import fill
from storebridge.where import anchored

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = ["Job"]

#: What a job file says besides how a plan is made, and of which type it is.
_OWN: dict[str, tuple[type, ...]] = {
    "source": (str,),
    "to": (str, list),
    "output": (str,),
    "state": (str,),
    "jobs": (int,),
    "wait": (int, float),
    "live": (str, list),
}
#: What a file can't say in somebody's place.
_TYPED_ONLY = frozenset({"yes", "check", "json", "digest"})
_PATHS = ("mapping", "pictures")


@dataclass(frozen=True, slots=True)
class Job:
    """What a job file says."""

    path: Path
    source: str = ""
    to: tuple[str, ...] = ()
    output: str = ""
    state: Path | None = None
    jobs: int = 0
    """How many stores are worked on side by side; 0 chooses."""
    wait: float | None = None
    live: tuple[str, ...] = ()
    """The live stores that may be changed without asking."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """How a plan is made, by the names of the fields of `PlanOptions` and of what lies in it."""
    stores: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The same for single stores, by name; `source` may be among them."""
    moment: time.struct_time = field(default_factory=time.localtime, repr=False, compare=False)

    @classmethod
    def load(cls, path: str | Path) -> Job:
        """Return what a job file says.

        Raises:
            UsageError: if it is no TOML, or a word or a value in it means nothing.
            ConfigError: if it can't be read.
        """
        file = Path(path)
        try:
            data = tomllib.loads(file.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise ConfigError(f"the job {file} can't be read: {error.strerror}") from None
        except ValueError as error:
            raise UsageError(f"{file} is no TOML: {error}") from None
        tables = data.pop("stores", {})
        if not isinstance(tables, dict) or not all(isinstance(t, dict) for t in tables.values()):
            raise UsageError(f"{file}: write what is for one store only like [stores.acme].")
        own = _own(data, file)
        stores = {name: _for_store(table, name, file) for name, table in tables.items()}
        state = own.pop("state", None)
        return cls(
            path=file,
            options=_anchored_words(words.understood(data, str(file)), file),
            stores=stores,
            state=_beside(file, state) if state else None,
            **own,
        )

    def plan(
        self,
        output: str | Path | None = None,
        *,
        to: str | Store | Iterable[str | Store] = (),
        jobs: int = 0,
        state: str | Path | None = None,
        transforms: Sequence[Transform | Task] = (),
        on_progress: OnStore | None = None,
        **options: Any,
    ) -> PlanFolder:
        """Return the plans that the job asks for, one for each store; changes nothing in them.

        What is given here beats what the file says; the arguments are those of
        `storebridge.plan_all`. The same call goes on where it was stopped.

        Raises:
            ConfigError: if there is no source, store or folder to write to, or a store is unknown.
            PlanError: if the folder exists already, with other plans.
            Refused: if two names mean one store.
        """
        wanted = self.wanted(targets(to) if to else self.targets, words.spread(options))
        folder = Path(output) if output else self.output_for("")
        if folder is None:
            raise ConfigError(f'{self.path} names no folder: add output = "{{job}}-{{date}}.plans"')
        plan_each(
            wanted,
            folder,
            jobs=jobs or self.jobs,
            state=state or self.state,
            transforms=transforms,
            on_progress=on_progress,
        )
        return PlanFolder.open(folder)

    @property
    def targets(self) -> list[StoreConfig | Store]:
        """The stores that the file names; paths of local ones are seen from it.

        Raises:
            ConfigError: if one of them means nothing.
        """
        folder = self.path.parent
        return targets(
            config.anchored(one, folder) if config.is_url(one) else one for one in self.to
        )

    def wanted(
        self, stores: Sequence[StoreConfig | Store], given: Mapping[str, Any]
    ) -> list[Wanted]:
        """Return what is to be planned for each store.

        Args:
            stores: the stores; none is an error, which says how to name some.
            given: what beats the file, by the names of fields.

        Raises:
            ConfigError: if there is no source or no store, or a table is for an unknown store.
        """
        if not stores:
            raise UsageError(f'{self.path} names no store: add to = "@all", or give --to')
        self._check_tables([called(store) for store in stores])
        return [self._wanted(store, given) for store in stores]

    def output_for(self, store: str) -> Path | None:
        """Return where the plan of a store goes, or the folder of all ("" as the store).

        Raises:
            UsageError: if the name has a gap that means nothing, or `{store}` for many.
        """
        return _beside(self.path, fill(self.output, self._gaps(store))) if self.output else None

    def _wanted(self, store: StoreConfig | Store, given: Mapping[str, Any]) -> Wanted:
        name = called(store)
        found = {"source": self.source, **self.options, **self.stores.get(name, {}), **given}
        source = found.pop("source")
        if not source:
            raise UsageError(f'{self.path} names no source for {name}: add source = "FILE"')
        try:
            options = words.options(found)
        except ConfigError as error:
            raise type(error)(f"{self.path}: {error}") from None
        return Wanted(store, self._source(fill(source, self._gaps(name))), options)

    def _source(self, text: str) -> str | StoreConfig:
        """Return a source as it is seen from here: a file comes before a store of that name."""
        path = _beside(self.path, text)
        if is_source(text):  # an address, what is piped in, or a member of an archive
            return str(path) if ".zip:" in text.casefold() and "://" not in text else text
        if path.exists():
            return str(path)
        if text in config.stores():
            return config.stores()[text]
        return self._store(text) if config.is_url(text) else str(path)

    def _store(self, url: str) -> StoreConfig:
        """Return the store of a URL; the path of a local one is seen from the job file."""
        (found,) = config.resolve(url)
        return replace(found, url=config.anchored(url, self.path.parent))

    def _gaps(self, store: str) -> dict[str, str]:
        gaps = {
            "date": time.strftime("%Y-%m-%d", self.moment),
            "time": time.strftime("%H%M%S", self.moment),
            "job": self.path.stem,
        }
        safe = slug(store) if config.is_url(store) else store
        return {**gaps, "store": safe} if store else gaps

    def _check_tables(self, stores: Sequence[str]) -> None:
        names = {*stores, *config.stores()}
        for name in self.stores:
            if name not in names:
                raise UsageError(
                    f"{self.path}: [stores.{name}] is for no store that there is. "
                    f"{words.nearest(name, names)}"
                )


def _own(data: dict[str, Any], file: Path) -> dict[str, Any]:
    """Take out what a job says besides how a plan is made."""
    found: dict[str, Any] = {}
    for word in [*data]:
        name = word.replace("-", "_")
        if name in _TYPED_ONLY:
            raise UsageError(f"{file}: {word} belongs on the command line, not into a file.")
        if name not in _OWN:
            if name not in words.known():
                near = words.nearest(name, {*words.known(), *_OWN, "stores"})
                raise UsageError(f"{file}: {word!r} means nothing. {near}")
            continue
        value = data.pop(word)
        if not isinstance(value, _OWN[name]) or isinstance(value, bool):
            kinds = " or a list of texts" if list in _OWN[name] else ""
            kind = "a text" if str in _OWN[name] else "a number"
            raise UsageError(f"{file}: {word} = {value!r} is wrong: write {kind}{kinds}.")
        many = list in _OWN[name]
        found[name] = _texts(value, word, file) if many else value
    return found


def _texts(value: Any, word: str, file: Path) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else tuple(value)
    if not all(isinstance(text, str) and text for text in texts):
        raise UsageError(f"{file}: {word} = {value!r} is wrong: write texts only.")
    return texts


def _for_store(table: dict[str, Any], name: str, file: Path) -> dict[str, Any]:
    where = f"{file}, [stores.{name}]"
    rest = dict(table)
    source = rest.pop("source", None)
    if source is not None and not isinstance(source, str):
        raise UsageError(f"{where}: source = {source!r} is wrong: write a text.")
    for word in rest:
        if word.replace("-", "_") in _OWN:
            raise UsageError(f"{where}: {word} is for the whole job; write it above the tables.")
    found = _anchored_words(words.understood(rest, where), file)
    return {"source": source, **found} if source else found


def _anchored_words(found: dict[str, Any], file: Path) -> dict[str, Any]:
    """Return words whose relative paths are seen from the job file."""
    for name in _PATHS:
        if isinstance(found.get(name), str | Path) and str(found[name]):
            found[name] = type(found[name])(_beside(file, str(found[name])))
    if found.get("where"):
        found["where"] = anchored(found["where"], file.parent)
    return found


def _beside(file: Path, path: str) -> Path:
    return file.parent / Path(path).expanduser()
