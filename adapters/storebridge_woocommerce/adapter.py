"""The adapter `woocommerce`: its settings, its credentials, its errors and what the shop says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from storebridge.adapter import Adapter, Credentials, Limits, Records
from storebridge.errors import (
    AccessDenied,
    ApiError,
    AuthError,
    BadAnswer,
    ConfigError,
    NotFound,
    NotSupported,
    StorebridgeError,
)
from storebridge.flow import Clock, Flow, Request, RequestKind, Response, send
from storebridge.models import Record, StoreInfo
from storebridge_woocommerce.access import basic, sign
from storebridge_woocommerce.collections import CollectionRecords
from storebridge_woocommerce.coupons import CouponRecords
from storebridge_woocommerce.customers import CustomerRecords
from storebridge_woocommerce.diagnosis import meaning, no_index, who_is_asking
from storebridge_woocommerce.orders import OrderRecords
from storebridge_woocommerce.products import ProductRecords
from storebridge_woocommerce.records import WooRecords
from storebridge_woocommerce.reviews import ReviewRecords
from storebridge_woocommerce.site import Site

__all__ = ["WooCommerceAdapter", "WooCommerceSettings", "from_api"]

R = TypeVar("R", bound=Record)

API = "/wp-json/wc/v3"


class WooCommerceSettings(BaseModel):
    """Where the shop is, and how to get in."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str = Field(
        description="The shop's address, with the folder that WordPress is in, if any.",
        pattern=r"^https?://[^?#@\s]+$",
    )
    key: SecretStr = Field(
        description="The consumer key (ck_...), from WooCommerce > Settings > Advanced > REST API."
    )
    secret: SecretStr = Field(description="The consumer secret (cs_...) that belongs to the key.")
    user: str = Field("", description="A WordPress user, for uploading pictures.")
    password: SecretStr | None = Field(
        None,
        description="An application password of that user, from WordPress > Users > Profile.",
    )
    language: str = Field(
        "",
        description="The language that is the catalogue, in a shop with WPML or Polylang.",
        pattern=r"^([a-z]{2,3}([_-][A-Za-z0-9]+)*)?$",
    )
    default_category: str = Field(
        "uncategorized",
        description="The handle of the category that products without one are put into.",
    )
    delete: Literal["trash", "force"] = Field(
        "trash", description="Whether deleted products go to the trash, or for good."
    )
    page_size: int = Field(100, ge=1, le=100, description="Records to a page.")
    batch_size: int = Field(
        50, ge=1, le=100, description="Records to a request that writes; fewer on slow servers."
    )

    @field_validator("url")
    @classmethod
    def _site(cls, url: str) -> str:
        """Return the site's address where somebody gave the interface's."""
        return url.partition("/wp-json")[0].rstrip("/")


class WooCommerceAdapter(Adapter):
    """A shop with WooCommerce."""

    name: ClassVar[str] = "woocommerce"
    title: ClassVar[str] = "WooCommerce"
    api_version: ClassVar[str] = "wc/v3"
    Settings: ClassVar[type[BaseModel]] = WooCommerceSettings

    #: The module of the sandbox: its `create(state)` makes a handler, and it runs by `python -m`.
    sandbox: ClassVar[str] = "storebridge_woocommerce.sandbox"

    settings: WooCommerceSettings

    def __init__(self, settings: BaseModel) -> None:
        """Keep the settings and make the kinds of record."""
        super().__init__(settings)
        self._site = Site()
        self._refused: AuthError | None = None
        self._lacking: tuple[str, ...] = ()
        self._kinds: dict[str, Records[Any] | NotSupported] = {
            "location": NotSupported(
                "WooCommerce counts one stock for each product", "use the location 'Default'"
            ),
            "market": NotSupported(
                "WooCommerce has one currency and no markets", "open a shop for each market"
            ),
            "category": NotSupported(
                "WooCommerce knows no taxonomy of goods but the shop's own categories",
                "use collections, which are its categories",
            ),
            "collection": CollectionRecords(self._site, self.settings),
            "product": ProductRecords(self._site, self.settings),
            "discount": CouponRecords(self._site, self.settings),
            "customer": CustomerRecords(self._site, self.settings),
            "order": OrderRecords(self._site, self.settings),
            "review": ReviewRecords(self._site, self.settings),
            "metafield_definition": NotSupported(
                "WooCommerce keeps metafields without definitions",
                "write the metafields themselves",
            ),
            "redirect": NotSupported(
                "WooCommerce keeps no redirects", "use a plugin for redirects, or the web server"
            ),
        }

    @property
    def base_url(self) -> str:
        """The site's address; `prepare` adds the interface's path."""
        return self.settings.url

    @property
    def signs_requests(self) -> bool:
        """Whether requests are signed instead of carrying a secret: over http they are."""
        return not self._encrypted

    @property
    def limits(self) -> Limits:
        """Two batches at once: more make each request longer, and no more of them (measured)."""
        return Limits(concurrency=2, max_concurrency=6)

    def kinds(self) -> Mapping[str, Records[Any] | NotSupported]:
        """Return what a shop has: collections are its categories, discounts its coupons."""
        return self._kinds

    def info(self) -> Flow[StoreInfo]:
        """Return what the site's index, `system_status` and the product settings say."""
        try:
            facts = yield from self._site.learn()
        except (NotFound, BadAnswer) as error:
            if self._site.home:
                raise
            cause = yield from no_index(error, self.base_url)
            raise cause from None
        return facts.info()

    def probe(self) -> Flow[None]:
        """Find out whether the key may write: an empty batch does nothing, and is refused if not.

        Source: recorded exchanges (batch; permissions of keys).
        """
        path = "/products/batch"
        try:
            yield from send(Request(method="POST", path=path, kind=RequestKind.READ, body=b"{}"))
        except AccessDenied as error:
            self._lacking = (f"write: {error}",)

    def lacking(self, kind: str = "") -> tuple[str, ...]:
        """Return what the key may not do, as far as that was asked."""
        return self._lacking

    def authorize(self, clock: Clock) -> Flow[Credentials]:
        """Return the keys of the settings; they never expire.

        Over http the site is asked for its own address first, which signatures are made with.
        After a refusal the site is asked what it saw, which tells a wrong key from a header that
        was dropped on the way.
        """
        refused, self._refused = self._refused, None
        if refused is not None and refused.code == "woocommerce_rest_cannot_view":
            cause = yield from who_is_asking(signed=not self._encrypted)
            self._refused = None
            if cause is not None:
                raise cause
        if not self._encrypted and not self._site.home:
            yield from self._index()
        return Credentials({"key": self.settings.key, "secret": self.settings.secret})

    def prepare(
        self, request: Request, credentials: Credentials, nonce: str, now: float
    ) -> Request:
        """Return the request with path, media types and credentials, or signed anew over http."""
        path = request.path if request.path == "/" else self._path(request.path)
        headers = {"accept": "application/json", **request.headers}
        if isinstance(request.body, bytes):
            headers.setdefault("content-type", "application/json")
        params = request.params
        if path.startswith("/wp-json/wc"):
            if self._encrypted:
                headers["authorization"] = self._basic()
            elif credentials.values:
                params = sign(
                    request.method,
                    f"{self._site.home or self.base_url}{path}",
                    params,
                    key=credentials["key"],
                    secret=credentials["secret"],
                    nonce=nonce,
                    now=now,
                )
        elif path.startswith("/wp-json/wp/") and self._may_log_in:
            # While a key is looked into, it is shown in place of the password.
            headers["authorization"] = self._log_in() if credentials.values else self._basic()
        return replace(request, path=path, params=params, headers=headers)

    def error(self, response: Response) -> StorebridgeError | None:
        """Return the error in an answer, with what to do about it."""
        error = meaning(response)
        if isinstance(error, AuthError):
            self._refused = error
        return error

    def normalise(self, record: R) -> R:
        """Return a desired record as WooCommerce gives it back."""
        records = self._kinds.get(record.kind)
        return records.normal(record) if isinstance(records, WooRecords) else record

    @property
    def _encrypted(self) -> bool:
        return self.settings.url.startswith("https://")

    @property
    def _may_log_in(self) -> bool:
        """Whether WordPress's own interface may get credentials: never over http."""
        return self._encrypted or _is_loopback(self.settings.url)

    def _path(self, path: str) -> str:
        return path if path.startswith("/wp-json/") else f"{API}{path}"

    def _basic(self) -> str:
        return basic(self.settings.key.get_secret_value(), self.settings.secret.get_secret_value())

    def _log_in(self) -> str:
        """Return the header of the application password; without one, the key's, to be refused."""
        if self.settings.password is None:
            return self._basic()
        return basic(self.settings.user, self.settings.password.get_secret_value())

    def _index(self) -> Flow[None]:
        try:
            yield from self._site.index()
        except (NotFound, BadAnswer) as error:
            if isinstance(error, ApiError):
                cause = yield from no_index(error, self.base_url)
                raise cause from None
            raise


def from_api(api: Any) -> WooCommerceSettings:
    """Return the settings of a `woocommerce.API` object, so that a script with one can go on.

    Raises:
        ConfigError: if it is none, or has an address or keys that can't be any.
    """
    try:
        values = {"url": api.url, "key": api.consumer_key, "secret": api.consumer_secret}
        return WooCommerceSettings.model_validate(values)
    except AttributeError:
        raise ConfigError(
            f"{type(api).__name__} is no woocommerce.API: it lacks url, consumer_key or "
            "consumer_secret"
        ) from None
    except ValidationError as error:
        wrong = ", ".join(_OF_API[str(each["loc"][0])] for each in error.errors())
        raise ConfigError(
            f"the {type(api).__name__} can't be used: look at its {wrong}. The address begins with "
            "https://, and has nothing behind a ?."
        ) from None


#: What the `woocommerce` package calls the settings.
_OF_API = {"url": "url", "key": "consumer_key", "secret": "consumer_secret"}


def _is_loopback(url: str) -> bool:
    host = url.partition("://")[2].partition("/")[0].rpartition(":")[0]
    return host in ("127.0.0.1", "localhost", "[::1]")
