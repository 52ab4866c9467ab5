"""The index of a folder of plans: which store has which plan, and why one has none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from storebridge.errors import ConfigError, PlanError
from storebridge.models.text import slug
from storebridge.toml import write

__all__ = ["FILE", "Index", "Row", "names_for"]

FILE = "plans.json"
FORMAT, VERSION = "storebridge-plans", 1


@dataclass(frozen=True, slots=True)
class Row:
    """One store of a folder."""

    store: str
    """What people call it: its name, else its URL."""
    file: str
    """The name of its plan within the folder."""
    identity: str = ""
    """Which store it is, whatever it is called; "" until that is known."""
    digest: str = ""
    """Its plan's digest; "" where there is no plan."""
    message: str = ""
    """Why there is no plan, or why the last run of it ended early."""
    exit_code: int = 0
    """What the message comes to."""


@dataclass(frozen=True, slots=True)
class Index:
    """What a folder of plans is, as its file says it."""

    source: str
    """What the plans were made of, in a person's words."""
    rows: tuple[Row, ...]
    request: str = ""
    """A digest of everything that was asked for: the same command has the same one."""
    undo_of: str = ""
    """The digest of the folder that this one takes back."""
    created_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @classmethod
    def load(cls, folder: Path) -> Index:
        """Return a folder's index.

        Raises:
            PlanError: if there is none, or it isn't one that this version can use.
        """
        file = folder / FILE
        if not file.is_file():
            raise PlanError(f"{folder} is no folder of plans: it has no {FILE}", 3)
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            if found["format"] != FORMAT:
                raise ValueError("another format")
            _check_version(folder, found["version"])
            index = cls._of(found)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise PlanError(f"{file} is no index of plans ({error}): plan again", 1) from None
        index._check_rows(file)
        return index

    @classmethod
    def _of(cls, found: Mapping[str, Any]) -> Index:
        known = {f.name for f in fields(Row)}
        rows = ({k: v for k, v in row.items() if k in known} for row in found["stores"])
        return cls(
            rows=tuple(Row(**row) for row in rows),
            **{name: str(found[name]) for name in ("source", "request", "undo_of", "created_at")},
        )

    def save(self, folder: Path) -> None:
        """Write the index, whole or not at all."""
        doc = {
            "format": FORMAT,
            "version": VERSION,
            "created_at": self.created_at,
            "source": self.source,
            "request": self.request,
            "undo_of": self.undo_of,
            "stores": [asdict(row) for row in self.rows],
        }
        text = json.dumps(doc, indent=1, ensure_ascii=False)
        try:
            write(folder / FILE, f"{text}\n", mode=0o600)
        except ConfigError as error:
            raise PlanError(str(error), 1) from None

    def put(self, row: Row) -> Index:
        """Return the index with a store's row in the place of its old one."""
        rows = tuple(row if old.store == row.store else old for old in self.rows)
        return replace(self, rows=rows)

    @property
    def digest(self) -> str:
        """The SHA-256 over which stores have which plans, in hex."""
        lines = sorted(f"{row.identity} {row.digest}\n" for row in self.rows if row.digest)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def _check_rows(self, file: Path) -> None:
        seen: dict[str, str] = {}
        for row in self.rows:
            if Path(row.file).name != row.file or not row.file.endswith(".plan"):
                raise PlanError(f"{file} names {row.file!r}, which is no plan of its folder")
            for fact in (row.file, row.store, row.identity):
                other = seen.setdefault(fact, row.store) if fact else row.store
                if other != row.store or (fact == row.store and self._count(fact) > 1):
                    raise PlanError(f"{file} names a store twice ({other}, {row.store})")

    def _count(self, store: str) -> int:
        return sum(row.store == store for row in self.rows)


def names_for(stores: Iterable[str]) -> dict[str, str]:
    """Return a plan's file name for each store, none like another on any system."""
    names: dict[str, str] = {}
    for store in stores:
        stem = slug(store)[:60].strip("-") or "store"
        tries = (f"{stem}{f'-{n}' if n > 1 else ''}.plan" for n in range(1, len(names) + 2))
        names[store] = next(name for name in tries if name not in names.values())
    return names


def _check_version(folder: Path, version: int) -> None:
    if version < VERSION:
        raise PlanError(f"{folder} was made by an older storebridge: plan again", 1)
    if version > VERSION:
        raise PlanError(f"{folder} was made by a newer storebridge: update this one", 1)
