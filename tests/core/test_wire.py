"""Strict JSON, headers, signatures, redaction and paging guards."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from decimal import Decimal
from types import MappingProxyType

import pytest

from storebridge import errors, wire
from storebridge.flow import Request, RequestKind, Response

GOOD = [
    (b'{"a": [1, 2.50, "x", null, true]}', {"a": [1, Decimal("2.50"), "x", None, True]}),
    (b"\xef\xbb\xbf[]", []),
    (b"\xef\xbb\xbf\xef\xbb\xbf\xef\xbb\xbf{}", {}),
    (b"  7 ", 7),
    (b'"\\ud83d\\ude00"', "\U0001f600"),
    (b'"[[[[{{{{"', "[[[[{{{{"),
    (b'"' + b"9" * 5000 + b'"', "9" * 5000),
    (b"[" * 64 + b"]" * 64, None),
    (b'["' + b'[\\"' * 200 + b'"]', ['["' * 200]),
]
BAD = [
    b"",
    b"   ",
    b"NaN",
    b'{"price": NaN}',
    b"[Infinity]",
    b"[-Infinity]",
    b'{"a": 1, "a": 2}',
    b'[{"x": {"a": 1, "a": 1}}]',
    b"[" * 65 + b"]" * 65,
    b'{"a":' * 65 + b"1" + b"}" * 65,
    b"[" * 200_000,
    b"[" * 200_000 + b"]" * 200_000,
    b'"\\ud800"',
    b'{"\\udfff": 1}',
    b'["\\uD83D"]',
    b'"\xff"',
    b'"\xc3"',
    b'"\xed\xa0\x80"',
    b'"\xc0\x80"',
    b"9" * 101,
    b"-" + b"9" * 5000,
    b"1e999999999",
    b"0." + b"1" * 200,
    b"[1,]",
    b"{'a': 1}",
    b'{"a": 1} x',
    b"<br />Notice: x[]",
    b'<!DOCTYPE html><p>{"a": 1}</p>',
    b'{"a": 1',
    b'{"a": "x',
    b"\xef\xbb\xbf" * 4 + b"{}",
    b'"a\nb"',
    b"+1",
    b".5",
    b"01",
    b"undefined",
    b"\x00",
    "{}".encode("utf-16"),
]


@pytest.mark.parametrize(("data", "value"), GOOD)
def test_json_that_is_strict_is_read_exactly(data, value):
    found = wire.loads(data)
    assert value is None or found == value
    if isinstance(found, dict) and "a" in found:
        assert type(found["a"][1]) is Decimal


@pytest.mark.parametrize("data", BAD)
def test_json_that_is_not_strict_is_one_error(data):
    with pytest.raises(errors.BadAnswer):
        wire.loads(data)


def test_the_error_of_an_answer_has_its_status_request_and_beginning():
    response = Response(status=502, body=b"<h1>\x1b[31mBad\x00 gateway</h1>" * 50, request_id="r-1")
    with pytest.raises(errors.BadAnswer) as caught:
        wire.json_of(response)
    assert (caught.value.status, caught.value.request_id) == (502, "r-1")
    assert "<h1> [31mBad gateway</h1>" in str(caught.value)
    assert len(str(caught.value)) < 400


def test_json_is_written_with_every_digit_and_never_from_a_float():
    value = {"p": Decimal("19.90"), "n": [1, None, True, "Ü\ue000\u2028"], "e": Decimal("1E+3")}
    data = wire.dumps(value)
    assert b'"p":19.90' in data
    assert b'"e":1000' in data
    assert json.loads(data, parse_float=Decimal) == value
    for wrong in (1.5, {"a": float("nan")}, {1: 2}, object(), {"x": {1, 2}}):
        with pytest.raises(TypeError):
            wire.dumps(wrong)
    with pytest.raises(ValueError, match="surrogates"):
        wire.dumps("\ud800")
    with pytest.raises(ValueError, match="no amount"):
        wire.dumps(Decimal("NaN"))


@pytest.mark.parametrize("before", range(20))
def test_a_number_of_too_many_digits_is_refused_wherever_it_stands(before: int) -> None:
    start = b" " * before + b'{"a": '
    with pytest.raises(errors.BadAnswer, match="too long"):
        wire.loads(start + b"1" * 101 + b"}")
    assert wire.loads(start + b"1" * 100 + b"}") == {"a": int("1" * 100)}


def test_any_mapping_is_an_object() -> None:
    assert wire.dumps(MappingProxyType({"a": MappingProxyType({})})) == b'{"a":{}}'


@pytest.mark.parametrize(
    ("number", "text"),
    [("19.99", "19.99"), ("1E+2", "100"), ("1E-7", "0.0000001"), ("-0.5", "-0.5"), ("0", "0")],
)
def test_amounts_have_one_plain_form(number, text):
    assert wire.amount(Decimal(number)) == text


NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT
RETRY_AFTER = [
    ("2", 2.0),
    ("2.0", 2.0),
    ("0.5", 0.5),
    (" 7 ", 7.0),
    ("0", 0.0),
    ("-1", 0.0),
    ("-3.5", 0.0),
    ("999999999999", 86_400.0),
    ("86401", 86_400.0),
    ("1e3", None),
    ("nan", None),
    ("inf", None),
    ("", None),
    ("soon", None),
    ("2,5", None),
    ("٣", None),
    ("1" * 400, None),
    ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
    ("Tuesday, 14-Nov-23 22:13:30 GMT", 10.0),
    ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
    ("Tue, 14 Nov 2033 22:13:00 GMT", 86_400.0),
    ("Tue, 14 Nov 2023 23:14:20 +0100", 60.0),
    ("Tue, 99 Nov 2023 22:13:50 GMT", None),
]


@pytest.mark.parametrize(("text", "seconds"), RETRY_AFTER)
def test_retry_after_in_every_form_that_stores_send(text, seconds):
    assert wire.retry_after({"retry-after": text}, NOW) == seconds


def test_no_retry_after_is_none():
    assert wire.retry_after({}, NOW) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.Rejected),
        (401, errors.AuthError),
        (403, errors.AccessDenied),
        (404, errors.NotFound),
        (408, errors.Unavailable),
        (409, errors.Conflict),
        (410, errors.NotFound),
        (413, errors.Rejected),
        (422, errors.Rejected),
        (429, errors.RateLimited),
        (500, errors.Unavailable),
        (503, errors.Unavailable),
        (520, errors.Unavailable),
        (525, errors.TransportError),
        (526, errors.TransportError),
        (529, errors.RateLimited),
        (100, errors.BadAnswer),
    ],
)
def test_every_status_has_an_error(status, kind):
    assert type(wire.status_error(Response(status=status))) is kind


@pytest.mark.parametrize(
    ("location", "remedy"),
    [
        (
            "https://www.shop.example/wp-json/x/products",
            "Set the store's URL to https://www.shop.example/wp-json/x",
        ),
        (
            "https://shop.example:8443/en/products?key=secret",
            "Set the store's URL to https://shop.example:8443/en",
        ),
        (
            "https://u:pw@shop.example/login",
            "Set the store's URL to https://shop.example/wp-json/x",
        ),
        ("/products/", "Check the store's URL."),
        ("", "Check the store's URL."),
        ("https://shop.example:99999/products", "Check the store's URL."),
        ("https://[broken/products", "Check the store's URL."),
    ],
)
def test_a_redirect_tells_the_right_url_and_no_secret(location, remedy):
    response = Response(status=301, headers={"location": location})
    assert wire.moved_to(response, "https://shop.example/wp-json/x", "/products") == remedy


# RFC 5849, section 3.4.1.1 (the base string) with the keys of section 1.2.
def test_oauth_signs_as_the_rfc_shows():
    signed = wire.oauth1(
        "post",
        "http://EXAMPLE.COM:80/request",
        [("b5", "=%3D"), ("a3", "a"), ("c@", ""), ("a2", "r b"), ("c2", ""), ("a3", "2 q")],
        key="9djdj82h48djs9d2",
        secret="j49sk3j29djd",
        token="kkk9d7dh3k39sjv7",
        token_secret="dh893hdasih9",
        nonce="7d8f3e4a",
        now=137131201.9,
        digest="sha1",
    )
    base = (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D"
        "%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e"
        "4a%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9"
        "d7dh3k39sjv7%26oauth_version%3D1.0"
    )
    mac = hmac.new(b"j49sk3j29djd&dh893hdasih9", base.encode(), hashlib.sha1).digest()
    assert signed["oauth_signature"] == base64.b64encode(mac).decode()
    header = wire.oauth1_header(signed)
    assert header.startswith('OAuth oauth_consumer_key="9djdj82h48djs9d2", oauth_nonce="7d8f3e4a"')
    assert "%3D" in header


@pytest.mark.parametrize("char", [chr(code) for code in range(32, 127)] + ["ü", "紺", "😀"])
def test_percent_encoding_leaves_only_unreserved_characters(char):
    plain = char.isascii() and (char.isalnum() or char in "-._~")
    assert wire.percent(char) == (char if plain else "".join(f"%{b:02X}" for b in char.encode()))


def test_signatures_of_bodies():
    body = '{"id": 1, "title": "Hü"}'.encode()
    mac = hmac.digest(b"new", body, "sha256")
    encoded = base64.b64encode(mac).decode()
    assert wire.hmac_matches(body, encoded, ["old", "new"])
    assert wire.hmac_matches(body, mac.hex(), ["new"], encoding="hex")
    wrong = [(body + b" ", encoded, ["new"]), (body, encoded, ["old"]), (body, encoded, [])]
    wrong += [(body, "", ["new"]), (body, "ü", ["new"]), (body, mac.hex(), ["new"])]
    wrong += [(body, base64.b64encode(hmac.digest(b"", body, "sha256")).decode(), [""])]
    assert not any(wire.hmac_matches(*case) for case in wrong)


def test_one_secret_is_no_list_of_letters():
    signed = {letter: hmac.digest(letter.encode(), b"{}", "sha256").hex() for letter in "ban"}
    for mac in signed.values():
        assert not wire.hmac_matches(b"{}", mac, "banana", encoding="hex")
    assert wire.hmac_matches(b"{}", signed["a"], "a", encoding="hex")
    empty = hmac.digest(b"", b"{}", "sha256").hex()
    assert not any(wire.hmac_matches(b"{}", empty, each, encoding="hex") for each in ("", [""]))


def test_secrets_are_redacted_in_every_encoding():
    secret = 'shpat_ab/c+9"x'
    raw = secret.encode()
    forms = [secret, wire.percent(secret), base64.b64encode(raw).decode(), raw.hex()]
    forms += [secret[::-1], json.dumps(secret), base64.urlsafe_b64encode(raw).decode()]
    text = wire.redact("it is " + " and ".join(forms) + " here", [secret, "abc", ""])
    assert not [form for form in forms if form in text]
    assert text.startswith("it is ***")
    assert text.endswith(" here")
    assert wire.redact("abc", ["abc"]) == "abc"


def mutation(query: str, kind: RequestKind = RequestKind.READ) -> Request:
    return Request(method="POST", path="/graphql", kind=kind, body=wire.dumps({"query": query}))


def test_what_could_write_is_found_whatever_its_kind_says():
    assert wire.writes(mutation("mutation { x }"))
    assert wire.writes(mutation("fragment F on P { id }\n# note\nmutation M($a: ID!) { x }"))
    assert wire.writes(Request(method="PUT", path="/x"))
    assert wire.writes(Request(method="delete", path="/x"))
    assert wire.writes(Request(method="POST", path="/x", kind=RequestKind.CREATE))
    assert wire.writes(Request(method="POST", path="/x", body=b'mutation {"broken'))
    assert not wire.writes(mutation("query { mutations: nodes }"))
    assert not wire.writes(mutation("mutation B { bulkOperationRunQuery(query: {a: 1}) { id } }"))
    assert wire.writes(mutation("mutation { bulkOperationRunQuery { id } productDelete { id } }"))
    assert wire.writes(mutation("mutation { bulkOperationRunQuery: productDelete { id } }"))
    assert wire.writes(mutation("mutation { ...F } fragment F on Mutation { productDelete }"))
    assert wire.writes(mutation("mutation { bulkOperationRunQuery { id } } mutation B { x }"))
    assert wire.writes(mutation("mutation { bulkOperationRunQuery @skip(if: true) { id } }"))
    assert wire.writes(mutation("mutation ) { productDelete { id } }"))
    assert not wire.writes(mutation('{ products(query: "a mutation b") { id } } # mutation'))
    assert not wire.writes(Request(method="GET", path="/x"))
    assert not wire.writes(Request(method="POST", path="/x", kind=RequestKind.TOKEN))


def test_a_walk_that_goes_in_circles_ends():
    pager = wire.Pager("products")
    assert pager.admit(["1", "2"], "a", str) == ("1", "2")
    assert pager.admit(["2", "3", "3"], "b", str) == ("3",)
    with pytest.raises(errors.BadAnswer, match="same page of products"):
        pager.admit(["4"], "a", str)


def test_a_last_page_that_repeats_ends():
    pager = wire.Pager("products")
    pager.admit(["1"], "2", str)
    assert pager.admit(["1"], "3", str) == ()
    with pytest.raises(errors.BadAnswer):
        pager.admit(["1"], "4", str)


def test_a_walk_remembers_a_bounded_number_of_ids():
    pager = wire.Pager("products", window=10)
    for page in range(100):
        pager.admit([f"{page}-{n}" for n in range(5)], str(page), str)
    assert len(pager._ids) == 10
