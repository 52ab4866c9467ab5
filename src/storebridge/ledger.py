"""The ledger of pictures: which medium of the store came of which source.

A platform that keeps copies gives a picture an address of its own, so that a file that lists the
original would upload it again each time. What an adapter tells in `Outcome.media` is kept in the
store's state, by source and by content; planning again then compares like with like.

With an empty state a medium is still known by its address, its content hash where the platform
shows one, or its file's name. Where nothing of a product's pictures is known by any of these, they
are left alone, and the plan says so: adding them might double all of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

from storebridge.adapter import Change, Records
from storebridge.compare import (
    Origin,
    addresses,
    arranged,
    each_medium,
    in_order,
    listed,
    media_of,
    origins,
    pairs,
    readdressed,
    told,
)
from storebridge.flow import Outcome
from storebridge.models import Media, Product, Record, slug
from storebridge.models.text import local_file
from storebridge.pictures import BadPicture, Pictures
from storebridge.state import StoreState

__all__ = ["Ledger", "Meant"]

R = TypeVar("R", bound=Record)

_PART = "pictures"
#: What is appended to a file's name in a store: a count, a size, "scaled", a hash, a UUID.
_APPENDED = re.compile(
    r"(-\d{1,4}|-\d+x\d+|-scaled|[-_][0-9a-f]{8,40}"
    r"|[-_][0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"
)


class Meant(NamedTuple):
    """A desired record and the live one in the same words."""

    desired: Any
    live: Any
    held_back: int = 0
    """How many pictures were left out, since the store may have them under names of its own."""


class Ledger:
    """What is known of one kind of record's pictures in one store."""

    def __init__(self, state: StoreState, records: Records[Any], pictures: Pictures) -> None:
        """Look things up in a store's state; what files are is asked of `pictures`."""
        self._state, self._records, self.pictures = state, records, pictures

    @property
    def attaches(self) -> bool:
        """Whether a source that the store has is planned with its id, for new records too."""
        return self._records.shares_media

    # -- comparing

    def meant(self, desired: Record, live: Record | None) -> Meant:
        """Return a desired record and the live one so that their pictures can be compared."""
        wanted = self._origins(desired)
        if not wanted or (live is not None and _is_there(wanted, live)):
            return Meant(desired, live)
        ids = self._ids(wanted, live)
        held_back = 0
        if live is not None:
            desired = _superseding(desired, live, ids)
            if self._records.copies_media and isinstance(desired, Product):
                guessed, held = _guessed(desired, live, ids)
                desired, held_back = _without(desired, held), len(held)
                ids |= guessed
            live = told(live, wanted, ids)
        return Meant(_attached(desired, ids) if self.attaches else desired, live, held_back)

    def told(self, live: R, *sides: Record | None) -> R:
        """Return a live record whose media have the sources that a change's sides name."""
        wanted = self._origins(*sides)
        if not wanted or _is_there(wanted, live):
            return live
        return told(live, wanted, self._ids(wanted, live))

    # -- sending

    def refused(self, desired: Record) -> str:
        """Return why a picture can't be uploaded as it was planned; "" if nothing is wrong."""
        planned = {item.url: item for item in media_of(desired)}
        for origin in origins(desired):
            path = local_file(origin.url)
            item = planned.get(origin.url)
            if path is None or (item is not None and item.id):
                continue
            try:
                found = self.pictures.ready(origin.url)
            except BadPicture as bad:
                return bad.message
            if origin.content_hash and found.picture.digest != origin.content_hash:
                return f"the picture {path.name} was changed since the plan"
        return ""

    def dressed(self, change: Change[Any]) -> Change[Any]:
        """Return a change with the files to upload instead of those that were named.

        Sources that came into the store since the plan was made have their ids.
        """
        desired, ids = change.desired, dict[str, str]()
        if self.attaches and (wanted := self._origins(desired)):
            ids = self._ids(wanted, None)
            desired = _attached(desired, ids)
        return replace(change, desired=readdressed(desired, self._file), media=ids)

    def _file(self, url: str) -> str:
        if local_file(url) is None:
            return url
        try:
            return self.pictures.ready(url).path.as_uri()
        except BadPicture:
            return url

    # -- remembering

    def note(self, desired: Record, outcome: Outcome, live: Record | None) -> None:
        """Remember what came of a change's sources, and the addresses that the store gave."""
        if not outcome.media or not (self.attaches or outcome.id):
            return
        facts = dict(outcome.media)
        for origin in self._origins(desired):
            sent = origin._replace(url=self._file(origin.url))
            made = next((facts[key] for key in (*sent.keys, *origin.keys) if key in facts), "")
            facts |= dict.fromkeys(origin.keys, made) if made else {}
        known = set(facts.values())
        if live is not None:
            facts |= {f"url:{m.url}": m.id for m in media_of(live) if m.id in known and m.url}
        start = self._start(outcome.id)
        facts |= self._again(start, facts)
        named: dict[str, Any] = {f"{start}{key}": medium for key, medium in facts.items()}
        before = self._state.facts_of(_PART, (f"{start}id:{each}" for each in known))
        for medium in known:  # of one source there may be several media, each with its names
            name, keys = f"{start}id:{medium}", (key for key in facts if facts[key] == medium)
            named[name] = sorted({*before.get(name, ()), *keys})
        self._state.set_facts(_PART, named, rebuildable=False)

    def _again(self, start: str, facts: Mapping[str, str]) -> dict[str, str]:
        """Return the other names of what came into the store again, of a copy that it had."""
        before = self._facts(start, (key for key in facts if not _is_path(key)))
        new = {f"id:{old}": facts[key] for key, old in before.items() if old != facts[key]}
        names = self._facts(start, new)
        return {key: new[each] for each in names for key in names[each] if key not in facts}

    # -- looking up

    def _origins(self, *records: Record | None) -> list[Origin]:
        """Return what media are made of; a file that only a variant names, with its content."""
        found = origins(*records)
        return [
            each if each.content_hash or local_file(each.url) is None else self._hashed(each)
            for each in found
        ]

    def _hashed(self, origin: Origin) -> Origin:
        try:
            return origin._replace(content_hash=self.pictures.ready(origin.url).picture.digest)
        except BadPicture:
            return origin

    def _ids(self, wanted: Iterable[Origin], live: Record | None) -> dict[str, str]:
        """Return the media that came of sources, by element key, and all that are known."""
        media = list(media_of(live)) if live is not None else []
        keys = [key for origin in wanted for key in origin.keys]
        if live is not None:
            keys += [f"url:{url}" for url in addresses(live)]
            keys += [key for item in media for key in item.element_keys()]
        start = self._start(live.id if live is not None else "")
        known = self._facts(start, keys)
        back = _came_back(media, known)
        known |= self._facts(start, (f"id:{old}" for old in back.values()))
        ids = {key: value for key, value in known.items() if isinstance(value, str)}
        for item in media:
            name, *shown = item.element_keys() if item.id else ("",)
            names = known.get(name, known.get(f"id:{back.get(item.id, '')}"))
            if names is not None:
                ids |= dict.fromkeys((name, *names), item.id)
            for key in shown:  # the store itself says so of its medium
                ids.setdefault(key, item.id)
        return ids

    def _facts(self, start: str, keys: Iterable[str]) -> dict[str, Any]:
        names = [f"{start}{key}" for key in keys]
        found = self._state.facts_of(_PART, names) if names else {}
        return {name.removeprefix(start): value for name, value in found.items()}

    def _start(self, record_id: str) -> str:
        """Return what a key begins with: the record, where its media are its own."""
        kind = self._records.model.kind
        return "" if self.attaches else f"{kind} {record_id} "


def _is_path(key: str) -> bool:
    """Return whether an element key is a file's path: another picture may lie there by now."""
    return local_file(key.removeprefix("url:")) is not None


def _came_back(media: Sequence[Media], known: Mapping[str, Any]) -> dict[str, str]:
    """Return the ids that media had before, where an undo has put them back under new ones."""
    held = {item.id for item in media}
    return {
        item.id: known[key]
        for item in media
        if f"id:{item.id}" not in known
        for key in item.element_keys()
        if key in known and known[key] not in held
    }


def _is_there(wanted: Sequence[Origin], live: Record) -> bool:
    """Return whether a live record has all that is wanted under the very same addresses."""
    held = {item.url for item in media_of(live)}
    held.update(addresses(live))
    return all(origin.url in held for origin in wanted)


def _attached(desired: R, ids: Mapping[str, str]) -> R:
    """Return a record whose media have the ids that their sources got when they were uploaded."""

    def attached(item: Media) -> Media:
        known = Origin(item.url, item.content_hash).medium(ids) if item.url else ""
        return item.model_copy(update={"id": known}) if known and not item.id else item

    return desired.model_copy(update=each_medium(desired, attached))


def _superseding(desired: R, live: Record, ids: Mapping[str, str]) -> R:
    """Return a record that takes out the pictures whose files have got another content.

    Its list replaces then: it has the store's other media by id, and each new one in the place of
    the one that it replaces, unless the record says another order.
    """
    if not isinstance(desired, Product) or not isinstance(live, Product):
        return desired
    media = [item for item in desired.media if local_file(item.url) is not None]
    held = {item.id for item in live.media}
    fresh = (m for m in media if Origin(m.url, m.content_hash).medium(ids) not in held)
    old = {ids.get(f"url:{item.url}", "") for item in fresh} & held
    if not old or desired.modes.get("media") == "replace":
        return desired
    asked, shown = listed(desired).media, told(live, origins(desired), ids).media
    by_id = {item.id: item for item in shown}
    met = [
        (item, match or by_id.get(ids.get(f"url:{item.url}", "")))
        for item, match in pairs(asked, shown)
    ]
    said = in_order(met)
    apart = {id(item) for item, _ in met} - {id(item) for item, _ in said}
    gone = {id(match) for item, match in met if id(item) in apart}
    row = arranged(said, [item for item in shown if id(item) not in gone])
    own = {id(item) for item in shown}
    placed = (
        Media(id=item.id, position=place)
        if id(item) in own
        else item.model_copy(update={"position": place})
        for place, item in enumerate(row, 1)
    )
    rest = (item for item in asked if id(item) in apart)
    modes = {**desired.modes, "media": "replace"}
    return desired.model_copy(update={"media": (*placed, *rest), "modes": modes})


def _guessed(
    desired: Product, live: Record, ids: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Return the media that sources seem to have become, by their names; by element key.

    Besides, the addresses that are held back: nothing of this record's media is known by any
    means, so that they may well be what the store has already.
    """
    held = list(media_of(live))
    keys = {key for item in held for key in item.element_keys()}
    new = [
        item
        for item in desired.media
        if item.url
        and not Origin(item.url, item.content_hash).medium(ids)
        and keys.isdisjoint(item.element_keys())
    ]
    known = {Origin(m.url, m.content_hash).medium(ids) for m in desired.media}
    free = [item for item in held if item.id not in known and f"id:{item.id}" not in ids]
    named = dict(_same_names(new, free)) | dict(_elsewhere(new, held, known, ids))
    pairs = ((Origin(item.url, item.content_hash), named.get(item.url)) for item in new)
    found = {key: medium for origin, medium in pairs if medium for key in origin.keys}
    doubtful = len(free) == len(held) and len(new) == len(desired.media) and not named
    merges = desired.modes.get("media", "merge") == "merge"
    return found, [item.url for item in new] if doubtful and held and merges else []


def _same_names(new: Sequence[Media], free: Sequence[Media]) -> Iterator[tuple[str, str]]:
    """Yield address and id of the pictures that have the same file name, and no other has it."""
    asked = Counter(_stem(item.url) for item in new)
    held = Counter(_stem(item.url) for item in free)
    by_name = {_stem(item.url): item.id for item in free}
    for item in new:
        name = _stem(item.url)
        if name and asked[name] == held[name] == 1:
            yield item.url, by_name[name]


def _elsewhere(
    new: Sequence[Media], held: Sequence[Media], named: Container[str], ids: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield address and id of pictures that have moved: of the same name, and at no known host.

    A catalogue that comes back from another shop has the addresses of that shop's copies. What
    lies at a known host under a new address is another picture.
    """
    hosts: dict[str, set[str]] = {}
    for key, medium in ids.items():
        if key.startswith("url:"):
            hosts.setdefault(medium, set()).add(urlsplit(key.removeprefix("url:")).netloc)
    told = [item for item in held if item.id not in named and f"id:{item.id}" in ids]
    for url, medium in _same_names([item for item in new if not item.content_hash], told):
        if urlsplit(url).netloc not in hosts.get(medium, ()):
            yield url, medium


def _stem(url: str) -> str:
    """Return a picture's name as platforms keep it: a slug, without what they append."""
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    stem = PurePosixPath(name).stem.lower()
    while (shorter := _APPENDED.sub("", stem)) != stem and shorter:
        stem = shorter
    return slug(stem)


def _without(desired: R, held: Sequence[str]) -> R:
    """Return a product without the pictures that are held back."""
    if not held or not isinstance(desired, Product):
        return desired
    variants = tuple(
        v.without("media") if any(url in held for url in v.media) else v for v in desired.variants
    )
    fields = {"variants": variants} if variants else {}
    left = desired.without("media").model_copy(update=fields)
    rest = tuple(item for item in desired.media if item.url not in held)
    return left.model_copy(update={"media": rest}) if rest else left
