"""The command line: one module per group of commands, loaded only when it is called."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    from storebridge.cli.app import run

    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a terminal of another encoding shows ? for what it lacks
            reconfigure(errors="replace")
    raise SystemExit(run(sys.argv[1:]))
