"""What the commands print: text for people, lines for pipes, JSON for machines.

Whatever came from a store or a file loses its control and bidirectional characters first, so
that no product title can move the cursor, hide text or pretend to be ours.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from storebridge.errors import SourceError, StorebridgeError, told

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "Tick",
    "clean",
    "command",
    "is_terminal",
    "moment",
    "progress",
    "say",
    "shortened",
    "show_error",
    "table",
    "write_json",
]

Tick = Callable[[str, int, int], None]

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_MOST_PROBLEMS = 100
#: Seconds between two lines of progress where there is no terminal.
_EVERY = 5.0


def clean(text: object) -> str:
    """Return a text without what a terminal would obey: control and bidirectional characters."""
    shown = str(text)
    if shown.isascii() and shown.isprintable():
        return shown
    return "".join(_harmless(char) for char in shown)


def _harmless(char: str) -> str:
    if char in _BIDI or unicodedata.category(char) in ("Cs", "Co", "Cn"):
        return ""
    return " " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char


def moment(at: float) -> str:
    """Return a time, in seconds since the epoch, as the clock on the wall has it."""
    return datetime.fromtimestamp(at).astimezone().isoformat(" ", "minutes")


def is_terminal(stream: TextIO) -> bool:
    """Return whether a person looks at a stream."""
    return stream.isatty()


def console(stream: TextIO) -> Console:
    """Return a console that takes texts literally and breaks lines on a terminal only."""
    from rich.console import Console

    return Console(file=stream, markup=False, highlight=False, emoji=False)


def say(*parts: str | tuple[str, str], error: bool = False) -> None:
    """Print a line for people.

    Args:
        parts: texts, or pairs of a text and its style ("green", "bold").
        error: whether it goes to stderr.
    """
    from rich.text import Text

    line = Text()
    for part in parts:
        text, style = part if isinstance(part, tuple) else (part, "")
        line.append(clean(text), style)
    console(sys.stderr if error else sys.stdout).print(line, soft_wrap=True)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows: a table on a terminal, lines with tabs in a pipe."""
    if not is_terminal(sys.stdout):
        for row in (head, *rows):
            print("\t".join(map(clean, row)))
        return
    from rich.table import Column, Table
    from rich.text import Text

    columns = (Column(name, overflow="fold") for name in head)  # nothing is cut off
    shown = Table(*columns, box=None, header_style="bold")
    for row in rows:
        shown.add_row(*(Text(clean(cell)) for cell in row))
    console(sys.stdout).print(shown)


def shortened(path: str, beside: int) -> str:
    """Return a path whose beginning gives way where a terminal is too narrow for it.

    Args:
        path: the path.
        beside: how many columns of the terminal are needed for what stands beside it.
    """
    room = max(console(sys.stdout).width - beside, 12)
    if not is_terminal(sys.stdout) or len(path) <= room:
        return path
    return f"…{path[1 - room :]}"


def write_json(value: Any) -> None:
    """Print a value as JSON in ASCII, which has nothing that a terminal would obey."""
    print(json.dumps(value, indent=2))


def show_error(error: StorebridgeError) -> None:
    """Print an error on stderr; every problem of a source, up to a hundred."""
    if not isinstance(error, SourceError):
        for number, line in enumerate(str(error).splitlines() or [type(error).__name__]):
            say(("Error: ", "bold red") if number == 0 else "", line, error=True)
        return
    count = len(error.problems)
    say(("Error: ", "bold red"), f"{count} problem{'s' * (count > 1)} in the source", error=True)
    lines = list(told(error.problems))
    for line in lines[:_MOST_PROBLEMS]:
        say(f"  {line}", error=True)
    if len(lines) > _MOST_PROBLEMS:
        say(f"  ... and {len(lines) - _MOST_PROBLEMS} more", error=True)


def command(*words: object, state: Path | None = None) -> str:
    """Return one of our commands as it can be typed."""
    texts = ["storebridge", *map(str, words), *(["--state", str(state)] if state else [])]
    return subprocess.list2cmdline(texts) if sys.platform == "win32" else shlex.join(texts)


@contextmanager
def progress() -> Iterator[Tick]:
    """Show how far long work is, on stderr: a bar on a terminal, else a line now and then.

    What it yields is called with a word for the work, how much is done and how much there is in
    all (0 where nobody knows).
    """
    if not is_terminal(sys.stderr):
        yield _lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console(sys.stderr), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def tick(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=None)
            bar.update(tasks[what], completed=done, total=total or None)

        yield tick


def _lines() -> Tick:
    last = time.monotonic()

    def tick(what: str, done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _EVERY:
            last = time.monotonic()
            print(f"{what}: {done}{f' of {total}' if total else ''}", file=sys.stderr, flush=True)

    return tick
