"""Pages that show sessions: their commands are run, and what they print is put under them.

In a page, a fenced block of `console` whose lines begin with `$` is a session; a comment before
it may give it what it needs:

    <!-- files: examples/supplier.csv, docs/files/monday.csv -->   copied into the folder
    <!-- file: nightly.toml -->                                     the next block is this file
    <!-- by hand: two_are_sold -->                                  what somebody does meanwhile
"""

from __future__ import annotations

import io
import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from datetime import date
from pathlib import Path

import pytest

from storebridge.cli.app import run
from storebridge.plan import workers

__all__ = ["ROOT", "Hand", "Session", "masked", "renew", "renewed", "scripted"]

ROOT = Path(__file__).parent.parent
#: What a person, or a machine, does between two commands; it gets the session.
Hand = Callable[["Session"], object]

_PART = re.compile(
    r"<!-- (?P<what>files|by hand): (?P<names>[^\n]*) -->\n"
    r"|<!-- file: (?P<file>\S+) -->\n```\w*\n(?P<text>.*?)```\n"
    r"|```console\n(?P<session>\$ .*?)```\n",
    re.DOTALL,
)
_SCRIPT = re.compile(r"```python\n(?P<code>.*?)```\n\n```text\n.*?```\n", re.DOTALL)
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b|(?<=--digest )[0-9a-f]+")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(?= UTC|\+00:00)")
#: The day of the pages, in place of the one on which they are run.
_DAY = "2025-06-03"
#: The folder of the pages, in place of a temporary one.
_HOME = "/home/ada/shops"
#: Where the folders of a user are, by the system.
_FOLDERS = (
    "HOME",
    "XDG_DATA_HOME",
    "XDG_CONFIG_HOME",
    "WIN_PD_OVERRIDE_LOCAL_APPDATA",
)


class Session:
    """Runs the commands of a page in a folder, one after the other, as on a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.code = 0
        self.digest = ""

    def __call__(self, line: str) -> str:
        """Return what a command prints, and keep its exit code."""
        today = date.today().isoformat()
        words = [word.replace(_DAY, today) for word in shlex.split(line)]
        if line == "echo $?":
            return f"{self.code}\n"
        if words[0] == "cat":
            return (self.folder / words[1]).read_text(encoding="utf-8-sig")
        assert words[0] == "storebridge", f"a page can't run {line!r}"
        said = self._run(words[1:])
        self.digest = next(iter(_DIGEST.findall(said)[-1:]), self.digest)
        said = re.sub(re.escape(str(self.folder)) + r"[\w.\\/-]*", self._at_home, said)
        return re.sub(r"[ \t]+$", "", said.replace(today, _DAY), flags=re.MULTILINE)

    def _run(self, words: list[str]) -> str:
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, chdir(self.folder):
            for name in _FOLDERS:
                patch.setenv(name, str(self.folder / ".user"))
            patch.setenv("COLUMNS", "100")
            patch.setattr("storebridge.cli.output.is_terminal", lambda stream: stream is out)
            patch.setattr("storebridge.cli.output._EVERY", 3600.0)
            patch.setattr(workers, "_Process", workers._Thread)  # processes have tests of their own
            with redirect_stdout(said) as out, redirect_stderr(_Under(said)):
                self.code = run(words)
        return said.getvalue()

    def _at_home(self, found: re.Match[str]) -> str:
        return _HOME + found[0][len(str(self.folder)) :].replace("\\", "/")


class _Under(io.TextIOBase):
    """Stderr, which a person reads in the same place, though it is no terminal here."""

    def __init__(self, out: io.StringIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        return self._out.write(text)


def renewed(text: str, folder: Path, hands: Mapping[str, Hand] | None = None) -> str:
    """Return a page with what its commands print now.

    Args:
        text: the page.
        folder: where they are run; an empty one, or one with the files that they need.
        hands: what is done by hand, by the names in the page.
    """
    session = Session(folder)

    def shown(command: str) -> str:
        command = re.sub(r"(?<=--digest )\w+", session.digest[:12], command)
        return f"$ {command}\n{session(command)}"

    def part(found: re.Match[str]) -> str:
        if found["what"] == "files":
            for name in found["names"].split(", "):
                shutil.copy(ROOT / name, folder)
        elif found["what"]:
            (hands or {})[found["names"]](session)
        elif found["file"]:
            (folder / found["file"]).write_text(found["text"], encoding="utf-8")
        else:
            commands = re.findall(r"^\$ (.*)$", found["session"], re.MULTILINE)
            return f"```console\n{''.join(map(shown, commands))}```\n"
        return found[0]

    return _PART.sub(part, text)


def scripted(text: str, folder: Path) -> str:
    """Return a page whose Python blocks are one script, with what each prints now under it."""
    names: dict[str, object] = {"__name__": "page"}

    def part(found: re.Match[str]) -> str:
        said = io.StringIO()
        with redirect_stdout(said):
            exec(compile(found["code"], "page", "exec", dont_inherit=True), names)
        return f"```python\n{found['code']}```\n\n```text\n{said.getvalue()}```\n"

    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        for name in _FOLDERS:
            patch.setenv(name, str(folder / ".user"))
        return _SCRIPT.sub(part, text)


def renew(path: Path, new: str) -> None:
    """Write a page, if it says something else now."""
    if masked(path.read_text(encoding="utf-8")) != masked(new):
        path.write_text(new, encoding="utf-8", newline="\n")


def masked(page: str) -> str:
    """Return a page without what differs from one run to the next: digests and times."""
    return _MOMENT.sub("(a time)", _DIGEST.sub("(a digest)", page))
