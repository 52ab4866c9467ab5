"""Pictures that a file names by a path: where they lie, as the absolute address of a file.

A path is relative to the source's own folder, or to the one that `--pictures` names, and leads to
nothing outside of it, whatever links lie there. Only with a folder that a person named may a path
be absolute, and then it must lie in it: a supplier's sheet can't send a private file to a shop.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any, TypeVar

from storebridge.formats.base import Context
from storebridge.formats.cells import BadCell
from storebridge.models import Collection, Media, Product, Record
from storebridge.models.checks import Finding, problems
from storebridge.models.text import local_file

__all__ = ["checked", "picture_url"]

R = TypeVar("R", bound=Record)

#: The beginning of an address; a letter alone is a drive.
_SCHEME = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+:", re.IGNORECASE)


def checked(record: R, context: Context) -> tuple[R, list[Finding]]:
    """Return a record with the addresses of its pictures, and all that is wrong with it."""
    found: list[Finding] = []
    if (folder := context.pictures or context.folder) and (name := _named(record)):
        place = partial(_placed, Path(folder), bool(context.pictures), found)
        record = record.model_copy(update=name(place))
    wrong = {finding.path for finding in found}
    more = (each for each in problems(record, context.currency) if each.path not in wrong)
    return record, [*found, *more]


def picture_url(text: str, folder: Path, *, absolute: bool = False) -> str:
    """Return the address of the picture that a text names: a web address, or a file's.

    Args:
        text: what the source says: an address, or a path with slashes of either kind.
        folder: what a path is relative to, and may not lead out of.
        absolute: whether the path may be absolute, since a person named the folder.

    Raises:
        BadCell: if it leads out of the folder, or to nothing.
    """
    text = text.strip()
    if not text or _SCHEME.match(text):
        return text
    given = local_file(text) or PureWindowsPath(text).as_posix()
    if not absolute and (Path(given).is_absolute() or PureWindowsPath(given).anchor):
        raise BadCell(
            "An absolute path needs to be in a folder that you name",
            "Name the folder with --pictures FOLDER, or write the path as seen from the file",
        )
    root = folder.resolve()
    try:
        path = (root / given).resolve()
        there = path.is_file()
    except (OSError, ValueError, RuntimeError):
        path, there = root, False
    if not path.is_relative_to(root):
        raise BadCell(
            f"The path leads out of the folder {root}",
            "Put the picture into it, or name another folder with --pictures FOLDER",
        )
    if not there:
        raise BadCell(
            f"There is no such file in {root}",
            "Correct the path, or name its folder with --pictures; web addresses begin with https:",
        )
    return path.as_uri()


_Place = Callable[[str, str], str]


def _named(record: Record) -> Callable[[_Place], dict[str, Any]] | None:
    """Return what places a record's pictures, None where it names none by a path."""
    if isinstance(record, Product):
        media = (item.url for item in (*record.media, *record.media_add))
        shown = (url for variant in record.variants for url in variant.media)
        if any(url and not _SCHEME.match(url) for urls in (media, shown) for url in urls):
            return partial(_of_product, record)
    elif isinstance(record, Collection) and record.image is not None:
        return partial(_of_collection, record, record.image)
    return None


def _of_product(product: Product, place: _Place) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in ("media", "media_add"):
        if name in product.given:
            items: tuple[Media, ...] = getattr(product, name)
            fields[name] = tuple(_moved(item, place, f"{name}.{n}") for n, item in enumerate(items))
    if any(variant.media for variant in product.variants):
        fields["variants"] = tuple(
            variant.model_copy(
                update={
                    "media": tuple(
                        place(url, f"variants.{n}.media.{at}")
                        for at, url in enumerate(variant.media)
                    )
                }
            )
            if variant.media
            else variant
            for n, variant in enumerate(product.variants)
        )
    return fields


def _of_collection(collection: Collection, image: Media, place: _Place) -> dict[str, Any]:
    return {"image": _moved(image, place, "image")}


def _moved(item: Media, place: _Place, path: str) -> Media:
    return item.model_copy(update={"url": place(item.url, f"{path}.url")}) if item.url else item


def _placed(folder: Path, absolute: bool, found: list[Finding], url: str, path: str) -> str:
    try:
        return picture_url(url, folder, absolute=absolute)
    except BadCell as bad:
        found.append(Finding(path, url, bad.message, bad.remedy))
        return "" if local_file(url) else url  # nobody looks into a file that was refused
