"""JSON Lines: a header, then one record a line, with nothing lost.

```
{"storebridge": "jsonl", "version": 1, "store": "the identity of the store that ids belong to"}
{"kind": "product", "handle": "tee", "variants": [{"sku": "T-1", "price": "19.99 EUR"}]}
{"kind": "product", "handle": "old-tee", "delete": true}
```
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from storebridge.errors import Problem, SourceError
from storebridge.formats.base import WHY, Context, Loss, Sourced
from storebridge.formats.cells import Report
from storebridge.formats.keys import FileKeys
from storebridge.formats.pictures import checked
from storebridge.formats.table import atomic
from storebridge.models import KINDS, Record
from storebridge.models.text import worded

__all__ = ["VERSION", "Jsonl"]

#: The version of the file format that is written; a newer one is refused.
VERSION = 1
#: The longest line that is read.
_LONGEST = 1 << 26


class Jsonl:
    """storebridge's own format, in and out."""

    name = "jsonl"
    suffixes: tuple[str, ...] = (".jsonl", ".ndjson")
    kinds = frozenset(KINDS)

    def recognises(self, header: tuple[str, ...], context: Context) -> bool:
        """Return whether a file's first line is this format's header."""
        return bool(header) and header[0].lstrip("\ufeff").startswith('{"storebridge": "jsonl"')

    def knows(self, header: str) -> bool:
        """Return False: the format has no columns."""
        return False

    def read(self, path: Path, context: Context) -> Iterator[Sourced | Problem]:
        """Yield the file's records, and a problem for every line that is wrong.

        Raises:
            SourceError: if the header is missing, or of a newer version.
        """
        report = Report(path.name)
        with path.open("rb") as file, FileKeys() as keys:
            store = _header(path, file.readline(_LONGEST))
            for row, line in enumerate(iter(lambda: file.readline(_LONGEST), b""), 2):
                if not line.strip():
                    continue
                record, delete = _record(line, row, report)
                if record is not None:
                    record, findings = checked(record, context)
                    for finding in findings:
                        report.found(row, finding.path, finding)
                    keys.add_record(record, row)
                yield from report.drain()
                if record is not None:
                    yield Sourced(record, row, store, delete)
            for repeat in keys.repeats():
                field, _, value = repeat.key.partition(":")
                report.add(
                    repeat.row,
                    field,
                    value,
                    f"Line {repeat.first_row} has a record with this {field} already",
                    "Keep one of the records, or give each its own",
                )
                yield from report.drain()

    def write(self, path: Path, records: Iterable[Record], context: Context) -> list[Loss]:
        """Write records to a new file, atomically; nothing is lost."""
        header = {"storebridge": "jsonl", "version": VERSION, "store": context.store}
        with atomic(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(header, ensure_ascii=False) + "\n")
            for record in records:
                fields = record.model_dump_json()[1:]
                file.write(f'{{"kind":"{record.kind}"{"" if fields == "}" else ","}{fields}\n')
        return []


def _header(path: Path, line: bytes) -> str:
    """Return the identity of the store that the file's ids belong to."""

    def unusable(message: str, remedy: str) -> SourceError:
        return SourceError([Problem(message, remedy, path.name, 1)])

    try:
        header = _load(line.removeprefix(b"\xef\xbb\xbf"))
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("storebridge") != "jsonl":
        raise unusable(
            "The first line is not the header of a storebridge file",
            'Begin with {"storebridge": "jsonl", "version": 1, "store": ""}',
        )
    version, store = header.get("version"), header.get("store", "")
    if not isinstance(version, int) or not isinstance(store, str):
        raise unusable("The header is damaged", "Pull the file again")
    if version > VERSION:
        raise unusable(
            f"The file has version {version}; this storebridge reads up to {VERSION}",
            "Update storebridge",
        )
    return store


def _record(line: bytes, row: int, report: Report) -> tuple[Record | None, bool]:
    """Return the record of a line, and whether the line asks for it to be deleted."""
    try:
        fields = _load(line)
    except ValueError as error:
        report.add(row, "", "", f"The line is no JSON: {error}", "Correct or remove the line")
        return None, False
    kind = fields.pop("kind", None) if isinstance(fields, dict) else None
    model = KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        report.add(
            row,
            "kind",
            str(kind or ""),
            "The line has no kind of record that is known",
            f"Write one of: {', '.join(KINDS)}",
        )
        return None, False
    fields.pop(WHY, None)
    delete = fields.pop("delete", False)
    if not isinstance(delete, bool):
        report.add(row, "delete", str(delete), "This is no answer", "Write true or false")
    try:
        return model.model_validate(fields), delete is True
    except ValidationError as error:
        for fault in error.errors():
            path = ".".join(map(str, fault["loc"]))
            known = ", ".join(model.model_fields)
            unknown = fault["type"] == "extra_forbidden"
            message = "There is no such field" if unknown else worded(fault["msg"])
            remedy = f"Use one of: {known}" if unknown and "." not in path else "Correct the value"
            value = fault.get("input")
            report.add(row, path, "" if isinstance(value, dict) else str(value), message, remedy)
        return None, False


def _load(line: bytes) -> Any:
    """Return strict JSON: UTF-8, no key twice, no NaN."""
    try:
        return json.loads(
            line.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} comes twice")
    return fields


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
