"""The adapter `shopify`: its settings, its credentials, its errors and what the store says."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, ClassVar, Literal, Self, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from storebridge.adapter import Adapter, Credentials, Level, Limits, Records
from storebridge.errors import (
    ApiError,
    AuthError,
    BadAnswer,
    ConfigError,
    NotSupported,
    Rejected,
    StorebridgeError,
)
from storebridge.flow import Clock, Flow, Request, RequestKind, Response
from storebridge.models import Record, StoreInfo
from storebridge.wire import json_of, retry_after, status_error
from storebridge_shopify import shapes
from storebridge_shopify.access import again, asked_for, is_shop, renewed, shop_url
from storebridge_shopify.collections import CollectionRecords
from storebridge_shopify.customers import CustomerRecords
from storebridge_shopify.definitions import DefinitionRecords
from storebridge_shopify.discounts import DiscountRecords
from storebridge_shopify.grant import CodeGrant
from storebridge_shopify.graphql import error_of, level_of, lists
from storebridge_shopify.orders import OrderRecords
from storebridge_shopify.products import ProductRecords
from storebridge_shopify.records import ShopifyRecords
from storebridge_shopify.redirects import RedirectRecords
from storebridge_shopify.scopes import ALL_ORDERS, SCOPES, missing, reading
from storebridge_shopify.site import Shop

__all__ = ["ShopifyAdapter", "ShopifySettings", "Version", "from_session"]

R = TypeVar("R", bound=Record)

#: The versions of the Admin API that the adapter's documents are checked with.
Version = Literal["2026-04", "2026-07", "2026-10"]
#: Until when each is supported at least (usage/versioning); a test fails sixty days before that.
SUPPORTED_UNTIL: Mapping[str, date] = {
    "2026-04": date(2027, 4, 1),
    "2026-07": date(2027, 7, 1),
    "2026-10": date(2027, 10, 1),
}


class ShopifySettings(BaseModel):
    """Where the shop is, and how to get in: with a token, or with an app's id and secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str = Field(description="The shop's permanent address, like name.myshopify.com.")
    token: SecretStr | None = Field(None, description="A token that doesn't expire (shpat_…).")
    client_id: str = Field("", description="The client id of an app of your organisation.")
    client_secret: SecretStr | None = Field(None, description="The app's client secret.")
    grant: Literal["client_credentials", "authorization_code"] = Field(
        "client_credentials",
        description="How the app gets in: by itself, or let in by a person with a browser.",
    )
    scopes: tuple[str, ...] = Field(SCOPES, description="What a person is asked to allow the app.")
    version: Version = Field("2026-10", description="The version of the Admin API.")
    page_size: int = Field(50, ge=1, le=250, description="Records to a page.")
    bulk_from: int = Field(
        1_000, ge=0, description="From so many records on they are read by a bulk job; 0: never."
    )
    notify_customers: bool = Field(False, description="Shopify writes to buyers of new parcels.")

    @field_validator("url")
    @classmethod
    def _is_shop(cls, value: str) -> str:
        return shop_url(value)

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        if (self.token is None or self.by_consent) and not (self.client_id and self.client_secret):
            raise ValueError("give a token, or a client_id and a client_secret")
        return self

    @property
    def by_consent(self) -> bool:
        """Whether a person lets the app in with a browser."""
        return self.grant == "authorization_code"


class ShopifyAdapter(Adapter):
    """A shop on Shopify, through the Admin GraphQL API."""

    name: ClassVar[str] = "shopify"
    title: ClassVar[str] = "Shopify"
    api_version: ClassVar[str] = "2026-10"
    Settings: ClassVar[type[BaseModel]] = ShopifySettings

    #: The module of the sandbox: its `create(state)` makes a handler, and it runs by `python -m`.
    sandbox: ClassVar[str] = "storebridge_shopify.sandbox"

    settings: ShopifySettings

    def __init__(self, settings: BaseModel) -> None:
        """Keep the settings and make the kinds of record."""
        super().__init__(settings)
        host = urlsplit(self.settings.url).hostname or ""
        self._shop = Shop(host=host if is_shop(host) else "")
        self._kinds: dict[str, ShopifyRecords[Any]] = {
            "collection": CollectionRecords(self._shop, self.settings),
            "customer": CustomerRecords(self._shop, self.settings),
            "discount": DiscountRecords(self._shop, self.settings),
            "metafield_definition": DefinitionRecords(self._shop, self.settings),
            "order": OrderRecords(self._shop, self.settings),
            "product": ProductRecords(self._shop, self.settings),
            "redirect": RedirectRecords(self._shop, self.settings),
        }

    @property
    def base_url(self) -> str:
        """The shop's permanent address; `prepare` adds the version."""
        return self.settings.url

    @property
    def limits(self) -> Limits:
        """The bucket of the Standard plan (usage/limits); each answer says the shop's own."""
        return Limits(rate=100.0, burst=2000.0, concurrency=10, max_concurrency=100)

    def kinds(self) -> Mapping[str, Records[Any] | NotSupported]:
        """Return what Shopify keeps, by kind; what the token may not read, with the reason."""
        facts = self._shop.facts
        lacking = {
            kind: reason
            for kind in self._kinds
            if facts is not None and (reason := reading(kind, facts.scopes))
        }
        return {**_NOT_YET, **self._kinds, **lacking}

    def normalise(self, record: R) -> R:
        """Return a desired record as Shopify gives it back."""
        records = self._kinds.get(record.kind)
        return records.normal(record) if records is not None else record

    def info(self) -> Flow[StoreInfo]:
        """Return what the shop says about itself, its markets and its locations.

        Raises:
            ConfigError: if another shop answers than the one that was asked.
        """
        return (yield from self._shop.learn()).info

    def authorize(self, clock: Clock) -> Flow[Credentials]:
        """Return the fixed token, or one for the app's id and secret (24 hours).

        Raises:
            AuthError: if a person has to let the app in first.
        """
        if self.settings.by_consent:
            raise AuthError("nobody has let the app into this store.", remedy=again(self.settings))
        if self.settings.token is not None:
            return Credentials({"token": self.settings.token})
        return (yield from asked_for(self.settings, clock, grant_type="client_credentials"))

    @property
    def vault_key(self) -> str:
        """The shop and the app, where the token is renewed by a refresh token."""
        settings = self.settings
        return f"shopify {settings.url} {settings.client_id}" if settings.by_consent else ""

    def renew(self, kept: Credentials, clock: Clock) -> Flow[Credentials]:
        """Return the token of the kept refresh token, and the next one of those."""
        return (yield from renewed(self.settings, kept, clock))

    @property
    def grant(self) -> CodeGrant | None:
        """How a person lets the app in, where the settings say so."""
        return CodeGrant(self.settings) if self.settings.by_consent else None

    def prepare(
        self, request: Request, credentials: Credentials, nonce: str, now: float
    ) -> Request:
        """Return the request under its version and with the token."""
        headers = {"accept": "application/json"}
        if request.kind is RequestKind.TOKEN:
            return replace(request, headers={**headers, **request.headers})
        headers |= {
            "content-type": "application/json",
            "x-shopify-access-token": credentials["token"],
        }
        path = f"/admin/api/{self.settings.version}{request.path}"
        return replace(request, path=path, headers={**request.headers, **headers})

    def error(self, response: Response) -> StorebridgeError | None:
        """Return the error in an answer: of a token request, of HTTP, of GraphQL."""
        if response.status >= 400:
            return self._http_error(response)
        answer = json_of(response)
        if isinstance(answer, dict) and "access_token" in answer:
            return None
        return self._wrong_version(response) or error_of(response)

    def misshapen(self, request: Request, response: Response) -> str:
        """Return the path at which an answer isn't of the shape of its document."""
        return shapes.of_answer(request, response)

    def level(self, response: Response) -> Level | None:
        """Return what `extensions.cost.throttleStatus` says."""
        return level_of(response) if response.status < 400 else None

    def notice(self, response: Response) -> str:
        """Return why Shopify calls something deprecated, or which orders it has left out."""
        reason = response.headers.get("x-shopify-api-deprecated-reason", "")[:300]
        if reason:
            return f"Shopify will drop a call that was used: {reason}"
        facts = self._shop.facts
        if facts is None or facts.scopes.has(ALL_ORDERS) or not lists(response, "orders"):
            return ""
        return (
            f"the token lacks the scope {ALL_ORDERS}: orders older than 60 days are left out. "
            "Ask Shopify to allow the app that scope"
        )

    def lacking(self, kind: str = "") -> tuple[str, ...]:
        """Return the scopes that the token lacks, each with the operations that need it."""
        return missing(self._shop.facts.scopes, kind) if self._shop.facts is not None else ()

    def _http_error(self, response: Response) -> StorebridgeError:
        if code := _token_error(response):
            return AuthError("Shopify gave no token.", status=response.status, code=code)
        if response.status == 401:
            return AuthError(
                "Shopify refused the token.",
                status=401,
                request_id=response.request_id,
                remedy="Check that the app is still installed on this store.",
            )
        message, remedy = _STATUSES.get(response.status, ("", ""))
        error = status_error(response, message, remedy=remedy)
        if isinstance(error, ApiError):
            error.retry_after = retry_after(response.headers, response.sent_at)
        return error

    def _wrong_version(self, response: Response) -> StorebridgeError | None:
        """Refuse an answer of another version: Shopify falls forward without saying so."""
        answered = response.headers.get("x-shopify-api-version", "")
        if not answered or answered == self.settings.version:
            return None
        return Rejected(
            f"Shopify answered as version {answered}, asked for {self.settings.version}.",
            status=response.status,
            code="version",
            remedy=f"Set version to one of: {', '.join(get_args(Version))}.",
        )


#: What this adapter can't do yet, or Shopify has no calls for.
_NOT_YET: Mapping[str, NotSupported] = {
    "category": NotSupported(
        "Shopify's taxonomy is the same for all shops", "name a place of it as a product's category"
    ),
    "location": NotSupported(
        "locations are read with the shop's facts", "make them in Shopify's admin"
    ),
    "review": NotSupported("Shopify keeps no reviews of products", "use an app for reviews"),
    "market": NotSupported("markets are read with the shop's facts", "make them in the admin"),
}
#: What a status means here, and what to do about it (usage/response-codes).
_STATUSES: Mapping[int, tuple[str, str]] = {
    402: ("the shop is frozen", "Its owner has to pay Shopify first."),
    403: ("Shopify lets nobody in", "Look in the shop's admin whether it is closed."),
    404: (
        "there is no shop at this address, or not this version of the API",
        "Give the permanent address, name.myshopify.com, as the shop's admin shows it.",
    ),
    423: ("the shop is locked", "Its owner has to ask Shopify's support."),
    430: ("Shopify took the requests for an attack", "Wait, then try again with speed at normal."),
}


def _token_error(response: Response) -> str:
    """Return the code of a token request that was refused, "" for other answers (RFC 6749)."""
    if response.status not in (400, 401):
        return ""
    try:
        answer = json_of(response)
    except BadAnswer:
        return ""
    code = answer.get("error", "") if isinstance(answer, dict) else ""
    return code if isinstance(code, str) else ""


def from_session(session: Any) -> ShopifySettings:
    """Return the settings of a `shopify.Session` object, so that a script with one can go on.

    A version that the adapter doesn't know ("2024-10", "unstable") becomes the default one, with a
    `UserWarning`.

    Raises:
        ConfigError: if it is none, has no token, or another address than a shop's.
    """
    try:
        version = str(getattr(session.version, "name", session.version))
        values = {"url": session.url, "token": session.token}
    except AttributeError:
        raise ConfigError(
            f"{type(session).__name__} is no shopify.Session: it lacks url, token or version"
        ) from None
    if not values["token"]:
        raise ConfigError("the shopify.Session has no token: ask for one first")
    if version in get_args(Version):
        values["version"] = version
    else:
        default = ShopifySettings.model_fields["version"].default
        text = f"the session's version {version!r} becomes {default}; answers may differ"
        warnings.warn(text, UserWarning, stacklevel=2)
    try:
        return ShopifySettings.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"the shopify.Session's {_first(error)}") from None


def _first(error: ValidationError) -> str:
    """Return the first thing wrong, in words and without what was given."""
    found = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg'].removeprefix('Value error, ')}"
