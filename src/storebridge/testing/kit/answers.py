"""Answers: what each status and each broken body means, and what requests say about themselves."""

from __future__ import annotations

from typing import Any

import pytest

from storebridge.adapter import Query
from storebridge.engine import Engine, EngineOptions, HandlerTransport
from storebridge.errors import (
    AccessDenied,
    AuthError,
    Conflict,
    NotFound,
    RateLimited,
    Rejected,
    StorebridgeError,
    Unavailable,
)
from storebridge.flow import Flow, RequestKind, Response, Status
from storebridge.models import KINDS
from storebridge.testing.faults import THROTTLES, Fault, at
from storebridge.testing.kit.base import Base, kinds
from storebridge.testing.rig import Rig, creation
from storebridge.wire import writes

__all__ = ["AnswerTests"]

_CLASSES: dict[int, type[StorebridgeError]] = {
    401: AuthError,
    403: AccessDenied,
    404: NotFound,
    409: Conflict,
    422: Rejected,
    429: RateLimited,
    500: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
    520: Unavailable,
}
_HTML = b"<!DOCTYPE html><title>Attention required</title><p>Ray ID: 8f</p>"
_ERROR_BODIES = (
    b"",
    _HTML,
    b'{"error": {"message": "cut o',
    b"[]",
    b"null",
    b'"text"',
    b"12",
    b"{}",
    b'{"error": "text", "errors": "text", "message": 3, "code": []}',
    b'{"error": {"message": null, "fields": []}, "errors": [null, 1, {"message": {}}]}',
    b'{"errors": {"title": ["bad"], "x": null}, "data": {"params": 1}}',
    b"\xff\xfe{}",
    b'{"error": ' + b"[" * 500,
)
#: Bodies of a 200 that are an answer on no platform.
_NO_ANSWERS = (
    b"",
    _HTML,
    b'{"items": [{"id": 1, "ti',
    b"null",
    b'"text"',
    b"{}",
    b"\xff\xfe{}",
    b"NaN",
)


class AnswerTests(Base):
    """Errors and requests, for stores that are asked over HTTP."""

    @pytest.mark.parametrize("status", _CLASSES)
    def test_status_means_an_error(self, rig: Rig, status: int) -> None:
        """Each status has its class of error, whatever the body is."""
        self.networked(rig)
        for body in _ERROR_BODIES:
            error = rig.adapter.error(Response(status=status, body=body))
            assert isinstance(error, _CLASSES[status]), f"{status} with {body[:30]!r}: {error!r}"
            assert getattr(error, "status", 0) == status

    def test_error_keeps_the_request_id(self, rig: Rig) -> None:
        """The platform's name for a request reaches the error, for its support."""
        self.networked(rig)
        error = rig.adapter.error(Response(status=422, body=b"{}", request_id="kit-7"))
        assert getattr(error, "request_id", "") == "kit-7"

    def test_throttling_tells_how_long(self, rig: Rig) -> None:
        """Retry-After is read in seconds, or left to the engine; nonsense is no error of ours."""
        self.networked(rig)
        for text, seconds in (("7", 7.0), ("2.5", 2.5), ("soon", None), ("", None)):
            response = Response(status=429, headers={"retry-after": text})
            error = rig.adapter.error(response)
            assert isinstance(error, RateLimited)
            assert error.retry_after in (None, seconds), f"Retry-After: {text}"

    @pytest.mark.parametrize("shape", range(len(THROTTLES)))
    def test_throttled_requests_wait_and_succeed(self, rig: Rig, shape: int) -> None:
        """A throttle that clears costs time and nothing else; it is never waited out too short."""
        self.networked(rig)
        asked = THROTTLES[shape].headers.get("retry-after", "")
        began = rig.clock.monotonic()
        plan = at({shape: Fault.THROTTLED})
        info = rig.run(self._several(rig, shape + 1), plan)
        assert info.id == rig.info.id
        if asked.replace(".", "").isdecimal():
            assert rig.clock.monotonic() - began >= float(asked)

    @pytest.mark.parametrize("body", _NO_ANSWERS, ids=range(len(_NO_ANSWERS)))
    def test_no_answer_is_an_error(self, rig: Rig, body: bytes) -> None:
        """A 200 with a page of HTML, half a body or nothing is never taken for an empty store."""
        self.networked(rig)
        transport = HandlerTransport(lambda request: Response(status=200, body=body))
        flows: list[Flow[Any]] = [rig.adapter.info()]
        for kind in filter(rig.supports, KINDS):
            flows.append(rig.records(kind).page(Query(), ""))
            flows.append(rig.records(kind).fetch(["id:1"], None))
        for flow in flows:
            engine = Engine(
                rig.adapter, clock=rig.clock, transport=transport, options=EngineOptions(tries=1)
            )
            try:
                result = engine.run(flow)
            except StorebridgeError:
                continue
            raise AssertionError(f"{body!r} was read as {result!r}")

    def test_refused_credentials_end_a_batch(self, rig: Rig) -> None:
        """Nothing more is sent once the store refuses the credentials; the caller hears of it."""
        self.networked(rig)
        kind = next(filter(rig.supports, KINDS))
        first, second = (creation(self.small(rig, kind, f"kit-{n}"), str(n)) for n in (1, 2))
        batch, asked = rig.batch(first, second), 0

        def refuse(request: object) -> Response:
            nonlocal asked
            asked += 1
            return Response(status=401)

        engine = Engine(rig.adapter, clock=rig.clock, transport=HandlerTransport(refuse))
        with pytest.raises(AuthError):
            engine.run_batch(rig.records(kind), batch)
        assert asked <= 2, f"{asked} requests with credentials that were refused"

    @kinds
    def test_one_bad_change_leaves_the_others(self, rig: Rig, kind: str) -> None:
        """A change that can't be made fails alone, and every change has an outcome."""
        records = self.supported(rig, kind)
        if records.batch_size < 2:
            pytest.skip("changes are sent one by one")
        lost = rig.create(self.small(rig, kind, "kit-lost"))
        live = rig.read(kind, lost)
        rig.write(kind, _change("delete", live, live))
        bad = _change("update", self.small(rig, kind, "kit-lost"), live)
        good = [creation(self.small(rig, kind, f"kit-{name}"), name) for name in ("a", "c")]
        outcomes = rig.run_batch(kind, rig.batch(good[0], bad, good[1]))
        assert [outcome.change for outcome in outcomes] == ["a", "update", "c"]
        assert [o.status for o in outcomes] == [Status.APPLIED, Status.FAILED, Status.APPLIED]
        assert outcomes[1].message, "a failure says why"
        assert outcomes[1].cause != "error", "a failure has a cause of the closed list"
        ids = {record.id for record in rig.all(kind)}
        assert {outcomes[0].id, outcomes[2].id} <= ids

    @kinds
    def test_requests_name_their_changes(self, rig: Rig, kind: str) -> None:
        """A request that changes something says so, and which changes it makes."""
        self.networked(rig)
        self.supported(rig, kind)
        record_id = rig.create(self.pruned(rig, kind, 1))
        live = rig.read(kind, record_id)
        rig.write(kind, _change("delete", live, live))
        for exchange in rig.exchanges:
            request = exchange.request
            shown = f"{request.method} {request.path}"
            if writes(request) and request.kind is not RequestKind.TOKEN:
                assert request.kind.mutates, f"{shown} changes something and is of kind READ"
            if request.kind.mutates:
                assert request.covers, f"{shown} names no change"
        assert any(exchange.request.kind.mutates for exchange in rig.exchanges)

    def _several(self, rig: Rig, times: int) -> Flow[Any]:
        """Ask for the store's facts so often that the request with the fault is among them."""
        info = None
        for _ in range(times):
            info = yield from rig.adapter.info()
        return info


def _change(action: Any, desired: Any, live: Any) -> Any:
    from storebridge.adapter import Change

    return Change(
        id=action,
        action=action,
        part="core",
        record_id=live.id,
        desired=desired,
        before=live if action == "delete" else None,
    )
