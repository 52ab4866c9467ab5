"""Secrets made for tests, and the search for where they have leaked to.

A canary is a random secret that a test gives to the code it tests. It must turn up nowhere: not in
logs, output, errors or files, and neither encoded (base64 at any offset, percent, hex, JSON) nor
backwards.
"""

from __future__ import annotations

import base64
import json
import logging
import secrets
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, quote_plus

__all__ = ["Canaries", "LeakedSecret"]

_LARGEST_FILE = 64 * 1024 * 1024


class LeakedSecret(AssertionError):
    """A canary was found where no secret may be."""


class Canaries:
    """The secrets of one test; `check` and `check_files` raise where one shows up."""

    def __init__(self) -> None:
        """Start with none; the repr of this object shows none either."""
        self._values: dict[str, str] = {}
        self._forms: dict[str, frozenset[str]] = {}

    def secret(self, name: str = "secret", prefix: str = "") -> str:
        """Return the secret of a name; the first call makes it.

        Args:
            name: what failures call it; they never show the secret.
            prefix: what platforms begin such a secret with ("shpat_").
        """
        if name not in self._values:
            # The signs at the end differ between the encodings that are searched for.
            value = self._values[name] = f"{prefix}{secrets.token_hex(16)}+/~"
            self._forms[name] = frozenset(_forms(value))
        return self._values[name]

    def watch(self, name: str, value: str) -> None:
        """Look for a secret that was not made here: the credential of a real store, say."""
        self._values[name], self._forms[name] = value, frozenset(_forms(value))

    @property
    def values(self) -> tuple[str, ...]:
        """The secrets made so far: for a test that shows them to the code on purpose."""
        return tuple(self._values.values())

    def found(self, text: str) -> tuple[str, ...]:
        """Return the names of the canaries in a text."""
        return tuple(
            name for name, forms in self._forms.items() if any(form in text for form in forms)
        )

    def check(self, where: str, *values: object) -> None:
        """Look through texts, bytes, errors (with their causes) and the texts of other objects.

        Raises:
            LeakedSecret: naming the canary and `where`.
        """
        __tracebackhide__ = True  # pytest would show the values
        for value in values:
            for text in _texts(value):
                if names := self.found(text):
                    raise LeakedSecret(f"the canary {names[0]!r} shows up in {where}")

    @contextmanager
    def watching_log(self) -> Iterator[None]:
        """Look through what is logged meanwhile, by any logger and at any level.

        Raises:
            LeakedSecret: at the end, naming the canary.
        """
        watch, root = _LogWatch(), logging.getLogger()
        level = root.level
        root.addHandler(watch)
        root.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            root.setLevel(level)
            root.removeHandler(watch)
        self.check("the log", *watch.lines)

    def check_files(self, folder: Path) -> None:
        """Look through every file under a folder, their names too.

        Raises:
            LeakedSecret: naming the canary and the file.
        """
        __tracebackhide__ = True
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            self.check("the name of a file", str(name))
            if path.is_file() and not path.is_symlink() and path.stat().st_size < _LARGEST_FILE:
                self.check(f"the file {name}", path.read_bytes())


class _LogWatch(logging.Handler):
    """Keeps every log record as text, with its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def _forms(secret: str) -> Iterator[str]:
    raw = secret.encode()
    yield from (secret, secret[::-1], quote(secret, safe=""), quote_plus(secret), raw.hex())
    yield json.dumps(secret)[1:-1]
    yield secret.replace("/", "\\/")  # as PHP writes JSON
    for start in range(3):  # base64 of a longer text: the secret may begin at any of three offsets
        encoded = base64.b64encode(b"\0" * start + raw).decode().rstrip("=")
        core = encoded[(0, 2, 3)[start] : -2]
        yield core
        yield core.replace("+", "-").replace("/", "_")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, bytes):
        yield value.decode("utf-8", "surrogateescape")
        yield value.decode("utf-16-le", "ignore")
    elif isinstance(value, str):
        yield value
    elif isinstance(value, BaseException):
        yield "".join(traceback.format_exception(value))
        yield repr(value.args)
    else:
        yield from (repr(value), str(value), f"{value}")
