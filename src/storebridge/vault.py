"""Where credentials that rotate are kept: a private file for each app in each store.

A refresh token that rotates is worth as much as the consent that it came of: whoever loses the
newest one has to ask a person again. So whoever renews holds the drawer against all threads and
processes, puts the new credentials down durably before they are used, and keeps the ones before
until the new ones have worked.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import SecretStr

from storebridge.adapter import Credentials
from storebridge.errors import ConfigError

__all__ = ["Drawer", "FileVault", "Kept", "Vault"]

_APPLICATION_ID = 0x53425654  # "SBVT"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """The credentials of one app in one store."""

    newest: Credentials
    renew_at: float | None = None
    """When to get others, in seconds since the epoch."""
    before: Credentials | None = None
    """Those that the newest came of, for as long as the newest have not worked."""


class Drawer(Protocol):
    """The place of one key; `lock`, `read` and `write` may block, and run in any thread."""

    def lock(self, wait: float) -> bool:
        """Hold the drawer against all threads and processes; False after so many seconds.

        A drawer that was closed meanwhile isn't held: its holder has given up.
        """
        ...

    def read(self) -> Kept | None:
        """Return what is in the locked drawer."""
        ...

    def write(self, kept: Kept) -> None:
        """Put this into the locked drawer and let go of it; durable when this returns."""
        ...

    def close(self) -> None:
        """Let go of the drawer, without what was not written; never blocks."""
        ...


class Vault(Protocol):
    """Keeps credentials by their key: the user's files, or a database of a program's own."""

    def drawer(self, key: str) -> Drawer:
        """Return the drawer of a key, not locked yet."""
        ...


class FileVault:
    """A folder with one file for each key, readable by its owner only."""

    def __init__(self, folder: Path) -> None:
        """Keep credentials in a folder; it is made when it is first needed."""
        self.folder = folder

    def drawer(self, key: str) -> Drawer:
        """Return the drawer of a key, not locked yet."""
        readable = re.sub(r"[^A-Za-z0-9.-]+", "-", key).strip("-.")[:60]
        digest = hashlib.sha256(key.encode()).hexdigest()[:12]
        return _FileDrawer(self.folder / f"{readable}-{digest}.sqlite")


class _FileDrawer:
    """One SQLite file. Its write transaction is the lock, which a process that dies lets go."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._mutex, self._closed = threading.Lock(), False

    def lock(self, wait: float) -> bool:
        with self._blamed():
            self._make()
            db = sqlite3.connect(
                self._path, timeout=wait, isolation_level=None, check_same_thread=False
            )
            if not _begun(db):
                return False
            with self._mutex:
                if not self._closed:
                    self._db = db
                    return True
            db.close()
            return False

    def read(self) -> Kept | None:
        with self._blamed(), self._mutex:
            _check(self._held, self._path)
            row = self._held.execute("SELECT value FROM kept").fetchone()
            return _kept(json.loads(row[0])) if row else None

    def write(self, kept: Kept) -> None:
        with self._blamed(), self._mutex:
            _check(self._held, self._path)
            values = (json.dumps(_plain(kept)),)
            self._held.execute("INSERT OR REPLACE INTO kept VALUES (1, ?)", values)
            self._held.execute("COMMIT")

    def close(self) -> None:
        with self._mutex:
            self._closed = True
            if self._db is not None:
                self._db.close()
                self._db = None

    @property
    def _held(self) -> sqlite3.Connection:
        assert self._db is not None, "the drawer is locked first"
        return self._db

    def _make(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made private before SQLite writes into it; an existing file stays as it is.
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        if os.name == "posix" and self._path.stat().st_mode & 0o077:
            raise ConfigError(
                f"{self._path} can be read by other users, so it isn't used. "
                f"Run: chmod 600 '{self._path}'"
            )

    @contextmanager
    def _blamed(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error, ValueError, LookupError, TypeError) as error:
            raise ConfigError(
                f"{self._path}, where the store's tokens are kept, can't be used "
                f"({type(error).__name__}). Mend it, or move it away and let the app in again: "
                "storebridge stores add NAME URL"
            ) from None


def _begun(db: sqlite3.Connection) -> bool:
    """Begin to write; False where another one does for longer than the connection waits."""
    try:
        # What is committed survives a power cut, and nothing that was replaced stays readable.
        db.execute("PRAGMA synchronous = EXTRA")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("BEGIN IMMEDIATE")
        db.execute("PRAGMA busy_timeout = 10000")
    except sqlite3.Error as error:
        db.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            return False
        raise
    return True


def _check(db: sqlite3.Connection, path: Path) -> None:
    """Make the table of a new file; refuse one that is not ours, or newer."""
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if application == 0 and not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        db.execute("CREATE TABLE kept (id INTEGER PRIMARY KEY CHECK (id = 1), value TEXT NOT NULL)")
        db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {_VERSION}")
    elif application != _APPLICATION_ID or version > _VERSION:
        raise ConfigError(f"{path} is not of this storebridge; update storebridge, or move it away")


def _plain(kept: Kept) -> dict[str, Any]:
    return {
        "newest": _values(kept.newest),
        "renew_at": kept.renew_at,
        "before": _values(kept.before) if kept.before else None,
    }


def _values(credentials: Credentials) -> dict[str, Any]:
    values = {name: value.get_secret_value() for name, value in credentials.values.items()}
    return {"values": values, "expires_at": credentials.expires_at}


def _kept(plain: Mapping[str, Any]) -> Kept:
    before = plain["before"]
    return Kept(
        _credentials(plain["newest"]), plain["renew_at"], _credentials(before) if before else None
    )


def _credentials(plain: Mapping[str, Any]) -> Credentials:
    values = {name: SecretStr(value) for name, value in plain["values"].items()}
    return Credentials(values, plain["expires_at"])
