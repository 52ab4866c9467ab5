"""The conformance kit has teeth: each defect put into the template adapter is caught."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from storebridge_template import TemplateAdapter, TemplateSettings
from storebridge_template.sandbox import Sandbox, create

from storebridge.adapter import Batch, Credentials, Field, Page, Query
from storebridge.errors import (
    BadAnswer,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    StorebridgeError,
)
from storebridge.flow import Flow, Outcome, Request, RequestKind, Response, Status, report, send
from storebridge.models import Money, Product
from storebridge.testing import AdapterConformance, Canaries, Fault
from storebridge.wire import dumps, json_of

Defect = Callable[[pytest.MonkeyPatch, TemplateAdapter], None]


class Case(AdapterConformance):
    __test__ = False

    def __init__(self, defect: Defect, patch: pytest.MonkeyPatch) -> None:
        self.defect, self.patch = defect, patch

    def adapter(self, folder: Path, canaries: Canaries) -> TemplateAdapter:
        token = SecretStr(canaries.secret("token"))
        adapter = TemplateAdapter(
            TemplateSettings(url="http://127.0.0.1:1", token=token, page_size=2)
        )
        self.defect(self.patch, adapter)
        return adapter

    def handler(self, folder: Path) -> Sandbox:
        return create(folder / "template.db")


def run(case: Case, folder: Path, test: str, **given: Any) -> None:
    canaries = Canaries()
    method = getattr(case, test)
    with canaries.watching_log(), case.open_rigs(folder, canaries) as rigs:
        wanted = inspect.signature(method).parameters
        known = {"rigs": rigs, "canaries": canaries, **given}
        if "rig" in wanted:
            known["rig"] = rigs("store")
        method(**{name: known[name] for name in wanted})


# ------------------------------------------------------------------------------------ the defects


def no_defect(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    pass


def blind_retry(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    def create_again(self: Any, change: Any, *, sent: bool) -> Flow[Any]:
        request = Request(
            method="POST",
            path=self.path,
            kind=RequestKind.CREATE,
            body=dumps(self.payload(change.desired)),
            covers=(change.id,),
        )
        try:
            return json_of((yield from send(request)))
        except OutcomeUnknown:
            return json_of((yield from send(request)))

    patch.setattr(type(products(adapter)), "_create", create_again)


def create_called_set(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    prepare_requests(patch, lambda r: replace(r, kind=RequestKind.SET) if r.method == "POST" else r)


def forgets_what_is_uncertain(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    records = products(adapter)
    write = records.write
    records.write = lambda batch: write(replace(batch, uncertain=frozenset()))


def adopts_by_key_alone(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    patch.setattr("storebridge_template.records._holds", lambda desired, live: True)


def unknown_called_failed(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    def outcome(self: Any, change: Any, *, sent: bool) -> Flow[Any]:
        try:
            request = Request(
                method="POST",
                path=self.path,
                kind=RequestKind.CREATE,
                body=dumps(self.payload(change.desired)),
                covers=(change.id,),
            )
            return json_of((yield from send(request)))
        except OutcomeUnknown as error:
            raise Rejected(str(error)) from None

    patch.setattr(type(products(adapter)), "_create", outcome)


def failed_looks_called_absence(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    records = products(adapter)

    def made(change: Any) -> Flow[Any]:
        try:
            docs = yield from records._look_up([change.key])
        except StorebridgeError:
            docs = []
        return docs[0] if docs else None

    records._made = made


def mixes_up_outcomes(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    records = products(adapter)

    def write(batch: Batch[Product]) -> Flow[None]:
        outcomes = []
        for change in batch.changes:
            outcomes.append((yield from records._outcome(change, batch)))
        turned = zip(batch.changes, reversed(outcomes), strict=True)
        yield from report([replace(outcome, change=change.id) for change, outcome in turned])

    records.write = write


def cursor_repeats(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    change_pages(adapter, lambda page: replace(page, cursor="1") if page.cursor else page)


def drops_the_last_of_a_page(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    change_pages(
        adapter, lambda page: replace(page, records=page.records[:1]) if page.cursor else page
    )


def lies_about_the_total(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    change_pages(adapter, lambda page: replace(page, total=len(page.records)))


def pages_by_offset(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    records = products(adapter)
    page = records.page

    def page_by_offset(query: Query, cursor: str) -> Flow[Page[Product]]:
        found: list[Product] = []
        part = yield from page(query, "")
        found += part.records
        while part.cursor:
            part = yield from page(query, part.cursor)
            found += part.records
        start = int(cursor or 0)
        more = str(start + 2) if start + 2 < len(found) else ""
        return Page(tuple(found[start : start + 2]), more, len(found))

    records.page = page_by_offset


def ignores_the_query(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    records = products(adapter)
    page = records.page
    records.page = lambda query, cursor: page(Query(ids=query.ids, raw=query.raw), cursor)


def forgets_raw(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    records = products(adapter)
    page = records.page
    records.page = lambda query, cursor: page(replace(query, raw=False), cursor)


def drops_a_field(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    change_payload(adapter, lambda doc: {k: v for k, v in doc.items() if k != "vendor"})


def cuts_long_titles(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    change_payload(
        adapter, lambda doc: {**doc, "title": doc["title"][:200]} if "title" in doc else doc
    )


def writes_other_fields(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    change_payload(adapter, lambda doc: {"vendor": "", "tags": [], **doc})


def escapes_text(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    change_payload(
        adapter,
        lambda doc: {**doc, "title": doc["title"].replace("&", "&amp;")} if "title" in doc else doc,
    )


def declares_too_much(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    records = products(adapter)
    records.fields = {**records.fields, "brand": Field()}


def declares_what_no_model_has(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    records = products(adapter)
    records.fields = {**records.fields, "seo.keywords": Field()}


def reads_undeclared(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    change_read(adapter, lambda product: product.but(brand="?"))


def loses_digits(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    def rounded(money: Money | None) -> str | None:
        return None if money is None else f"{money.amount:.2f}"

    patch.setattr("storebridge_template.products._amount", rounded)


def money_as_float(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    def floated(money: Money | None) -> str | None:
        return None if money is None else f"{float(money.amount):g}"

    patch.setattr("storebridge_template.products._amount", floated)


def finds_by_a_piece(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    records = products(adapter)
    fetch = records.fetch

    def fetch_pieces(keys: Sequence[str], fields: frozenset[str] | None) -> Flow[Any]:
        split = (f"{k.partition(':')[0]}:{v}" for k in keys for v in k.partition(":")[2].split(","))
        return fetch(list(split), fields)

    records.fetch = fetch_pieces


def missing_is_an_error(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    records = products(adapter)
    fetch = records.fetch

    def strict(keys: Sequence[str], fields: frozenset[str] | None) -> Flow[Any]:
        found = yield from fetch(keys, fields)
        if len(found) < len(set(keys)):
            raise NotFound("not all were found", status=404)
        return found

    records.fetch = strict


def comes_twice(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    records = products(adapter)
    fetch = records.fetch

    def each_key(keys: Sequence[str], fields: frozenset[str] | None) -> Flow[Any]:
        found: tuple[Any, ...] = ()
        for key in keys:
            found += yield from fetch([key], fields)
        return found

    records.fetch = each_key


def takes_others_out(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    from storebridge_template import products

    translations = products._translations

    def all_of_them(change: Any) -> Iterator[Mapping[str, Any]]:
        yield from translations(change)
        for field in ("title", "description_html") if change.removed else ():
            yield {"locale": "de", "field": field, "value": None}

    patch.setattr(products, "_translations", all_of_them)


def normalise_lies(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    patch.setattr(adapter, "normalise", lambda record: record)


def swallows_failures(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    def applied(cls: Any, change: str, error: StorebridgeError, remedy: str = "") -> Outcome:
        return Outcome(change=change, status=Status.APPLIED)

    patch.setattr(Outcome, "failure", classmethod(applied))


def one_failure_ends_all(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    records = products(adapter)

    def write(batch: Batch[Product]) -> Flow[None]:
        for change in batch.changes:
            if change.action == "create":
                doc = yield from records._create(change, sent=False)
            else:
                doc = yield from records.update(change, batch)
            yield from report([Outcome(change=change.id, status=Status.APPLIED, id=str(doc["id"]))])

    records.write = write


def names_no_changes(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    prepare_requests(patch, lambda request: replace(request, covers=()))


def writes_called_reads(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    prepare_requests(patch, lambda request: replace(request, kind=RequestKind.READ, covers=()))


def throttling_called_refusal(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    change_errors(
        patch,
        adapter,
        lambda error, _: Rejected("no", status=429) if isinstance(error, RateLimited) else error,
    )


def waits_in_milliseconds(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    def shortened(error: Any, response: Response) -> Any:
        if isinstance(error, RateLimited) and error.retry_after:
            error.retry_after /= 1000
        return error

    change_errors(patch, adapter, shortened)


def html_is_fine(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    change_errors(patch, adapter, lambda e, _: None if isinstance(e, BadAnswer) else e)
    page = products(adapter).page

    def page_or_nothing(query: Query, cursor: str) -> Flow[Page[Product]]:
        try:
            return (yield from page(query, cursor))
        except BadAnswer:
            return Page(())

    products(adapter).page = page_or_nothing


def stumbles_over_bodies(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    def strict(error: Any, response: Response) -> Any:
        if response.status >= 400:
            json_of(response)["error"]["message"]
        return error

    change_errors(patch, adapter, strict)


def drops_the_request_id(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    def without(error: Any, response: Response) -> Any:
        if error is not None:
            error.request_id = ""
        return error

    change_errors(patch, adapter, without)


def goes_on_when_refused(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    patch.setattr("storebridge_template.records.AuthError", KeyboardInterrupt)


def token_in_repr(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    shown = f"<Template {adapter.settings.token.get_secret_value()}>"
    patch.setattr(TemplateAdapter, "__repr__", lambda self: shown)


def token_in_log(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    def logged(request: Request) -> Request:
        logging.getLogger("acme").debug("sent %s", request.headers)
        return request

    change_prepared(patch, adapter, logged)


def token_in_query(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    token = adapter.settings.token.get_secret_value()
    change_prepared(patch, adapter, lambda r: replace(r, params=(*r.params, ("token", token))))


def prepare_remembers(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    change_prepared(patch, adapter, lambda r: replace(r, headers={**r.headers, "x-n": str(id(r))}))


def info_changes(patch: pytest.MonkeyPatch, adapter: TemplateAdapter) -> None:
    info = adapter.info

    def another() -> Flow[Any]:
        found = yield from info()
        return found.but(id=f"{found.id}-{id(adapter)}")

    adapter.info = another


def products(adapter: TemplateAdapter) -> Any:
    return adapter.records("product")


def change_pages(
    adapter: TemplateAdapter, change: Callable[[Page[Product]], Page[Product]]
) -> None:
    records = products(adapter)
    page = records.page

    def changed(query: Query, cursor: str) -> Flow[Page[Product]]:
        return change((yield from page(query, cursor)))

    records.page = changed


def change_payload(adapter: TemplateAdapter, change: Callable[[Any], Any]) -> None:
    records = products(adapter)
    payload = records.payload
    records.payload = lambda desired: change(payload(desired))


def change_read(adapter: TemplateAdapter, change: Callable[[Product], Product]) -> None:
    records = products(adapter)
    read = records.read
    records.read = lambda doc: change(read(doc))


def prepare_requests(patch: pytest.MonkeyPatch, change: Callable[[Request], Request]) -> None:
    from storebridge_template import records

    request = records.request
    for module in ("records", "products"):
        patch.setattr(
            f"storebridge_template.{module}.request", lambda *args: change(request(*args))
        )


def change_prepared(
    patch: pytest.MonkeyPatch, adapter: TemplateAdapter, change: Callable[[Request], Request]
) -> None:
    prepare = adapter.prepare

    def changed(request: Request, credentials: Credentials, nonce: str, now: float) -> Request:
        return change(prepare(request, credentials, nonce, now))

    patch.setattr(adapter, "prepare", changed)


def change_errors(
    patch: pytest.MonkeyPatch, adapter: TemplateAdapter, change: Callable[[Any, Response], Any]
) -> None:
    error = adapter.error
    patch.setattr(adapter, "error", lambda response: change(error(response), response))


#: What a test of the kit fails with; none of them is pytest's own "skipped".
CAUGHT_AS = (AssertionError, StorebridgeError, LookupError, pytest.fail.Exception)
PRODUCT = {"kind": "product"}
LOST = {"kind": "product", "fault": Fault.LOST}

CAUGHT: tuple[tuple[Defect, str, dict[str, Any]], ...] = (
    (blind_retry, "test_create_survives", LOST),
    (create_called_set, "test_create_survives", LOST),
    (unknown_called_failed, "test_create_survives", LOST),
    (
        failed_looks_called_absence,
        "test_looking_for_a_lost_create_survives",
        {"kind": "product", "fault": Fault.CUT},
    ),
    (forgets_what_is_uncertain, "test_killed_anywhere_a_batch_resumes", PRODUCT),
    (adopts_by_key_alone, "test_what_only_looks_alike_is_not_adopted", PRODUCT),
    (mixes_up_outcomes, "test_outcomes_belong_to_their_changes", PRODUCT),
    (cursor_repeats, "test_every_record_comes_once", PRODUCT),
    (drops_the_last_of_a_page, "test_every_record_comes_once", PRODUCT),
    (lies_about_the_total, "test_every_record_comes_once", PRODUCT),
    (pages_by_offset, "test_changes_between_pages_lose_nothing", PRODUCT),
    (ignores_the_query, "test_queries_choose", PRODUCT),
    (forgets_raw, "test_queries_choose", PRODUCT),
    (drops_a_field, "test_created_record_reads_back", PRODUCT),
    (cuts_long_titles, "test_longest_values_fit", PRODUCT),
    (writes_other_fields, "test_update_writes_only_what_is_given", PRODUCT),
    (escapes_text, "test_text_is_kept", PRODUCT),
    (declares_too_much, "test_created_record_reads_back", PRODUCT),
    (declares_what_no_model_has, "test_declared_fields_exist", PRODUCT),
    (reads_undeclared, "test_reads_declared_fields_only", PRODUCT),
    (loses_digits, "test_money_keeps_its_digits", {}),
    (money_as_float, "test_money_keeps_its_digits", {}),
    (finds_by_a_piece, "test_finds_odd_skus", {}),
    (missing_is_an_error, "test_finds_by_each_key", PRODUCT),
    (comes_twice, "test_finds_by_each_key", PRODUCT),
    (takes_others_out, "test_lists_that_merge_keep_other_elements", PRODUCT),
    (normalise_lies, "test_normalise_tells_the_platforms_form", PRODUCT),
    (swallows_failures, "test_one_bad_change_leaves_the_others", PRODUCT),
    (one_failure_ends_all, "test_one_bad_change_leaves_the_others", PRODUCT),
    (names_no_changes, "test_requests_name_their_changes", PRODUCT),
    (writes_called_reads, "test_requests_name_their_changes", PRODUCT),
    (throttling_called_refusal, "test_status_means_an_error", {"status": 429}),
    (waits_in_milliseconds, "test_throttling_tells_how_long", {}),
    (waits_in_milliseconds, "test_throttled_requests_wait_and_succeed", {"shape": 1}),
    (html_is_fine, "test_no_answer_is_an_error", {"body": b"<!DOCTYPE html>"}),
    (stumbles_over_bodies, "test_status_means_an_error", {"status": 500}),
    (drops_the_request_id, "test_error_keeps_the_request_id", {}),
    (goes_on_when_refused, "test_refused_credentials_end_a_batch", {}),
    (token_in_repr, "test_secrets_are_shown_nowhere", {}),
    (token_in_log, "test_info_is_stable", {}),
    (token_in_query, "test_info_is_stable", {}),
    (prepare_remembers, "test_prepare_is_pure", {}),
    (info_changes, "test_info_is_stable", {}),
)


@pytest.mark.parametrize(
    ("defect", "test", "given"), CAUGHT, ids=[f"{d.__name__}-{t}" for d, t, _ in CAUGHT]
)
def test_kit_catches(
    defect: Defect,
    test: str,
    given: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(Case(no_defect, monkeypatch), tmp_path / "sound", test, **given)
    with pytest.raises(CAUGHT_AS) as caught:
        run(Case(defect, monkeypatch), tmp_path / "broken", test, **given)
    print(defect.__name__, repr(caught.value)[:230])


def test_a_kit_test_can_not_be_overridden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Overridden(Case):
        def test_delete(self, rig: Any, kind: str) -> None:
            """Nothing."""

    class Unknown(Case):
        known_gaps: Mapping[str, str] = {"test_no_such_thing": "why"}

    class Unexplained(Case):
        known_gaps: Mapping[str, str] = {"test_delete[product]": " "}

    class Explained(Case):
        known_gaps: Mapping[str, str] = {"test_delete[product]": "Template can't"}

    for case in (Overridden, Unknown, Unexplained):
        with pytest.raises(AssertionError):
            case(no_defect, monkeypatch).test_no_kit_test_is_changed()
    Explained(no_defect, monkeypatch).test_no_kit_test_is_changed()
