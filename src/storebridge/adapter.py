"""The contract between storebridge and a platform: what an adapter declares and does.

Users never see these types; they hold a `Store`. An adapter is small: it says who it is, what
its store can hold, and for each kind of record how to page, fetch and write. It does no I/O:
every operation is a flow (`storebridge.flow`). `ADDING_A_PLATFORM.md` walks through one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, SecretStr

from storebridge.errors import NotSupported, StorebridgeError
from storebridge.flow import Clock, Flow, Outcome, Request, Response, Status
from storebridge.models import Record
from storebridge.models.store import StoreInfo

__all__ = [
    "CONTRACT",
    "PARTS",
    "Action",
    "Adapter",
    "Batch",
    "BulkLimits",
    "Change",
    "Cost",
    "Credentials",
    "Field",
    "Fit",
    "Grant",
    "Level",
    "Limits",
    "MediaLimits",
    "Outcome",
    "Page",
    "Query",
    "Records",
    "Status",
    "Way",
]

T = TypeVar("T", bound=Record)

#: The version of this contract; an adapter that declares another one is refused by name.
CONTRACT = 1

#: The parts that a record is written in, in order. An adapter puts each field into one: fields
#: of one part are written by one operation, and a failed part leaves the others alone.
PARTS = (
    "core",
    "media",
    "inventory",
    "prices",
    "metafields",
    "translations",
    "publication",
    "membership",
)

Action = Literal["create", "update", "delete"]

#: How changes are made: by requests of their own, or as lines of a job that the platform runs.
Way = Literal["direct", "bulk"]


@dataclass(frozen=True, slots=True)
class Field:
    """What a platform can do with one field of a kind of record.

    Fields that a record's declaration does not name can't be stored: they go into the fit report
    before anything is written.
    """

    part: str = "core"
    write: bool = True
    read: bool = True
    reverse: bool = True
    """Whether an undo can put the old value back."""
    max_length: int | None = None
    """The most characters (text) or elements (lists) that fit."""
    source: str = ""
    """Where a limit is written down: the platform's page or schema."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Something that a platform can't hold, found before anything is written."""

    kind: str
    label: str
    """Which record, in a person's words."""
    field: str
    message: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which records to page through; an empty query means all of them, in any status."""

    ids: tuple[str, ...] = ()
    updated_since: datetime | None = None
    status: str = ""
    fields: frozenset[str] | None = None
    """The fields that are needed, by path as they are declared ("variants.price") or by one above;
    None means every field that can be read. More may come."""
    raw: bool = False
    """Whether each record carries the platform's own one."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some records and where the next ones are; an empty cursor means there are no more."""

    records: tuple[T, ...]
    cursor: str = ""
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Generic[T]):
    """One record and one part of it, as a plan shows it.

    `desired` has exactly the fields to write, lists resolved: a list that replaces is whole, a
    list that merges has the elements that change, each with its id where the store has one.
    """

    id: str
    """Stable over resumes; outcomes and requests name it."""
    action: Action
    part: str
    record_id: str = ""
    """The platform's id; empty for a record that is to be created."""
    key: str = ""
    """How to find the record when an outcome is unknown ("handle:tee")."""
    desired: T
    before: T | None = None
    """The same fields as the plan read them; None for a create."""
    removed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Elements to take out of merging lists, by field: their keys ("id:7")."""
    media: Mapping[str, str] = field(default_factory=dict)
    """The ids of media that its sources became before, by their keys ("url:…"), where known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(Generic[T]):
    """Changes of one kind and part that are sent together, and what is known from before.

    After a kill the same batch comes again with the same `id`: `uncertain` names the changes that
    may have been sent without an outcome, and `state` is what the flow remembered last.
    """

    id: str
    changes: tuple[Change[T], ...]
    ids: Mapping[str, str] = field(default_factory=dict)
    """Platform ids of referenced records, by "kind handle:…": "collection handle:summer"."""
    uncertain: frozenset[str] = frozenset()
    state: Any = None
    way: Way = "direct"
    """"bulk" is asked for only of records that have `bulk`; what no job can do goes directly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How fast a store may be asked, as the platform documents it or as it was measured."""

    rate: float | None = None
    """Points that come back each second; None means no limit is known."""
    burst: float = 1.0
    """Points that can be saved up."""
    concurrency: int = 1
    """Flows at once that are known to be good."""
    max_concurrency: int = 1
    """Flows at once that `speed = "max"` may climb to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What it takes to make changes, known before anything is sent.

    A change that shares a request with others costs a fraction of it.
    """

    requests: float
    points: float = 0.0
    """What the requests take from the store's rate limit."""
    lines: int = 0
    """The lines of a job that would make it instead; 0 where no job can."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            requests=self.requests + other.requests,
            points=self.points + other.points,
            lines=self.lines + other.lines,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkLimits:
    """How a platform takes many changes as one job, which it works off by itself."""

    changes: int
    """The most changes of one job."""
    at_once: int
    """Jobs that run side by side."""
    cost: Cost
    """What one job takes besides its lines: staging, starting, looking how far it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What an answer said about the rate limit; the store's word beats any count of ours."""

    available: float
    capacity: float | None = None
    rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLimits:
    """What a platform takes as a picture file; checked before anything is written."""

    pixels: int = 0
    """The most pixels (width times height); 0 means that no limit is known."""
    bytes: int = 0
    """The largest file."""
    kinds: frozenset[str] = frozenset()
    """What it may be: "jpeg", "png", "gif", "webp", "avif", "heic", ...; empty means all."""
    source: str = ""
    """Where it is written down: the platform's page."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What `prepare` signs requests with; shown nowhere."""

    values: Mapping[str, SecretStr] = field(default_factory=dict, repr=False)
    expires_at: float | None = None
    """Seconds since the epoch; the engine renews credentials before that."""

    def __getitem__(self, name: str) -> str:
        return self.values[name].get_secret_value()


class Records(ABC, Generic[T]):
    """One kind of record of one platform: how to read it and how to write it."""

    model: type[T]
    fields: Mapping[str, Field]
    """What the platform can hold, by field path ("title", "variants.price")."""
    finds: tuple[str, ...] = ("id",)
    """The kinds of key that `fetch` takes, besides "id": "handle", "sku", "key", ...

    In the order in which they cost least to look up: what a plan creates is looked for once more,
    just before it is sent, by the first of them that the record has.
    """
    batch_size: int = 50
    """The most changes that one `write` gets."""
    shared_size: int = 0
    """The most of them where they share requests, by `cost`; 0: no more than `batch_size`."""
    fetch_size: int = 50
    """The most keys that one `fetch` gets."""
    consults: frozenset[str] = frozenset()
    """The fields for which a store has rules of its own, which `consult` asks for."""
    shares_media: bool = False
    """Whether a medium's id may be given for another record of the store too.

    Then a source is uploaded once per store: a plan gives the id that it has got, and the medium
    is attached.
    """
    copies_media: bool = False
    """Whether the store keeps a copy of each picture under an address of its own, so that a
    medium can't be known by the address that it was made of."""
    media_limits: MediaLimits = MediaLimits()
    bulk: BulkLimits | None = None
    """How many changes are made as one job; None where the platform has no jobs for them."""

    @abstractmethod
    def page(self, query: Query, cursor: str) -> Flow[Page[T]]:
        """Return the records at a cursor; "" is the start. Each record comes exactly once."""

    def count(self, query: Query) -> Flow[int | None]:
        """Return how many records a query brings; None where only reading them tells."""
        return None
        yield  # a generator: nothing is asked

    @abstractmethod
    def fetch(self, keys: Sequence[str], fields: frozenset[str] | None) -> Flow[tuple[T, ...]]:
        """Return the records that have any of these keys ("id:7", "sku:A-1"), each once.

        Keys that hit nothing are left out. `fields` are those needed, as in a `Query`: what isn't
        among them may be missing, names too.
        """

    @abstractmethod
    def write(self, batch: Batch[T]) -> Flow[None]:
        """Make the changes and `report` an outcome for each; one without is `unknown`.

        For a change in `batch.uncertain`, and on `OutcomeUnknown`, look for what may have been
        made (by `change.key`) before anything is created.
        """

    def consult(self) -> Flow[None]:
        """Ask for the store's own rules, so that `check` can judge by them.

        A plan does so once, before it checks the first record that gives a field in `consults`.
        """
        return
        yield  # a generator: nothing is asked

    def check(self, record: T) -> Iterable[Fit]:
        """Return what the platform is known to refuse about a desired record."""
        return ()

    def fixed(self, desired: T, live: T) -> Mapping[str, str]:
        """Return the fields that can't be changed in a record that is there, each with the reason.

        A plan leaves them out, and says so in the fit report.
        """
        return {}

    def is_late(self, record: T) -> bool:
        """Return whether a record can be written only once the others of its kind are there.

        A plan sends it after them. That is for the platform's own fields that name other records
        (a bundle's members); what the model itself refers to is seen to without it.
        """
        return False

    def cost(self, change: Change[T]) -> Cost | None:
        """Return what a change takes when it is made directly; None where that isn't known.

        A plan adds it up, says what each way takes, and chooses the cheaper one.
        """
        return None

    def lanes(self, change: Change[T]) -> tuple[str, ...]:
        """Return what no two flows may touch at once; by default the record itself."""
        return (f"{self.model.kind} {change.record_id or change.key}",)


class Grant(ABC):
    """How a person lets an app in with a browser, which then calls back with a code (OAuth 2)."""

    @abstractmethod
    def url(self, redirect_uri: str, state: str) -> str:
        """Return the address that the person opens.

        Args:
            redirect_uri: where the browser is sent back to; the app must have it registered.
            state: a random word of the caller's, for this one time.
        """

    @abstractmethod
    def code(self, query: str, state: str, now: float) -> str:
        """Return the code in the query of a callback, once that is proven to be the store's.

        Raises:
            AuthError: if it isn't: another state, signature, store or time; with the code
                "access_denied" if it is, and says no.
        """

    @abstractmethod
    def exchange(self, code: str, clock: Clock) -> Flow[Credentials]:
        """Return the first credentials, for a code."""


class Adapter(ABC):
    """One platform. An instance is one store's settings and makes flows; it holds no connection."""

    name: ClassVar[str]
    """The platform's word, in URLs and messages: "shopify"."""
    title: ClassVar[str]
    """The platform's name as people write it: "Shopify"."""
    api_version: ClassVar[str]
    contract: ClassVar[int] = CONTRACT
    Settings: ClassVar[type[BaseModel]]
    """A store's settings: their validation, the prompts and the docs from one declaration."""

    def __init__(self, settings: BaseModel) -> None:
        """Keep validated settings."""
        self.settings = settings

    @classmethod
    def settings_from_url(cls, rest: str) -> dict[str, str]:
        """Return settings from what follows "platform:" or "platform+" in a store's URL."""
        return {"url": rest}

    def close(self) -> None:
        """Let go of what the adapter holds open (the local store's file); most hold nothing."""
        return

    @property
    def base_url(self) -> str:
        """Where requests go: scheme, host and common path. Empty for a store without a network."""
        return ""

    @property
    def signs_requests(self) -> bool:
        """Whether requests are signed and carry no secret, so that they may go over plain http."""
        return False

    @property
    def limits(self) -> Limits:
        """How fast the store may be asked."""
        return Limits()

    @abstractmethod
    def info(self) -> Flow[StoreInfo]:
        """Return the store's identity and facts."""

    @abstractmethod
    def kinds(self) -> Mapping[str, Records[Any] | NotSupported]:
        """Return what the platform keeps, by kind of record, or why it can't."""

    def records(self, kind: str) -> Records[Any]:
        """Return one kind of record.

        Raises:
            NotSupported: if the platform lacks it; the reason says what to use instead.
        """
        found = self.kinds().get(kind)
        if found is None:
            found = NotSupported(f"the {self.name} adapter has no records of kind {kind!r}")
        if isinstance(found, NotSupported):
            raise found
        return found

    def authorize(self, clock: Clock) -> Flow[Credentials]:
        """Return credentials that are good now; called again when they expire or are refused."""
        return Credentials()
        yield  # an empty generator: nothing is sent by default

    @property
    def vault_key(self) -> str:
        """What credentials that rotate are kept under: the address and the app; "" for others.

        `authorize` then gets the first ones, where settings alone can; `renew` all that follow.
        """
        return ""

    def renew(self, kept: Credentials, clock: Clock) -> Flow[Credentials]:
        """Return credentials in place of kept ones, which end or were refused.

        The engine lets one flow at a time do it, keeps the new ones durably before they are used,
        and calls it again with the same ones where an answer was lost.
        """
        raise NotImplementedError

    @property
    def grant(self) -> Grant | None:
        """How a person lets the app in with a browser; None where that isn't the way in."""
        return None

    def prepare(
        self, request: Request, credentials: Credentials, nonce: str, now: float
    ) -> Request:
        """Return the request as it is sent: version, user agent, credentials, signature."""
        return request

    def error(self, response: Response) -> StorebridgeError | None:
        """Return the error that an answer means, None for success. 200 may hide one."""
        raise NotImplementedError

    def misshapen(self, request: Request, response: Response) -> str:
        """Return the path of the first place in an answer that isn't as its request asked for.

        Asked only once an answer couldn't be read, so that the error names the place; "" where
        all is as it should be, or the adapter doesn't know how an answer should look.
        """
        return ""

    def level(self, response: Response) -> Level | None:
        """Return what an answer says about the rate limit."""
        return None

    def notice(self, response: Response) -> str:
        """Return what an answer warns of besides ("this call goes in 2027-04"); "" for nothing."""
        return ""

    def lacking(self, kind: str = "") -> tuple[str, ...]:
        """Return what the credentials may not do, right by right with what needs it.

        Known once `info` was asked: "no scope read_orders, for reading orders". Told when a store
        is checked, and in a plan before anything is written, there of the kinds that it changes.
        """
        return ()

    def probe(self) -> Flow[None]:
        """Find out what `lacking` tells and `info` can't know; nothing is changed.

        Run when a store is checked.
        """
        return
        yield

    def missing(self) -> str:
        """Return why there is no such store (a file is gone), "" where that isn't known.

        Asked before a plan is applied: the local store makes a file that isn't there otherwise.
        """
        return ""

    def picture(self, url: str) -> str:
        """Return where another store can read a picture of this one; by default its address."""
        return url

    def normalise(self, record: T) -> T:
        """Return a desired record as the platform would give it back (trimmed, folded)."""
        return record
