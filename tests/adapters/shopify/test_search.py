"""Searches: known filters, quoted values, warnings that are errors."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from storebridge.errors import (
    AccessDenied,
    ApiError,
    BadAnswer,
    Conflict,
    NotFound,
    RateLimited,
    Rejected,
    Unavailable,
)
from storebridge.flow import Flow, Response, Send
from storebridge.testing.sandbox import answer
from storebridge_shopify.graphql import call, drained, following, refusal, user_error
from storebridge_shopify.lookup import (
    by_email,
    by_handle,
    by_phone,
    by_sku,
    handle_form,
    ids_of,
    variants_of,
)
from storebridge_shopify.search import any_of, both, since, term


def served(flow: Flow[Any], *answers: dict[str, Any]) -> Any:
    """Return what a flow returns that gets these answers, and the requests it sent."""
    sent, found = [], list(answers)
    response: Response | None = None
    try:
        while True:
            instruction = flow.send(response)
            assert isinstance(instruction, Send)
            sent.append(instruction.request)
            response = answer(200, found.pop(0))
    except StopIteration as done:
        return done.value, sent


def test_values_are_quoted_whole() -> None:
    assert term("sku", "A,B: (x) 'y' \\") == "sku:'A,B: (x) \\'y\\' \\\\'"


def test_an_unknown_filter_is_never_sent() -> None:
    with pytest.raises(ValueError, match="no known filter"):
        term("skew", "x")


def test_conditions_are_in_parentheses() -> None:
    either = any_of([term("sku", "a"), term("sku", "b")])
    assert both(either, "", term("status", "draft")) == (
        "((sku:'a' OR sku:'b')) AND (status:'draft')"
    )
    assert both("") is None


def test_changes_are_asked_for_with_an_overlap() -> None:
    time = datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC)
    assert since(time) == "updated_at:>='2026-01-02T03:02:05Z'"
    assert since(time.astimezone(timezone(timedelta(hours=9)))) == since(time)


def test_a_search_that_was_ignored_in_part_is_an_error() -> None:
    warning = {"message": "Invalid search field for this query.", "code": "invalid_field"}
    ignored = {
        "data": {"productVariants": {"nodes": []}},
        "extensions": {"search": [{"warnings": [warning]}]},
    }
    variables = {"first": 1, "query": "sku:'a'"}
    with pytest.raises(BadAnswer, match="ignored a part"):
        served(call("variants_by_sku", variables), ignored)
    _, (request,) = served(call("variants_by_sku", variables), {"data": ignored["data"]})
    assert request.headers["shopify-search-query-debug"] == "1"


def page(*rows: tuple[str, str], more: bool = False) -> dict[str, Any]:
    nodes = [{"id": "v", "sku": sku, "product": {"id": product}} for sku, product in rows]
    info = {"hasNextPage": more, "endCursor": "c"}
    return {"data": {"productVariants": {"nodes": nodes, "pageInfo": info}}}


def test_what_a_search_brings_besides_is_left_out() -> None:
    found, _ = served(by_sku(["A"]), page(("A", "p1"), ("A-2", "p2"), ("a", "p3")))
    assert found == ["p1"]


def test_a_sku_leads_to_no_variant_where_several_have_it() -> None:
    found, _ = served(variants_of(["A", "B"]), page(("A", "p1"), ("A", "p2"), ("B", "p3")))
    assert list(found) == ["B"]


def test_skus_are_searched_for_50_at_once_to_the_last_page() -> None:
    skus = [f"S{number}" for number in range(51)]
    pages = page(("S0", "p0"), more=True), page(("S49", "p49")), page(("S50", "p50"))
    found, requests = served(by_sku(skus), *pages)
    assert found == ["p0", "p49", "p50"]
    queries = [json.loads(each.body)["variables"]["query"] for each in requests]
    assert queries[0] == queries[1]
    assert ["'S49'" in each for each in queries] == [True, True, False]
    assert queries[2] == "(sku:'S50')"


def test_a_list_that_leads_back_to_a_page_ends() -> None:
    again = {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": "c"}}
    answers = [{"data": {"urlRedirects": again}}] * 3
    with pytest.raises(BadAnswer, match="same cursor twice"):
        served(drained("redirects", "urlRedirects", {"query": None}), *answers)


def test_a_search_that_brings_everything_ends() -> None:
    with pytest.raises(BadAnswer, match="none of them"):
        served(by_sku(["A"]), page(("B", "p1"), more=True))


def test_handles_are_looked_up_exactly_and_many_at_once() -> None:
    handles = [f"Tee {number}" for number in range(26)]
    first = {f"p{n}": {"id": f"id{n}", "handle": f"tee-{n}"} for n in range(25)}
    found, requests = served(
        by_handle("products_by_handle", handles), {"data": first}, {"data": {"p0": None}}
    )
    assert found == {f"tee-{n}": f"id{n}" for n in range(25)}
    assert [request.cost for request in requests] == [25, 1]


def test_a_record_that_has_another_key_is_not_found_by_one() -> None:
    other = {"p0": {"id": "1", "handle": "tee-1"}}
    assert served(by_handle("products_by_handle", ["tee"]), {"data": other})[0] == {}
    person: dict[str, Any] = {"id": "1", "defaultEmailAddress": {"emailAddress": "b@example.com"}}
    assert served(by_email(["a@example.com"]), {"data": {"p0": person}})[0] == {}
    person = {"id": "1", "defaultPhoneNumber": {"phoneNumber": "+49301234568"}}
    assert served(by_phone(["+49301234567"]), {"data": {"p0": person}})[0] == {}


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (Conflict, ("TAKEN", "HANDLE_NOT_UNIQUE", "DUPLICATED_HANDLE", "ALREADY_EXISTS")),
        (NotFound, ("NOT_FOUND", "PRODUCT_DOES_NOT_EXIST", "RESOURCE_NOT_FOUND")),
        (Rejected, ("INVALID", "BLANK", "ANOTHER")),
    ],
)
def test_a_code_of_a_user_error_says_what_it_is(kind: type[ApiError], codes: Any) -> None:
    for code in codes:
        assert type(user_error([{"message": "No", "code": code}])) is kind, code


def test_a_key_that_another_record_has_is_a_conflict_though_its_code_says_nothing() -> None:
    taken = {"field": ["input", "email"], "message": "Email has already been taken"}
    for code in ("INVALID", None):
        assert type(user_error([{**taken, "code": code}])) is Conflict
        assert type(user_error([{**taken, "message": "Odd", "code": code}])) is Rejected


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (RateLimited, ("THROTTLED", "429")),
        (Unavailable, ("INTERNAL_SERVER_ERROR", "TIMEOUT")),
        (AccessDenied, ("ACCESS_DENIED",)),
        (NotFound, ("RESOURCE_NOT_FOUND", "NOT_FOUND")),
        (Rejected, ("INVALID", "ANOTHER")),
        (BadAnswer, ("",)),
    ],
)
def test_a_code_of_a_whole_answer_says_what_it_is(kind: type[ApiError], codes: Any) -> None:
    for code in codes:
        errors = [{"message": "No", "extensions": {"code": code}}]
        assert type(refusal({"errors": errors})) is kind, code
        spared = [{"message": "Odd", "extensions": {"code": "INVALID"}}, *errors]
        grave = kind in (RateLimited, Unavailable)
        assert (type(refusal({"errors": spared})) is Rejected) is not grave, code


@pytest.mark.parametrize("info", [(None, "c"), (None, None), (True, None), (True, ""), ("x", "c")])
def test_a_page_that_doesnt_say_whether_more_comes_is_an_error(info: tuple[Any, Any]) -> None:
    with pytest.raises(TypeError):
        following(dict(zip(("hasNextPage", "endCursor"), info, strict=True)))


@pytest.mark.parametrize(
    ("given", "kept"),
    [("  Große Tasse! ", "große-tasse"), ("a_b--c", "a-b-c"), ("漢字", "漢字"), ("-", "")],
)
def test_handles_have_the_platforms_form(given: str, kept: str) -> None:
    assert handle_form(given) == kept
    assert handle_form(kept) == kept


def test_only_ids_of_the_type_are_asked_for() -> None:
    keys = ["id:gid://shopify/Product/1", "id:7", "id:gid://shopify/Collection/1", "handle:x"]
    assert ids_of(keys, "Product") == ["gid://shopify/Product/1"]
