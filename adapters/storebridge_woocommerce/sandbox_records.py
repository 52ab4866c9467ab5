"""What the kinds of record share: single calls, batches, pages, trimmed answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from storebridge_woocommerce.sandbox_call import Answer, Call, Given, query_text
from storebridge_woocommerce.sandbox_languages import of_batch
from storebridge_woocommerce.sandbox_schema import defaults
from storebridge_woocommerce.sandbox_state import Doc, Fatal, Refusal, State
from storebridge_woocommerce.sandbox_text import integer

__all__ = ["Endpoint", "Resource", "Routes", "linked", "page", "trimmed"]

Endpoint = Callable[[Call], Answer]
#: Endpoints by route, as the published schema writes it, and verb.
Routes = dict[str, dict[str, Endpoint]]

_NAMESPACE = "/wp-json/wc/v3"
_ALLOWED = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class Resource:
    """One kind of record behind a list, an item and a batch."""

    route: ClassVar[str]
    """The route of the list, as the schema writes it."""
    single_only: ClassVar[bool] = False

    def index(self, call: Call) -> Answer:
        """Return a page of records."""
        raise NotImplementedError

    def show(self, call: Call, number: int) -> Doc:
        """Return one record, in the context that the call asks for."""
        raise NotImplementedError

    def create(self, call: Call, given: Given) -> Doc:
        """Make a record and return it as the answer shows it."""
        raise NotImplementedError

    def update(self, call: Call, number: int | None, given: Given) -> Doc:
        """Set the given fields of a record and return it."""
        raise NotImplementedError

    def delete(self, call: Call, number: int, *, force: bool) -> Doc:
        """Delete a record and return what it was."""
        raise NotImplementedError

    def settle(self, call: Call) -> None:
        """Bring in order what a write may have left, once per call."""

    def failed_delete_id(self, call: Call, number: int) -> Any:
        """Return how an error of a batch names what it couldn't delete."""
        return number

    def routes(self) -> Routes:
        """Return the endpoints of this kind of record."""
        item = {"GET": self._get, "PUT": self._put, "POST": self._put, "DELETE": self._delete}
        found: Routes = {
            self.route: {"GET": self.index, "POST": self._post},
            f"{self.route}/(?P<id>[\\d]+)": {**item, "PATCH": self._put},
        }
        if not self.single_only:
            batch: Endpoint = self._batch
            found[f"{self.route}/batch"] = dict.fromkeys(("POST", "PUT", "PATCH"), batch)
        return found

    def _get(self, call: Call) -> Answer:
        return Answer(self.show(call, integer(call.url["id"])))

    def _post(self, call: Call) -> Answer:
        shown = self.create(call, Given(call.params, None, call.fields))
        self.settle(call)
        return Answer(shown, 201, {"location": self.location(call, shown)})

    def _put(self, call: Call) -> Answer:
        # WooCommerce 11.0.1: an id in the JSON body beats the one in the path.
        number = integer(call["id"])
        shown = self.update(call, number, Given(call.params, None, call.fields))
        self.settle(call)
        return Answer(shown)

    def _delete(self, call: Call) -> Answer:
        force = bool(call["force"])
        shown = self.delete(call, integer(call["id"]), force=force)
        self.settle(call)
        return Answer(shown)

    def location(self, call: Call, shown: Doc) -> str:
        """Return the address of a new record."""
        return f"{call.state.options['url']}{_NAMESPACE}{self.route}/{shown['id']}"

    # ----------------------------------------------------------------------------------- batch

    def _batch(self, call: Call) -> Answer:
        """Carry out creates, updates and deletes one by one; an error stays with its item."""
        wanted = {verb: call[verb] for verb in ("create", "update", "delete") if call[verb]}
        limit = int(call.state.options["batch_limit"])
        if sum(len(items) for items in wanted.values() if isinstance(items, list | dict)) > limit:
            text = f"Unable to accept more than {limit} items for this request."
            raise Refusal("woocommerce_rest_request_entity_too_large", text, 413)
        said: Doc = {}
        try:
            for verb, items in wanted.items():
                rows = items.values() if isinstance(items, dict) else items
                said[verb] = list(self._each(call, verb, rows))
        finally:
            self.settle(call)
        return Answer(said or [])

    def _each(self, call: Call, verb: str, items: Iterable[Any]) -> Iterable[Doc]:
        for item in items:
            number = self._number(verb, item)
            if verb == "delete" and not number:
                # WooCommerce 11.0.1: ids that are 0 or no number are dropped from the list.
                continue
            try:
                yield self._one(call, verb, item, number)
            except Refusal as refusal:
                shown = item.get("id") if verb == "update" else number
                if verb == "delete":
                    shown = self.failed_delete_id(call, number)
                yield {"id": 0 if verb == "create" else shown, "error": refusal.doc}

    def _number(self, verb: str, item: Any) -> int:
        if verb == "delete":
            return integer(item)
        if not isinstance(item, dict):
            # WooCommerce 11.0.1: an item that is no object is fatal for the whole batch.
            raise Fatal("Cannot access offset of type string on string")
        return integer(item.get("id"))

    def _one(self, call: Call, verb: str, item: Any, number: int) -> Doc:
        # WooCommerce 11.0.1: batch items skip schema validation and casts; only creates see the
        # query (so only they are trimmed by _fields), deletes are always forced.
        if verb == "create":
            item = of_batch(call.state, item, call.query)
            return self.create(call, Given(item, defaults(self.route), call.fields))
        if verb == "update":
            return self.update(call, number, Given(item))
        return self.delete(call, number, force=True)


def linked(state: State, shown: Doc, path: str, **more: Any) -> Doc:
    """Return a shown record with its `_links`; `path` is the list's under wc/v3."""
    base = f"{state.options['url']}{_NAMESPACE}{path}"
    number = shown.get("id", more.pop("number", None))
    own: Doc = {"href": f"{base}/{number}"}
    allowed = more.pop("allow", _ALLOWED)
    if allowed:
        own["targetHints"] = {"allow": allowed}
    shown["_links"] = {"self": [own], "collection": [{"href": base}], **more}
    return shown


def page(call: Call, shown: list[Any], total: int) -> Answer:
    """Return a page of a list with its headers.

    WooCommerce 11.0.1: the pages in `Link` repeat the call's whole query, so keys given in the
    query and old signatures stand in it; without other pages the header leads elsewhere.
    """
    pages = -(-total // call.size)
    number = int(call["page"] or 1)
    links = []
    if number > 1:
        links.append(_to_page(call, min(number - 1, max(pages, 1)), "prev"))
    if number < pages:
        links.append(_to_page(call, number + 1, "next"))
    headers = {"x-wp-total": str(total), "x-wp-totalpages": str(pages)}
    if links:
        headers["link"] = ", ".join(links)
    return Answer(shown, headers=headers)


def _to_page(call: Call, number: int, rel: str) -> str:
    query = {name: call.params.get(name, value) for name, value in call.query.items()}
    text = query_text({**query, "page": number})
    path = call.request.path.rstrip("/")
    return f'<{call.state.options["url"]}{path}?{text}>; rel="{rel}"'


def trimmed(body: Any, fields: tuple[str, ...] | None, *, links: bool = True) -> Any:
    """Return an answer with the fields of `_fields` only.

    WordPress 6.9: a dotted name reaches into objects, not into lists; an object left without
    fields is `[]`; the links of a single record of wc/v3 stay.
    """
    if fields is None:
        return body
    tree: Doc = {}
    for name in fields:
        place = tree
        *path, last = name.split(".")
        for part in path:
            inner = place.setdefault(part, {})
            if inner is True:
                break
            place = inner
        else:
            place[last] = True
    if isinstance(body, list):
        return [_pick(one, tree) for one in body]
    picked = _pick(body, tree)
    if links and isinstance(body, dict) and "_links" in body:
        return {**(picked or {}), "_links": body["_links"]}
    return picked


def _pick(value: Any, tree: Doc) -> Any:
    if not isinstance(value, dict):
        return []
    found = {
        name: value[name] if inner is True else _pick(value[name], inner)
        for name, inner in tree.items()
        if name in value
    }
    return found or []
