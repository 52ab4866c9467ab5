"""A person lets the app in: the address, the callback that is proven, the exchange."""

from __future__ import annotations

import hashlib
import hmac
import itertools
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

import pytest
from tests.adapters.shopify.consent import BACK, App, look

from storebridge.engine import Engine, EngineOptions, HandlerTransport
from storebridge.errors import ApiError, AuthError, ConfigError, NotSupported
from storebridge_shopify import ShopifyAdapter, ShopifySettings
from storebridge_shopify.grant import signed_text
from storebridge_shopify.scopes import SCOPES

SECRET = "shpss_sandbox"
NOW = 1_700_000_000.0
GOOD = {
    "code": "0907a61c0c8d55e99db179b68161bc00",
    "host": "c2FuZGJveC5teXNob3BpZnkuY29tL2FkbWlu",
    "shop": "sandbox.myshopify.com",
    "state": "state-1",
    "timestamp": str(int(NOW)),
}


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(tmp_path)


def signed(values: dict[str, str], secret: str = SECRET) -> str:
    """Sign as the platform's own library checks it, written down apart from the adapter's code."""
    text = "&".join(f"{key}={quote(values[key], safe='')}" for key in sorted(values))
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return urlencode({**values, "hmac": mac})


def code(app: App, query: str, state: str = "state-1", now: float = NOW) -> str:
    grant = app.adapter().grant
    assert grant is not None
    return grant.code(query, state, now)


# -- the address


def test_the_address_asks_for_what_is_needed_and_holds_no_secret(app: App) -> None:
    grant = app.adapter().grant
    assert grant is not None
    url = grant.url(BACK, "s t&a=te")
    parts = urlsplit(url)
    assert parts.netloc == "sandbox.myshopify.com"
    assert parts.path == "/admin/oauth/authorize"
    asked = parse_qs(parts.query)
    assert asked == {
        "client_id": ["sandbox"],
        "scope": [",".join(SCOPES)],
        "redirect_uri": [BACK],
        "state": ["s t&a=te"],
    }
    assert SECRET not in url + repr(grant)


def test_fewer_scopes_can_be_asked_for(tmp_path: Path) -> None:
    grant = App(tmp_path, scopes=["read_products"]).adapter().grant
    assert grant is not None
    assert "scope=read_products&" in grant.url(BACK, "x")


def test_only_an_app_that_is_let_in_by_a_person_has_a_grant(tmp_path: Path) -> None:
    app = App(tmp_path, grant="client_credentials")
    adapter = app.adapter()
    assert adapter.grant is None
    assert adapter.vault_key == ""
    with pytest.raises(NotSupported, match="no app in by a browser"):
        app.engine().accept("x")


# -- the callback


def test_a_callback_of_the_shop_brings_its_code(app: App) -> None:
    assert code(app, signed(GOOD)) == GOOD["code"]


def test_values_are_signed_percent_encoded_with_a_space_as_20() -> None:
    # "a b" encoded by hand; "+" would be the form's way.
    text = signed_text({"b": "a b/=+~*é", "a": "1", "hmac": "x", "signature": "y"})
    assert text == b"a=1&b=a%20b%2F%3D%2B%7E*%C3%A9"


def test_values_with_spaces_and_slashes_are_taken(app: App) -> None:
    odd = {**GOOD, "host": "a b/c=d&e+f", "locale": "de CH"}
    assert code(app, signed(odd)) == GOOD["code"]
    plus = signed(odd).replace("%2F", "/")  # the same values, written otherwise
    assert code(app, plus) == GOOD["code"]


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_callback_that_was_changed_is_not_taken(app: App, name: str) -> None:
    good = dict(parse_qsl(signed(GOOD)))
    for other in (good[name] + "0", good[name][:-1], ""):
        with pytest.raises(AuthError, match="not taken"):
            code(app, urlencode({**good, name: other}))
    without = {key: text for key, text in good.items() if key != name}
    with pytest.raises(AuthError, match="not taken"):
        code(app, urlencode(without))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"state": "state-2"}, "state"),
        ({"state": ""}, "state"),
        ({"shop": "other.myshopify.com"}, "another shop"),
        ({"shop": "sandbox.myshopify.com.evil.example"}, "another shop"),
        ({"shop": "SANDBOX.myshopify.com"}, "another shop"),
        ({"timestamp": str(int(NOW) - 91)}, "90 seconds"),
        ({"timestamp": str(int(NOW) + 91)}, "90 seconds"),
        ({"timestamp": "soon"}, "90 seconds"),
        ({"timestamp": "²"}, "90 seconds"),
        ({"timestamp": "9" * 5000}, "90 seconds"),
    ],
)
def test_a_signed_callback_for_another_time_or_place_is_not_taken(
    app: App, values: dict[str, str], words: str
) -> None:
    with pytest.raises(AuthError, match=words):
        code(app, signed({**GOOD, **values}))


def test_ninety_seconds_are_the_limit(app: App) -> None:
    for off in (-90, 90):
        assert code(app, signed({**GOOD, "timestamp": str(int(NOW) + off)}))


def test_a_callback_signed_with_another_secret_is_not_taken(app: App) -> None:
    with pytest.raises(AuthError, match="signature"):
        code(app, signed(GOOD, "shpss_other"))
    with pytest.raises(AuthError, match="signature"):
        code(app, urlencode(GOOD))
    with pytest.raises(AuthError, match="signature"):
        code(app, urlencode({**GOOD, "hmac": "é"}))


def test_an_empty_state_is_never_right(app: App) -> None:
    with pytest.raises(AuthError, match="state"):
        code(app, signed({**GOOD, "state": ""}), state="")


@pytest.mark.parametrize("name", ["shop", "code", "state", "hmac", "timestamp"])
def test_a_parameter_that_comes_twice_is_not_taken(app: App, name: str) -> None:
    for query in itertools.permutations((signed(GOOD), f"{name}=other")):
        with pytest.raises(AuthError, match="can't be read"):
            code(app, "&".join(query))


@pytest.mark.parametrize("query", ["", "&&", "a", "=", "code", "a=%ff", "x=1&" * 5000])
def test_what_is_no_query_is_not_taken(app: App, query: str) -> None:
    with pytest.raises(AuthError, match="not taken"):
        code(app, query)


def test_no_message_shows_what_came(app: App) -> None:
    for values in ({"state": "canary-1"}, {"shop": "canary-1"}, {"timestamp": "canary-1"}):
        with pytest.raises(AuthError) as caught:
            code(app, signed({**GOOD, **values}))
        assert "canary-1" not in f"{caught.value!r} {vars(caught.value)}"


# -- with the sandbox


def test_the_sandbox_and_the_adapter_agree_on_a_callback(app: App) -> None:
    query = app.callback("a state/with=signs~*")
    found = code(app, query, "a state/with=signs~*", app.clock.time())
    assert len(found) == 32


def test_a_person_who_says_no_is_told_apart(app: App) -> None:
    app.sandbox.switch(declines=True)
    with pytest.raises(AuthError, match="not let in") as caught:
        code(app, app.callback(), now=app.clock.time())
    assert caught.value.code == "access_denied"


def test_an_app_that_was_let_in_works_and_keeps_its_tokens(app: App) -> None:
    app.let_in()
    assert app.engine().run(look())
    assert app.asked == ["call"]
    secrets = [path.read_bytes() for path in Path(app.vault.folder).iterdir()]  # type: ignore[attr-defined]
    assert any(b"shprt_" in each for each in secrets)


def test_a_code_is_good_once(app: App) -> None:
    found = code(app, app.callback(), now=app.clock.time())
    app.engine().accept(found)
    with pytest.raises(AuthError, match="refused the app's access") as caught:
        app.engine().accept(found)
    assert "storebridge stores add NAME shopify://sandbox.myshopify.com" in str(caught.value)
    assert found not in str(caught.value)
    assert app.engine().run(look())  # what was kept is kept


def test_a_code_is_good_for_a_minute(app: App) -> None:
    found = code(app, app.callback(), now=app.clock.time())
    app.clock.advance(61)
    with pytest.raises(AuthError):
        app.engine().accept(found)


def test_a_wrong_client_secret_is_told(app: App) -> None:
    found = code(app, app.callback(), now=app.clock.time())
    app.values["client_secret"] = "shpss_wrong"
    with pytest.raises(AuthError, match=r"client id and secret.*invalid_client") as caught:
        app.engine().accept(found)
    assert "Dev Dashboard" in caught.value.remedy
    assert "shpss_wrong" not in str(caught.value)


def test_an_app_that_nobody_has_let_in_says_how(app: App) -> None:
    with pytest.raises(AuthError, match="nobody has let the app") as caught:
        app.engine().run(look())
    assert "--client-id sandbox" in caught.value.remedy
    assert app.asked == []


def test_a_token_has_the_scopes_that_were_allowed(tmp_path: Path) -> None:
    app = App(tmp_path, scopes=["read_products"])
    app.let_in()
    info = app.engine().run(app.adapter().info())
    assert info.scopes == ("read_products",)


def test_an_engine_without_a_vault_says_so(app: App) -> None:
    with pytest.raises(ConfigError, match="no vault"):
        Engine(app.adapter(), transport=HandlerTransport(app.sandbox), options=EngineOptions())


def test_the_vault_is_keyed_by_shop_and_app() -> None:
    def key(url: str, app: str) -> str:
        values = {"url": url, "client_id": app, "client_secret": "x", "grant": "authorization_code"}
        return ShopifyAdapter(ShopifySettings.model_validate(values)).vault_key

    keys = {key(shop, app) for shop in ("a", "b", "a.myshopify.com") for app in ("1", "2")}
    assert len(keys) == 4


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("body", [b"<html>Oauth error</html>", b"{}", b'{"error": "shprt_x"}'])
def test_any_refusal_of_a_token_request_is_an_auth_error(
    app: App, status: int, body: bytes
) -> None:
    from storebridge.flow import Response

    app.between = lambda request, sandbox: Response(status=status, body=body)
    with pytest.raises(ApiError) as caught:
        app.engine().accept("0907a61c")
    assert isinstance(caught.value, AuthError)
    assert "stores add" in caught.value.remedy
