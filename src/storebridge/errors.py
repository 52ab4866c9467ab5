"""The error tree, grouped by what the caller does next. No message carries a secret.

StorebridgeError
  ConfigError            fix the settings; never swallowed by bulk work
    UsageError           an option is written in a way that means nothing
  SourceError            fix the file; `.problems` lists every place at once
  Refused                storebridge won't: a conflict, a guard, a lock, a strict fit
    Locked               another process holds the store or the plan
    PlanError            the plan file is foreign, changed, older or newer, or for another store
  NotSupported           the platform can't; says what to use instead
  TransportError         nothing was sent: name look-up, connection, TLS
  OutcomeUnknown         it was sent and no answer says what came of it
  ApiError               the store answered with an error (`.status`, `.request_id`)
    NotFound  Rejected  Conflict  AuthError  AccessDenied
    RateLimited  Unavailable          (retried; they reach you when the tries are spent)
    BadAnswer                         (an answer that can't be trusted or understood)
      Unreadable                      (a page, or cut off; a read of it is repeated)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self

__all__ = [
    "AccessDenied",
    "ApiError",
    "AuthError",
    "BadAnswer",
    "BadDelivery",
    "ConfigError",
    "Conflict",
    "Locked",
    "NotFound",
    "NotSupported",
    "OutcomeUnknown",
    "PlanError",
    "Problem",
    "RateLimited",
    "Refused",
    "Rejected",
    "SourceError",
    "StorebridgeError",
    "TransportError",
    "Unavailable",
    "Unreadable",
    "UsageError",
    "told",
    "worst",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a source: where, what, and what to do."""

    message: str
    remedy: str
    file: str = ""
    row: int | None = None
    column: str = ""
    value: str = ""

    def __str__(self) -> str:
        spot = [self.file] if self.file else []
        spot += [f"row {self.row}"] if self.row is not None else []
        spot += [f"column {self.column!r}"] if self.column else []
        value = f" ({self.value!r})" if self.value else ""
        where = f"{', '.join(spot)}: " if spot else ""
        return f"{where}{self.message}{value}. {self.remedy}"


#: So many rows may have the same problem until they are told together, and so many are named.
_ALIKE = 5


def told(problems: Iterable[Problem]) -> Iterator[str]:
    """Yield a line for each problem; one that many rows have is told once, with the first rows."""
    alike: dict[Problem, list[Problem]] = {}
    for problem in problems:
        alike.setdefault(replace(problem, row=None, value=""), []).append(problem)
    for what, rows in alike.items():
        if len(rows) <= _ALIKE:
            yield from map(str, rows)
            continue
        named = ", ".join(dict.fromkeys(str(each.row) for each in rows[:_ALIKE]))
        values = dict.fromkeys(each.value for each in rows[:_ALIKE] if each.value)
        shown = f" ({', '.join(map(repr, values))})" if values else ""
        where = f"{what.file + ', ' if what.file else ''}{len(rows)} rows ({named}, …)"
        column = f", column {what.column!r}" if what.column else ""
        yield f"{where}{column}: {what.message}{shown}. {what.remedy}"


class StorebridgeError(Exception):
    """The root of all errors that storebridge raises on purpose."""

    #: What the command line returns when this error ends a run.
    exit_code = 1


class ConfigError(StorebridgeError):
    """Settings are missing or wrong; the message names every way to give them."""

    exit_code = 3


class UsageError(ConfigError):
    """An option is written in a way that means nothing."""

    exit_code = 2


class SourceError(StorebridgeError):
    """A source of desired records can't be used; nothing was written."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems; the message shows the first ten."""
        self.problems = tuple(problems)
        lines = list(told(self.problems))
        if len(lines) > 10:
            lines[10:] = [f"... and {len(lines) - 10} more"]
        super().__init__("\n".join(lines))


class Refused(StorebridgeError):
    """storebridge won't do it as things stand; the message says why and what to do."""

    exit_code = 5


class BadDelivery(Refused):
    """A webhook that isn't the shop's, or isn't whole. Answer 401, and believe nothing of it."""


class Locked(Refused):
    """Another process holds the store or the plan; the message says which."""


class PlanError(Refused):
    """The plan file can't be used: foreign, changed, older, newer, or for another store."""

    def __init__(self, message: str, exit_code: int = 5) -> None:
        """Say what is wrong; the code is 3 for a plan that isn't there, 1 for no plan at all."""
        super().__init__(message)
        self.exit_code = exit_code


class NotSupported(StorebridgeError):
    """The platform can't do this. An adapter returns it as a value; users see it raised."""

    def __init__(self, reason: str, instead: str = "") -> None:
        """Say what the platform lacks, and what to use instead."""
        self.reason, self.instead = reason, instead
        super().__init__(f"{reason}; {instead}" if instead else reason)


class TransportError(StorebridgeError):
    """Nothing was sent; it is safe to try again."""

    exit_code = 3


class OutcomeUnknown(StorebridgeError):
    """A request was sent and no answer says what came of it.

    The engine throws it into the flow that sent a CREATE, DELTA or SUBMIT; the flow looks for
    what it may have made before it does anything else.
    """

    def __init__(
        self,
        message: str,
        *,
        request_id: str = "",
        covers: tuple[str, ...] = (),
        status: int = 0,
        code: str = "",
    ) -> None:
        """Say what was sent; `covers` names the changes whose outcome is unknown.

        `status` and `code` are those of the answer that came, if one did.
        """
        super().__init__(message)
        self.request_id, self.covers = request_id, covers
        self.status, self.code = status, code


class ApiError(StorebridgeError):
    """The store answered with an error."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str = "",
        request_id: str = "",
        retry_after: float | None = None,
        fields: Mapping[str, str] | None = None,
        remedy: str = "",
    ) -> None:
        """Keep what the store said.

        Args:
            message: what went wrong, in one sentence, without secrets; `.message` has it alone.
            status: the HTTP status, 0 where there was none.
            code: the platform's own error code.
            request_id: the platform's name for the request, for its support.
            retry_after: seconds to wait, where the store said so.
            fields: what is wrong by field path.
            remedy: what to do next.
        """
        super().__init__(f"{message} {remedy}".rstrip())
        self.status, self.code, self.request_id = status, code, request_id
        self.retry_after, self.fields, self.remedy = retry_after, dict(fields or {}), remedy

    @property
    def message(self) -> str:
        """What went wrong, and after how many tries, without the remedy."""
        return str(self).replace(f" {self.remedy}", "", 1) if self.remedy else str(self)


class NotFound(ApiError):
    """There is no such record."""


class Rejected(ApiError):
    """The store refused the values; `.fields` says which."""


class Conflict(ApiError):
    """The store holds something that stands in the way (a SKU that is taken, say)."""


class AuthError(ApiError):
    """The credentials are wrong, expired or revoked."""

    exit_code = 3


class AccessDenied(ApiError):
    """The credentials lack a right; the message names it where the store does."""

    exit_code = 3


class RateLimited(ApiError):
    """The store wants fewer requests; nothing was done."""

    exit_code = 3


class Unavailable(ApiError):
    """The store failed (5xx); what came of a write is unknown."""

    exit_code = 3


class BadAnswer(ApiError):
    """The answer is no valid answer: broken JSON, too large, a redirect, a page of HTML."""

    path = ""
    """The place in the answer that is wrong ("products.nodes[4].id"); "" where all of it is."""

    def at(self, path: str) -> Self:
        """Name the place that is wrong, in the message too, and return the error."""
        self.args = (f"{self.message}, at {path} {self.remedy}".rstrip(),)
        self.path = path
        return self


class Unreadable(BadAnswer):
    """The body is nothing that can be read: a page of HTML, cut off, broken JSON or gzip."""


#: Exit codes from the best to the worst: done, changes found, finished with failed items, refused,
#: no access, wrong usage, an error, interrupted.
_BETTER_FIRST = (0, 6, 4, 5, 3, 2, 1, 130)


def worst(codes: Iterable[int]) -> int:
    """Return the worst exit code of several stores, which is that of the whole run; 0 of none.

    From bad to worse: 6 changes found, 4 finished with failed items, 5 refused, 3 configuration
    or access, 2 usage, 1 error, 130 interrupted.
    """
    return max(codes, key=_BETTER_FIRST.index, default=0)
