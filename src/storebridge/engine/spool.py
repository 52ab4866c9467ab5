"""The engine's spool: the folder that answers are streamed to."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from threading import Lock

from storebridge.errors import StorebridgeError
from storebridge.flow import Request

__all__ = ["Spool"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,120}", re.ASCII)


class Spool:
    """A folder for `save_to` files: a given one, or a private one that goes with the engine."""

    def __init__(self, folder: Path | None = None) -> None:
        """Make nothing yet."""
        self._given, self._own = folder, None
        self._lock = Lock()

    _own: Path | None

    @property
    def folder(self) -> Path:
        """The folder, made when it is first needed."""
        with self._lock:
            if self._given is not None:
                self._given.mkdir(parents=True, exist_ok=True, mode=0o700)
                return self._given
            if self._own is None:
                import tempfile

                self._own = Path(tempfile.mkdtemp(prefix="storebridge-"))
            return self._own

    def place(self, request: Request) -> Request:
        """Return a request with the full path of the file that its answer goes to."""
        if not request.save_to:
            return request
        if not _NAME.fullmatch(request.save_to):
            raise StorebridgeError(f"{request.save_to!r} is no name for a spool file")
        return replace(request, save_to=str(self.folder / request.save_to))

    def close(self) -> None:
        """Remove a private folder."""
        if self._own is not None:
            import shutil

            shutil.rmtree(self._own, ignore_errors=True)
            self._own = None
