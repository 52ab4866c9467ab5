"""Plans for many stores at once: a folder with one plan for each, made side by side."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storebridge import config, sources
from storebridge.config import StoreConfig
from storebridge.errors import Locked, PlanError, Refused, StorebridgeError
from storebridge.models import Record
from storebridge.plan.index import FILE, Index, Row, names_for
from storebridge.plan.options import PlanOptions, Task, Transform
from storebridge.plan.plan import Plan, make
from storebridge.plan.workers import Failure, Tell, Work, run_all
from storebridge.sources import Opened

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = [
    "OnStore",
    "Wanted",
    "called",
    "derive",
    "do_all",
    "lanes",
    "opened",
    "plan_each",
    "targets",
]

OnStore = Callable[[str, str, int, int], None]
"""Called with a store, a stage ("read", "compare", "apply", "done"), how much of it is done, and
how much there is in all (0 where nobody knows)."""

#: Stores behind a network mostly wait: so many of them are worked on at once for each core.
_WAITING = 4
_MOST_LANES = 32


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be planned for one store."""

    store: StoreConfig | Store
    source: str | Path | Opened | tuple[Record, ...] | StoreConfig | Store
    options: PlanOptions = field(default_factory=PlanOptions)


def called(store: StoreConfig | Store) -> str:
    """Return what people call a store."""
    return store.label if isinstance(store, StoreConfig) else store.name


def targets(
    to: str | Store | Iterable[str | StoreConfig | Store],
) -> list[StoreConfig | Store]:
    """Return the stores that names, tags ("@eu", "@all") and URLs mean, each once.

    Raises:
        ConfigError: if one of them means nothing.
    """
    from storebridge.store import Store

    found: dict[str, StoreConfig | Store] = {}
    for one in [to] if isinstance(to, str | Store) else to:
        for store in config.resolve(one) if isinstance(one, str) else [one]:
            found.setdefault(called(store), store)
    return list(found.values())


def lanes(stores: Iterable[StoreConfig | Store], jobs: int) -> int:
    """Return how many stores are worked on side by side: what was asked for, else by the cores.

    A local store keeps a core busy; one behind a network mostly waits for its rate limit.
    """
    if jobs > 0:
        return jobs
    cores = _cores()
    near = all(isinstance(s, StoreConfig) and s.platform in config.LOCAL for s in stores)
    return min(cores if near else cores * _WAITING, _MOST_LANES)


def _cores() -> int:
    """Return how many cores this process may use."""
    mine = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(mine(0)) if mine else os.cpu_count() or 1


def plan_each(
    wanted: Sequence[Wanted],
    output: Path,
    *,
    jobs: int = 0,
    state: str | Path | None = None,
    transforms: Sequence[Transform | Task] = (),
    on_progress: OnStore | None = None,
    go_on: bool = False,
) -> None:
    """Make a folder with one plan for each store, or go on where the same command was stopped.

    A source that several stores share is opened once: what is fetched or piped in comes once.
    With `go_on` a folder that is complete is left as it is.

    Raises:
        ConfigError: if the one source of all stores isn't there.
        PlanError: if the folder is there and was asked for in another way, or is complete.
        Refused: if two names mean one store; no folder is left then.
    """
    side = lanes([one.store for one in wanted], jobs)
    with ExitStack() as stack:
        wanted = _opened_sources(wanted, stack)
        names = names_for(called(one.store) for one in wanted)
        index = Index(
            source=_source_name(wanted[0].source),
            rows=tuple(Row(store, file) for store, file in names.items()),
            request=_request(wanted, transforms),
        )
        works = [_planning(one, state, tuple(transforms)) for one in wanted]
        derive(index, works, output, side, on_progress, go_on=go_on)


def _opened_sources(wanted: Sequence[Wanted], stack: ExitStack) -> list[Wanted]:
    """Open each file, pattern or address once; where only some fail, they are told in their rows.

    Raises:
        StorebridgeError: if the one source of all can't be opened.
    """
    found: dict[str, Any] = {}
    texts = {str(one.source) for one in wanted if isinstance(one.source, str | os.PathLike)}
    for text in sorted(texts):
        try:
            found[text] = stack.enter_context(sources.opened(text))
        except StorebridgeError as error:
            if len(texts) == 1:
                raise
            found[text] = Failure(str(error), error.exit_code)
    return [
        replace(one, source=found[str(one.source)])
        if isinstance(one.source, str | os.PathLike)
        else one
        for one in wanted
    ]


def _planning(
    one: Wanted, state: str | Path | None, transforms: tuple[Transform | Task, ...]
) -> Work:
    arguments = {
        "store": one.store,
        "state": state,
        "source": one.source,
        "options": one.options,
        "transforms": transforms,
    }
    return Work(called(one.store), _plan_one, arguments)


def derive(
    index: Index,
    works: Iterable[Work],
    output: Path,
    jobs: int,
    on_progress: OnStore | None,
    *,
    go_on: bool = False,
) -> None:
    """Make the plans of an index, each by its store's work; those that are there already stay.

    The work gets an `output` and returns the store's identity and the plan's digest.
    """
    index, is_new = _begin(index, output, go_on)
    files = {row.store: row.file for row in index.rows if not row.digest}
    claims = {row.identity: row.store for row in index.rows if row.digest}

    def told(store: str, stage: str, value: Any, total: int) -> None:
        if stage != "identity":
            if on_progress:
                on_progress(store, stage, value, total)
        elif (other := claims.setdefault(value, store)) != store:
            raise Refused(
                f"{other} and {store} are the same store ({value}): leave one of them out, so "
                "that nothing is planned twice"
            )

    def done(store: str, result: Any) -> None:
        nonlocal index
        row = next(row for row in index.rows if row.store == store)
        index = index.put(_settled(row, result, making, output))
        index.save(output)

    with _making(output) as making:
        open_works = [
            replace(work, arguments={**work.arguments, "output": making / files[work.store]})
            for work in works
            if work.store in files
        ]
        try:
            do_all(open_works, jobs, told, done)
        except Refused:
            if is_new:
                _clear(output, index)
            raise


def do_all(
    works: Sequence[Work],
    jobs: int,
    told: Callable[[str, str, Any, int], None],
    done: Callable[[str, Any], None],
) -> None:
    """Do works side by side: in processes where all that they need can go to one."""

    def finished(work: Work, result: Any) -> None:
        done(work.store, result)
        told(work.store, "done", 1, 1)

    run_all(
        works,
        jobs,
        processes=all(map(_portable, works)),
        on_told=lambda work, *words: told(work.store, *words),
        on_done=finished,
    )


@contextmanager
def opened(store: StoreConfig | Store, state: str | Path | None) -> Iterator[Store]:
    """Give a store: one that is open already stays open."""
    if not isinstance(store, StoreConfig):
        yield store
        return
    from storebridge.store.opening import opened as open_one

    with open_one(store, state=state) as one:
        yield one


def _plan_one(
    tell: Tell,
    *,
    store: StoreConfig | Store,
    state: str | Path | None,
    source: Any,
    options: PlanOptions,
    transforms: tuple[Transform | Task, ...],
    output: Path,
) -> tuple[str, str] | Failure:
    def on_progress(stage: str, count: int) -> None:
        tell(stage, count, 0)

    if isinstance(source, Failure):
        return source
    with opened(store, state) as target:
        tell("identity", target.info.id, 0)
        if not isinstance(source, StoreConfig):
            return _facts(make(source, target, output, options, transforms=transforms,
                               on_progress=on_progress))  # fmt: skip
        with opened(source, state) as other:
            return _facts(make(other, target, output, options, transforms=transforms,
                               on_progress=on_progress))  # fmt: skip


def _facts(plan: Plan) -> tuple[str, str]:
    with plan:
        return plan.about["store"]["id"], plan.digest


# -- the folder


def _begin(index: Index, output: Path, go_on: bool) -> tuple[Index, bool]:
    """Return the index to go on with, and whether the folder is new."""
    try:
        output.mkdir(parents=True)
    except FileExistsError:
        if not output.is_dir() or any(output.iterdir()):
            return _resumed(index, output, go_on), False
    except OSError as error:
        raise PlanError(f"can't write {output}: {error.strerror}", 1) from None
    index.save(output)
    return index, True


def _resumed(index: Index, output: Path, go_on: bool) -> Index:
    known = Index.load(output) if (output / FILE).is_file() else None
    if known is None or not index.request:
        raise PlanError(f"{output} exists already; choose another name or remove it")
    if known.request != index.request:
        if not any((output / row.file).exists() for row in known.rows):
            return index  # nothing came of it: a guard stood in the way, say, of every store
        raise PlanError(
            f"{output} exists already, with plans that were asked for otherwise (another source, "
            "other stores or options); choose another name or remove it"
        )
    rows = tuple(
        row if (output / row.file).is_file() else Row(row.store, row.file) for row in known.rows
    )
    if not go_on and all(row.digest for row in rows):
        raise PlanError(
            f"{output} has all of these plans already; apply it, choose another name, or remove it"
        )
    return replace(known, rows=rows)


_MAKING = ".making-"


@contextmanager
def _making(output: Path) -> Iterator[Path]:
    """Give a folder for plans that aren't finished: no half plan ever has a plan's name.

    Raises:
        Locked: if another run makes plans in the same folder.
    """
    making = Path(tempfile.mkdtemp(prefix=_MAKING, dir=output))
    try:
        with _held(making):
            for other in output.glob(f"{_MAKING}*"):
                if other == making:
                    continue
                with _held(other):
                    pass  # nobody holds it: a run that made it was killed
                shutil.rmtree(other, ignore_errors=True)
            yield making
    finally:
        shutil.rmtree(making, ignore_errors=True)


@contextmanager
def _held(making: Path) -> Iterator[None]:
    """Hold a folder of unfinished plans; the system lets go of it when this process dies."""
    with ExitStack() as stack:
        try:
            connection = sqlite3.connect(making / "held", timeout=0, isolation_level=None)
            stack.enter_context(closing(connection)).execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise Locked(
                f"another run makes plans in {making.parent}: wait until it has ended, then go on "
                "with the same command"
            ) from None
        yield


def _settled(row: Row, result: Any, making: Path, output: Path) -> Row:
    if isinstance(result, Failure):
        return replace(row, message=result.message, exit_code=result.exit_code)
    os.replace(making / row.file, output / row.file)
    identity, digest = result
    return replace(row, identity=identity, digest=digest, message="", exit_code=0)


def _clear(output: Path, index: Index) -> None:
    """Remove a folder that was just made, and nothing that isn't ours."""
    for name in (FILE, *(row.file for row in index.rows)):
        (output / name).unlink(missing_ok=True)
    for old in output.glob(f"{_MAKING}*"):
        shutil.rmtree(old, ignore_errors=True)
    if not any(output.iterdir()):
        output.rmdir()


# -- what was asked for


def _source_name(source: object) -> str:
    if isinstance(source, tuple):
        return "records"
    return str(getattr(source, "url", "") or getattr(source, "name", "") or "several sources")


def _request(wanted: Sequence[Wanted], transforms: Sequence[Transform | Task]) -> str:
    asked = [
        (called(one.store), one.store.url, _stamp(one.source), asdict(one.options))
        for one in wanted
    ]
    names = [getattr(each, "__qualname__", None) or repr(each) for each in transforms]
    text = json.dumps([asked, names], sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _stamp(source: object) -> Any:
    """Return what tells a source from what it was before: a file's time, else what is in it."""
    if isinstance(source, Opened):
        facts = source.path.stat()
        if not source.is_copy:
            return [str(source.path), facts.st_size, facts.st_mtime_ns]
        with source.path.open("rb") as file:
            return [source.name, hashlib.file_digest(file, "sha256").hexdigest()]
    if isinstance(source, tuple):
        return [record.model_dump(mode="json") for record in source]
    return _source_name(source)


def _plain(value: object) -> Any:
    return sorted(map(str, value)) if isinstance(value, set | frozenset) else str(value)


def _portable(work: Work) -> bool:
    """Return whether a process of its own could do this: it can't see `__main__` or open stores."""
    from storebridge.store import Store

    for value in (*work.arguments.values(), *work.arguments.get("transforms", ())):
        home = getattr(value, "__module__", "")
        if isinstance(value, Store) or home == "__main__":
            return False
    try:
        pickle.dumps(work.arguments)
    except Exception:  # whatever a stranger's object raises here, it can't go
        return False
    return True
