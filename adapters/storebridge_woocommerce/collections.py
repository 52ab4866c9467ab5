"""Collections: WooCommerce's product categories, a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from storebridge.adapter import Batch, Change, Query
from storebridge.errors import Rejected, StorebridgeError
from storebridge.flow import Flow, Outcome, Request, RequestKind, Status, remember, report, send
from storebridge.models import Collection, Media
from storebridge.wire import dumps, json_of
from storebridge_woocommerce import fields, languages
from storebridge_woocommerce.batches import FATAL, Item
from storebridge_woocommerce.library import LIMITS, Library, fetched
from storebridge_woocommerce.normal import medium
from storebridge_woocommerce.reading import NAMESPACE
from storebridge_woocommerce.records import WooRecords, failed
from storebridge_woocommerce.site import Facts, Site
from storebridge_woocommerce.text import (
    inline_form,
    plain,
    slashed,
    slug_form,
    sluglike,
    term_form,
    words,
)
from storebridge_woocommerce.walk import rows_of

if TYPE_CHECKING:
    from storebridge_woocommerce.adapter import WooCommerceSettings

__all__ = ["CollectionRecords"]

Doc = Mapping[str, Any]

_DISPLAYS = ("default", "products", "subcategories", "both")


class CollectionRecords(WooRecords[Collection]):
    """Product categories of a shop."""

    model = Collection
    path: ClassVar[str] = "/products/categories"
    fields = fields.COLLECTION
    finds = ("id", "handle")
    shares_media = True
    copies_media = True
    media_limits = LIMITS

    def __init__(self, site: Site, settings: WooCommerceSettings) -> None:
        """Keep what becomes of pictures."""
        super().__init__(site, settings)
        self.library = Library(may_upload=settings.password is not None)

    def read(self, doc: Doc, facts: Facts) -> Collection:
        """Return the collection that a category's JSON describes; its parent by number."""
        return Collection(
            id=str(doc["id"]),
            handle=sluglike(doc["slug"]),
            title=plain(doc["name"]),
            description_html=doc["description"],
            parent=str(doc["parent"] or ""),
            position=doc["menu_order"],
            image=_picture(doc["image"]) if doc.get("image") else None,
            platform_fields={NAMESPACE: {"display": doc["display"]}},
        )

    def normal(self, desired: Collection) -> Collection:
        """Return a desired category as it reads back: inline tags only, handles folded."""
        language = self.site.facts.language if self.site.facts else ""
        given, new = desired.given, dict[str, Any]()
        if "title" in given:
            new["title"] = term_form(desired.title)
        if "description_html" in given:
            new["description_html"] = inline_form(desired.description_html)
        new |= {
            name: slug_form(getattr(desired, name), language)
            for name in ("handle", "parent")
            if name in given
        }
        if desired.image is not None:
            new["image"] = medium(desired.image)
        changed = {name: value for name, value in new.items() if value != getattr(desired, name)}
        return desired.model_copy(update=changed) if changed else desired

    def filters(self, query: Query, facts: Facts) -> tuple[tuple[str, str], ...] | None:
        """Return the parameters of a query; categories have no status and no dates."""
        params = None if query.status else super().filters(query, facts)
        code = languages.catalogue(facts, self.settings.language)
        return None if params is None else params + languages.params(code)

    def whole(
        self, docs: Sequence[Doc], facts: Facts, fields_: frozenset[str] | None
    ) -> Flow[list[Collection]]:
        """Return categories with their parents' handles."""
        slugs = {doc["id"]: doc["slug"] for doc in docs}
        lacking = {doc["parent"] for doc in docs if doc["parent"]} - slugs.keys()
        if lacking:
            keys = [f"id:{number}" for number in sorted(lacking)]
            slugs |= {row["id"]: row["slug"] for row in (yield from self.by_ids(keys, "id,slug"))}
        found = []
        for doc in docs:
            parent = sluglike(slugs.get(doc["parent"], ""))
            found.append(self.read(doc, facts).model_copy(update={"parent": parent}))
        return found

    def look_up(self, keys: Sequence[str], asked: str) -> Flow[list[Doc]]:
        """Return the rows of ids and handles."""
        found = {row["id"]: row for row in (yield from self.by_ids(keys, asked))}
        for key in keys:
            kind, _, handle = key.partition(":")
            if kind == "handle":
                found |= {row["id"]: row for row in (yield from self._by_slug(handle))}
        return list(found.values())

    def create(self, changes: Sequence[Change[Collection]], batch: Batch[Collection]) -> Flow[None]:
        """Make categories, each once."""
        items, facts = [], (yield from self.site.known())
        for change in changes:
            try:
                body = yield from self._body(change, batch)
                items.append(Item(change.id, change.id, body, unique=True))
            except StorebridgeError as error:
                yield from report([failed(change, error)])
        params = languages.made_in(facts, languages.catalogue(facts, self.settings.language))
        yield from self.create_items(changes, items, batch, self._look, _fits, params)

    def update(self, changes: Sequence[Change[Collection]], batch: Batch[Collection]) -> Flow[None]:
        """Write the given fields of categories, their pictures one by one."""
        pictures = [change for change in changes if change.part == "media"]
        for change in pictures:
            yield from report([(yield from self._pictured(change, batch))])
        items, changes = [], [change for change in changes if change.part != "media"]
        for change in changes:
            try:
                body = yield from self._body(change, batch)
                items.append(Item(change.id, change.id, body, int(change.record_id)))
            except StorebridgeError as error:
                yield from report([failed(change, error)])
        yield from self.update_items(changes, items)

    def _pictured(self, change: Change[Collection], batch: Batch[Collection]) -> Flow[Outcome]:
        """Write the picture of a category, and return what came of it."""
        path, image = f"{self.path}/{change.record_id}", change.desired.image
        made: dict[str, str] = {}
        try:
            if image is None:
                yield from self._attach(path, {"id": 0}, change)
            else:
                yield from self._show(path, image, change, batch, made)
        except FATAL:
            raise
        except StorebridgeError as error:
            return replace(failed(change, error), media=made)
        return Outcome(change=change.id, status=Status.APPLIED, id=change.record_id, media=made)

    def _show(
        self,
        path: str,
        image: Media,
        change: Change[Collection],
        batch: Batch[Collection],
        made: dict[str, str],
    ) -> Flow[None]:
        """Give a category its picture; where its id is gone, what it was made of."""
        alt = {"alt": words(image.alt)} if "alt" in image.given else {}
        if image.id and (yield from self._attach(path, {"id": int(image.id), **alt}, change)):
            return
        [row] = yield from self.by_ids([f"id:{change.record_id}"], "id,image")
        shown = row.get("image") or {}
        if not image.url:
            if not (
                shown
                and not image.id
                and (yield from self._attach(path, {"id": shown["id"], **alt}, change))
            ):
                raise Rejected(
                    f"the shop has no picture {image.id}".rstrip(),
                    fields={"image": "missing"},
                    remedy="Give its address.",
                )
            return
        if not alt and shown:  # another picture under the text of the one that it replaces
            alt = {"alt": words(plain(shown["alt"]))}
        if gone := self.library.known(image):
            if (yield from self._attach(path, {"id": gone, **alt}, change)):
                made |= self.library.note(image, gone)
                return
            self.library.forget(gone)
        named = yield from self.library.source(image, change, batch, made)
        if "id" in named:
            yield from self._attach(path, {**named, **alt}, change)
            return
        held = (batch.state or {}).get(change.id)
        if held is None:
            held = shown.get("id", 0)
            yield from remember({**(batch.state or {}), change.id: held})
        found = yield from fetched(path, {**named, **alt}, change, batch, {held})
        made |= self.library.note(image, int(found["id"]))

    def _attach(
        self, path: str, named: Mapping[str, Any], change: Change[Collection]
    ) -> Flow[bool]:
        """Set a category's picture by its id, 0 for none; return whether it has that one.

        WooCommerce takes the picture away for an id that is gone, and answers 200.
        """
        request = Request(
            method="PUT",
            path=path,
            kind=RequestKind.SET,
            params=(("_fields", "id,image"),),
            body=dumps({"image": named}),
            covers=(change.id,),
        )
        doc = json_of((yield from send(request)))
        return bool((doc.get("image") or {}).get("id", 0) == named["id"])

    def _body(self, change: Change[Collection], batch: Batch[Collection]) -> Flow[dict[str, Any]]:
        desired, given = change.desired, change.desired.given
        body: dict[str, Any] = {}
        if "title" in given:
            body["name"] = words(desired.title)
        elif change.action == "create":
            body["name"] = words(desired.handle)
        if "handle" in given:
            language = self.site.facts.language if self.site.facts else ""
            body["slug"] = slug_form(desired.handle, language)
        if "description_html" in given:
            body["description"] = slashed(desired.description_html)
        if "position" in given and desired.position is not None:
            body["menu_order"] = desired.position
        if "parent" in given:
            body["parent"] = yield from self._parent(desired.parent, batch)
        display = desired.platform_fields.get(NAMESPACE, {}).get("display")
        if display is not None:
            if display not in _DISPLAYS:
                raise Rejected(f"{display!r} is no display type of a category")
            body["display"] = display
        return body

    def _parent(self, handle: str, batch: Batch[Collection]) -> Flow[int]:
        if not handle:
            return 0
        if (found := batch.ids.get(f"collection handle:{handle}", "")).isdecimal():
            return int(found)
        for row in (yield from self._by_slug(handle)):
            return int(row["id"])
        raise Rejected(
            f"there is no category {handle!r} to put it into",
            fields={"parent": "missing"},
            remedy="Create it first, or name one that exists.",
        )

    def _by_slug(self, handle: str) -> Flow[list[Doc]]:
        params = (("context", "edit"), ("slug", slug_form(handle)))
        rows = yield from rows_of(self.path, params)
        return [row for row in rows if sluglike(row["slug"]) == handle]

    def _look(self, items: Sequence[Item]) -> Flow[dict[str, Doc]]:
        """Return categories with an item's slug and name: nothing else can be said of them."""
        found: dict[str, Doc] = {}
        for item in items:
            slug = sluglike(item.body.get("slug") or slug_form(plain(item.body["name"])))
            rows = yield from self._by_slug(slug)
            if not any(_fits(item, row) for row in rows):
                # A slug that was taken became another one: the name tells it under its parent.
                name = plain(item.body["name"]).replace("\\\\", "\\")
                rows = yield from rows_of(self.path, (("context", "edit"), ("search", name)))
            found.update((item.key, row) for row in rows if _fits(item, row))
        return found


def _picture(image: Doc) -> Media:
    alt = plain(image["alt"])
    return Media(id=str(image["id"]), url=image["src"], alt=alt, media_type="image")


def _fits(item: Item, row: Doc) -> bool:
    """Return whether a category has what an item says, as far as it reads back as it was sent."""
    name = plain(item.body["name"]).replace("\\\\", "\\")
    parent = item.body.get("parent", 0)
    slug = item.body.get("slug")
    return (
        plain(row["name"]) == name
        and row["parent"] == parent
        and (slug is None or sluglike(row["slug"]).startswith(slug))
    )
