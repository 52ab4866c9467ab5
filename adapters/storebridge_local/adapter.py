"""The adapter `local`: its settings, what the store says about itself, and its kinds of record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, field_validator

from storebridge.adapter import Adapter, Credentials, Records
from storebridge.errors import ConfigError, NotSupported, StorebridgeError
from storebridge.flow import Flow, Request, Response, call
from storebridge.models import (
    Category,
    Customer,
    Discount,
    Location,
    Market,
    MetafieldDefinition,
    Redirect,
    Review,
    StoreInfo,
)
from storebridge.models.text import Locale
from storebridge.models.units import LengthUnit, WeightUnit
from storebridge_local.collections import CollectionRecords
from storebridge_local.database import MEMORY, Database, Session
from storebridge_local.locations import LocationRecords
from storebridge_local.orders import OrderRecords
from storebridge_local.products import ProductRecords
from storebridge_local.records import LocalRecords

__all__ = ["LocalAdapter", "LocalSettings"]


class LocalSettings(BaseModel):
    """Where the file is, and the facts of the shop in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    path: str = Field(description="The store's file; it is made if there is none.", min_length=1)
    name: str = Field("", description="What people call the shop.")
    currency: str = Field("EUR", description="The shop's currency, for good.", pattern="^[A-Z]{3}$")
    locales: tuple[Locale, ...] = Field(("en",), description="Languages, the main one first.")
    time_zone: str = "UTC"
    weight_unit: WeightUnit = "kg"
    length_unit: LengthUnit = "cm"

    @field_validator("locales", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Take "en,de" too, as a URL has it."""
        return tuple(value.split(",")) if isinstance(value, str) else value


class LocalAdapter(Adapter):
    """A store in one SQLite file."""

    name: ClassVar[str] = "local"
    title: ClassVar[str] = "Local store"
    api_version: ClassVar[str] = "1"
    Settings: ClassVar[type[BaseModel]] = LocalSettings

    settings: LocalSettings

    def __init__(self, settings: BaseModel) -> None:
        """Keep the settings; the file is opened, or made, by the first operation."""
        super().__init__(settings)
        facts = {"name": self.settings.name, "currency": self.settings.currency}
        self._database = Database(self.settings.path, facts)
        kinds: tuple[LocalRecords[Any], ...] = (
            LocationRecords(self._database),
            LocalRecords(self._database, Market, slugged=("handle", "name")),
            LocalRecords(self._database, MetafieldDefinition, required="metafield"),
            LocalRecords(self._database, Category, required="path"),
            CollectionRecords(self._database),
            ProductRecords(self._database),
            LocalRecords(self._database, Discount, finds=("code", "title")),
            LocalRecords(self._database, Customer, finds=("email", "phone")),
            OrderRecords(self._database),
            LocalRecords(self._database, Review, finds=("text",)),
            LocalRecords(self._database, Redirect, required="path"),
        )
        self._kinds = {records.model.kind: records for records in kinds}

    @classmethod
    def settings_from_url(cls, rest: str) -> dict[str, str]:
        """Return the path, and what follows a question mark as further settings."""
        path, _, query = rest.partition("?")
        return {"path": path, **dict(parse_qsl(query))}

    def kinds(self) -> Mapping[str, Records[Any] | NotSupported]:
        """Return all kinds of record: this store keeps every one."""
        return self._kinds

    def info(self) -> Flow[StoreInfo]:
        """Return the store's identity and facts, with its locations and markets.

        Raises:
            ConfigError: if the file is no store of ours or has another currency.
        """
        return (yield from call(self._info))

    def _info(self) -> StoreInfo:
        with self._database.read() as session:
            self._same_currency(session)
            return StoreInfo(
                id=session.fact("identity"),
                name=self.settings.name or session.fact("name") or self._title(),
                url="" if self.settings.path == MEMORY else f"local:{self.settings.path}",
                currency=session.fact("currency"),
                locales=self.settings.locales,
                time_zone=self.settings.time_zone,
                weight_unit=self.settings.weight_unit,
                length_unit=self.settings.length_unit,
                locations=session.all(Location),
                markets=session.all(Market),
            )

    def _title(self) -> str:
        return Path(self.settings.path).stem if self.settings.path != MEMORY else "memory"

    def _same_currency(self, session: Session) -> None:
        held, given = session.fact("currency"), self.settings.currency
        if "currency" in self.settings.model_fields_set and held != given:
            raise ConfigError(
                f"{self.settings.path} is a store in {held}, and {given} was asked for. "
                f"Leave the currency out, or name a new file for a store in {given}."
            )

    def prepare(
        self, request: Request, credentials: Credentials, nonce: str, now: float
    ) -> Request:
        """Refuse: there is no HTTP interface to send a request to."""
        raise NotSupported("a local store has no HTTP interface", "open its file with SQLite")

    def error(self, response: Response) -> StorebridgeError | None:
        """Return None: a local store gives no answers over HTTP."""
        return None

    def missing(self) -> str:
        """Return that the store's file isn't there, if so."""
        path = self.settings.path
        return "" if path == MEMORY or Path(path).exists() else f"there is no store file {path}"

    def picture(self, url: str) -> str:
        """Return the file of a picture that was uploaded: its address works in this store only."""
        path = self._database.shelf.file_of(url)
        return url if path is None else path.resolve().as_uri()

    def close(self) -> None:
        """Close the file; the next operation opens it again."""
        self._database.close()
