"""The adapter `template`: its settings, its credentials, its errors and what the store says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from storebridge.adapter import Adapter, Credentials, Level, Limits, Records
from storebridge.errors import ApiError, BadAnswer, NotSupported, StorebridgeError
from storebridge.flow import Clock, Flow, Request, Response, send
from storebridge.models import Location, Market, Record, StoreInfo
from storebridge.wire import json_of, loads, retry_after, status_error
from storebridge_template.collections import CollectionRecords
from storebridge_template.customers import CustomerRecords
from storebridge_template.products import ProductRecords
from storebridge_template.records import TemplateRecords

__all__ = ["TemplateAdapter", "TemplateSettings"]

R = TypeVar("R", bound=Record)


class TemplateSettings(BaseModel):
    """Where the store is, and how to get in."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str = Field(description="The store's address.", pattern=r"^https?://[^/?#@]+$")
    token: SecretStr = Field(description="A token from Settings > API.")
    page_size: int = Field(100, ge=1, le=250, description="Records to a page.")


class TemplateAdapter(Adapter):
    """A store on the platform Template."""

    name: ClassVar[str] = "template"
    title: ClassVar[str] = "Template"
    api_version: ClassVar[str] = "v1"
    Settings: ClassVar[type[BaseModel]] = TemplateSettings

    #: The module of the sandbox: its `create(state)` makes a handler, and it runs by `python -m`.
    sandbox: ClassVar[str] = "storebridge_template.sandbox"

    settings: TemplateSettings

    def __init__(self, settings: BaseModel) -> None:
        """Keep the settings and make the kinds of record."""
        super().__init__(settings)
        size = self.settings.page_size
        self._kinds: dict[str, Records[Any] | NotSupported] = {
            "collection": CollectionRecords(size),
            "product": ProductRecords(size),
            "customer": CustomerRecords(size),
            "order": NotSupported("Template keeps no orders", "read them from your till"),
            "discount": NotSupported("Template gives no discounts", "lower the prices"),
            "review": NotSupported("Template keeps no reviews", "show them on a page"),
        }

    @property
    def base_url(self) -> str:
        """The store's address; `prepare` adds the version."""
        return self.settings.url

    @property
    def limits(self) -> Limits:
        """Two requests a second, forty saved up; answers tell the level."""
        return Limits(rate=2.0, burst=40.0, concurrency=4, max_concurrency=8)

    def kinds(self) -> Mapping[str, Records[Any] | NotSupported]:
        """Return collections, products and customers; orders with the reason why not."""
        return self._kinds

    def info(self) -> Flow[StoreInfo]:
        """Return what `GET /info` says."""
        response = yield from send(Request(method="GET", path="/info"))
        facts = json_of(response)
        markets = (
            Market(handle=m["handle"], name=m["name"], currency=m["currency"])
            for m in facts["markets"]
        )
        return StoreInfo(
            id=facts["id"],
            name=facts["name"],
            url=self.base_url,
            currency=facts["currency"],
            locales=tuple(facts["locales"]),
            time_zone=facts["time_zone"],
            locations=tuple(
                Location(id=str(at["id"]), name=at["name"]) for at in facts["locations"]
            ),
            markets=tuple(markets),
            scopes=tuple(facts["scopes"]),
        )

    def authorize(self, clock: Clock) -> Flow[Credentials]:
        """Return the token of the settings; it never expires."""
        return Credentials({"token": self.settings.token})
        yield  # an empty generator: nothing has to be sent

    def prepare(
        self, request: Request, credentials: Credentials, nonce: str, now: float
    ) -> Request:
        """Return the request with version, token and media type."""
        headers = {"x-template-token": credentials["token"], "accept": "application/json"}
        if request.body is not None:
            headers["content-type"] = "application/json"
        return replace(request, path=f"/v1{request.path}", headers={**request.headers, **headers})

    def error(self, response: Response) -> StorebridgeError | None:
        """Return the error in an answer; its body says more than the status where it is JSON.

        An answer of 200 that is no JSON (a page of HTML, a cut body) is a `BadAnswer`: what came
        of a write is unknown then, and the engine and the flows act accordingly.
        """
        if response.status < 300:
            return None if response.status == 204 else _unreadable(response)
        details = _details(response)
        error = status_error(
            response,
            str(details.get("message", "")),
            code=str(details.get("code", "")),
            fields=_fields(details),
        )
        if isinstance(error, ApiError):
            error.retry_after = retry_after(response.headers, response.sent_at)
        return error

    def level(self, response: Response) -> Level | None:
        """Return what `x-limit: 38/40` says."""
        left, _, capacity = response.headers.get("x-limit", "").partition("/")
        if not (left.isdecimal() and capacity.isdecimal()):
            return None
        return Level(available=float(left), capacity=float(capacity))

    def normalise(self, record: R) -> R:
        """Return a desired record as Template gives it back."""
        records = self._kinds.get(record.kind)
        return records.normal(record) if isinstance(records, TemplateRecords) else record


def _unreadable(response: Response) -> BadAnswer | None:
    try:
        json_of(response)
    except BadAnswer as error:
        return error
    return None


def _details(response: Response) -> Mapping[str, Any]:
    """Return the platform's own words on an error; none where it isn't the platform that spoke."""
    try:
        body = loads(response.body)
    except BadAnswer:
        return {}
    details = body.get("error") if isinstance(body, dict) else None
    return details if isinstance(details, dict) else {}


def _fields(details: Mapping[str, Any]) -> dict[str, str]:
    fields = details.get("fields")
    return {str(k): str(v) for k, v in fields.items()} if isinstance(fields, dict) else {}
