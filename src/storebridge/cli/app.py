"""The application: which commands there are, and what their errors come to.

Exit codes: 0 done, 1 error, 2 wrong usage, 3 what is named isn't there or can't be reached, 4
finished with failed, unknown or kept items, 5 refused (conflict, guard, strict, locked), 6 `plan
--check` found changes, 130 interrupted. Of several stores the worst counts
(`storebridge.errors.worst`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from typing import Any

from cyclopts import App, CycloptsError, Parameter

from storebridge import __version__
from storebridge.errors import StorebridgeError

__all__ = ["COMMANDS", "app", "run", "typed"]

#: Each command: where it is, and its line in the help. In the order of the help.
COMMANDS = {
    "demo": ("demo:demo", "See it all at once, in a store on this machine."),
    "stores": ("stores:app", "Name stores: add, list, check, allow, remove."),
    "pull": ("pull:pull", "Write a store's records to a file."),
    "mapping": ("mapping:app", "Say how a supplier's table becomes products: init, check."),
    "plan": ("plan:plan", "Show what a source would change in a store; changes nothing."),
    "show": ("plan:show", "Show a plan."),
    "apply": ("apply:apply", "Make the changes of a plan, or go on with a run that was stopped."),
    "push": ("apply:push", "Plan, ask and apply in one go."),
    "edit": ("edit:edit", "Change products without a file; asks before it applies."),
    "report": ("report:report", "Write a report on a plan; give back the rows that failed."),
    "undo": ("apply:undo", "Take back what a plan did."),
    "history": ("history:app", "List the plans that were applied to a store."),
    "platforms": ("platforms:platforms", "List the adapters and what they can do."),
    "sandbox": ("sandbox:sandbox", "Run a platform's sandbox as a server on this machine."),
}

_typed: ContextVar[frozenset[str]] = ContextVar("typed", default=frozenset())


def typed() -> frozenset[str]:
    """Return the options that were typed, by the names of their parameters.

    What a person types beats what a job file says, also where it is the default.
    """
    return _typed.get()


def _note_typed(_app: App, _commands: tuple[str, ...], arguments: Iterable[Any]) -> None:
    _typed.set(frozenset(one.field_info.name for one in arguments if one.tokens))


app = App(
    name="storebridge",
    help="Bulk work on web shops: plan, look, apply, undo. Begin with: storebridge demo",
    default_parameter=Parameter(show_default=lambda value: value or None),
    version=__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
    config=(_note_typed,),
)
for number, (name, (home, line)) in enumerate(COMMANDS.items()):
    app.command(f"storebridge.cli.{home}", name=name, help=line, sort_key=number)
app.register_install_completion_command(help="Let the shell complete commands and options.")


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code; errors are shown on stderr."""
    try:
        result = app(arguments, exit_on_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError:  # shown by cyclopts
        return 2
    except StorebridgeError as error:
        from storebridge.cli.output import show_error

        show_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command to go on.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # who read our output has gone, `head` say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # a disk that is full, a file that another user has
        from storebridge.cli.output import show_error

        file = f" {error.filename}" if error.filename else ""
        show_error(StorebridgeError(f"can't read or write{file}: {error.strerror or error}"))
        return 1
    return result if isinstance(result, int) else 0
