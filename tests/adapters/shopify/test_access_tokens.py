"""The life of tokens that expire: renewed by one at a time, kept before use, never orphaned."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import subprocess
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.shopify.consent import App, Handler, look

from storebridge.engine import AsyncEngine, EngineOptions, HandlerTransport
from storebridge.errors import (
    AuthError,
    BadAnswer,
    ConfigError,
    OutcomeUnknown,
    StorebridgeError,
    Unavailable,
)
from storebridge.flow import Request, RequestKind, Response, wait
from storebridge.testing.sandbox import SandboxServer, header
from storebridge.vault import Drawer, Kept, Vault
from storebridge_shopify.sandbox import create
from storebridge_shopify.sandbox_access import CLIENT

HOUR = 3_600
SECRET = re.compile(r"shpat_[0-9a-f]|shprt_[0-9a-f]|shpss_")


@pytest.fixture
def app(tmp_path: Path) -> App:
    app = App(tmp_path)
    app.let_in()
    return app


def kept(app: App) -> Kept:
    drawer = app.vault.drawer(app.adapter().vault_key)
    try:
        assert drawer.lock(1.0)
        found = drawer.read()
    finally:
        drawer.close()
    assert found is not None
    return found


# -- renewing


def test_a_token_is_renewed_five_minutes_early_and_once(app: App) -> None:
    engine = app.engine()
    engine.run(look())
    app.clock.advance(HOUR - 301)
    engine.run(look())
    assert app.renewals == 0
    app.clock.advance(2)
    for _ in range(3):
        engine.run(look())
    assert app.asked == ["call", "call", "token", "call", "call", "call"]


def test_a_refused_token_is_renewed_once_at_once(app: App) -> None:
    engine = app.engine()
    engine.run(look())
    app.sandbox.run("DELETE FROM tokens WHERE kind = 'access'")
    assert engine.run(look())
    assert app.asked == ["call", "call", "token", "call"]


def test_an_address_that_leads_elsewhere_is_not_told_as_lost_access(app: App) -> None:
    def moved(request: Request, sandbox: Handler) -> Response:
        if request.kind is RequestKind.TOKEN:
            return Response(status=302, headers={"location": "https://other.example/"})
        return sandbox(request)

    app.between = moved
    app.clock.advance(HOUR)
    with pytest.raises(BadAnswer, match="redirect"):
        app.engine().run(look())


def test_the_refresh_token_rotates(app: App) -> None:
    engine = app.engine()
    seen = set()
    for _ in range(5):
        engine.run(look())
        seen.add(kept(app).newest["refresh_token"])
        app.clock.advance(HOUR)
    assert len(seen) == 5
    assert app.renewals == 4


def test_the_new_pair_is_kept_before_it_is_used_and_the_old_one_until_it_has_worked(
    app: App,
) -> None:
    app.engine().run(look())
    old = kept(app)
    found: list[Kept] = []

    def between(request: Request, sandbox: Handler) -> Response:
        if request.path != "/admin/oauth/access_token":
            found.append(kept(app))
            assert header(request, "x-shopify-access-token") == found[-1].newest["token"]
        return sandbox(request)

    app.between = between
    app.clock.advance(HOUR)
    engine = app.engine()
    for _ in range(2):
        engine.run(look())
    assert [each.before for each in found] == [old.newest, None]
    assert found[0].newest == found[1].newest != old.newest


def test_a_next_process_uses_what_is_kept(app: App) -> None:
    for _ in range(3):
        app.engine().run(look())
    assert app.renewals == 0


def test_a_store_that_was_not_used_for_weeks_gets_in(app: App) -> None:
    app.clock.advance(80 * 24 * HOUR)
    assert app.engine().run(look())
    assert app.asked == ["token", "call"]


def test_a_refresh_token_that_ran_out_asks_for_a_person(app: App) -> None:
    app.clock.advance(91 * 24 * HOUR)
    with pytest.raises(AuthError, match="refused the app's access") as caught:
        app.engine().run(look())
    assert "storebridge stores add NAME shopify://sandbox.myshopify.com" in caught.value.remedy
    assert app.asked == ["token"]


def test_a_token_that_was_given_without_an_end_is_used_until_it_is_refused(app: App) -> None:
    def between(request: Request, sandbox: Handler) -> Response:
        if isinstance(request.body, bytes) and b"expiring=1" in request.body:
            body = request.body.replace(b"&expiring=1", b"")
            request = Request(method="POST", path=request.path, body=body)
        return sandbox(request)

    app.between = between
    app.let_in()
    app.clock.advance(200 * 24 * HOUR)
    engine = app.engine()
    engine.run(look())
    app.sandbox.uninstall()
    with pytest.raises(AuthError, match="stores add"):
        engine.run(look())
    assert app.asked == ["call", "call"]


# -- one renewal for all


def test_many_threads_of_many_engines_renew_once(app: App) -> None:
    engines = [app.engine() for _ in range(4)]
    for engine in engines:
        engine.run(look())
    for hour in range(1, 4):
        app.clock.advance(HOUR)
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(lambda n: engines[n % 4].run(look()), range(16)))
        assert app.renewals == hour


def test_many_tasks_renew_once(app: App) -> None:
    async def use() -> None:
        options = EngineOptions(vault=app.vault)
        transport = HandlerTransport(app.answer)
        engines = [
            AsyncEngine(app.adapter(), clock=app.clock, transport=transport, options=options)
            for _ in range(2)
        ]
        for hour in range(3):
            found = await asyncio.gather(*(engines[n % 2].run(look()) for n in range(16)))
            assert all(found)
            assert app.renewals == hour
            app.clock.advance(HOUR)

    asyncio.run(use())


def test_a_task_that_is_cancelled_while_it_waits_leaves_the_vault_free(app: App) -> None:
    drawer = app.vault.drawer(app.adapter().vault_key)

    async def use() -> None:
        engine = AsyncEngine(
            app.adapter(),
            clock=app.clock,
            transport=HandlerTransport(app.answer),
            options=EngineOptions(vault=app.vault),
        )
        assert drawer.lock(0.0)
        task = asyncio.create_task(engine.run(look()))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])
        drawer.close()

    asyncio.run(use())
    assert app.engine().run(look())


_PROCESS = """
import sys
from storebridge.engine import Engine, EngineOptions
from storebridge.vault import FileVault
from pathlib import Path
from storebridge_shopify import ShopifyAdapter, ShopifySettings
from storebridge_shopify.graphql import call
url, folder, app, secret = sys.argv[1:]
settings = {"url": url, "client_id": app, "client_secret": secret, "grant": "authorization_code"}
adapter = ShopifyAdapter(ShopifySettings.model_validate(settings))
vault = FileVault(Path(folder))
if "die" in sys.stdin.readline():
    drawer = type(vault.drawer("x"))
    drawer.write = lambda self, kept: __import__("os")._exit(9)
with Engine(adapter, options=EngineOptions(vault=vault)) as engine:
    print(engine.run(call("shop"))["shop"]["name"])
"""


def test_processes_renew_once_and_one_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    now = [1_700_000_000.0]
    shop, calls = create(None, clock=lambda: now[0]), []

    def handler(request: Request) -> Response:
        calls.append(request.path)
        return shop(request)

    with SandboxServer(handler) as server:
        app = App(tmp_path, url=server.url)
        shop.url = server.url
        app.sandbox = shop
        app.let_in()
        # Their clocks are the machine's: what was kept ended long ago for them.
        arguments = [server.url, str(tmp_path / "tokens"), *CLIENT]

        def start() -> subprocess.Popen[str]:
            return subprocess.Popen(
                [sys.executable, "-c", _PROCESS, *arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip

        dying = start()
        dying.communicate("die\n")
        assert dying.returncode == 9
        assert calls.count("/admin/oauth/access_token") == 1
        others = [start() for _ in range(2)]
        for each in others:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        for each in others:
            out, err = each.communicate()
            assert out.strip(), err
    assert calls.count("/admin/oauth/access_token") == 2


# -- what goes wrong


@pytest.mark.parametrize(
    "trouble", ["timeout", "bad_gateway", "unavailable", "truncated", "too_many", "internal"]
)
def test_a_renewal_whose_answer_was_lost_is_asked_for_again(app: App, trouble: str) -> None:
    app.clock.advance(HOUR)
    app.sandbox.switch(token_troubles=[f"{trouble}*2"])
    engine = app.engine()
    assert engine.run(look())
    assert app.asked == ["token", "token", "token", "call"]
    app.clock.advance(HOUR)
    assert engine.run(look())


def test_an_outage_before_the_end_lets_the_old_token_work_on(app: App) -> None:
    engine = app.engine()
    engine.run(look())
    app.clock.advance(HOUR - 299)
    app.sandbox.switch(token_troubles=["timeout*4"])
    assert engine.run(look())  # the old token
    assert engine.run(look())
    app.clock.advance(60)
    assert engine.run(look())
    assert app.asked == ["call", *["token"] * 4, "call", "call", "token", "call"]


def test_an_outage_after_the_end_is_an_outage_and_no_lost_store(app: App) -> None:
    app.clock.advance(HOUR)
    app.sandbox.switch(token_troubles=["timeout*4"])
    with pytest.raises(Unavailable, match="no credentials could be had"):
        app.engine().run(look())
    assert app.engine().run(look())


@pytest.mark.parametrize("cut", [60, 40, 1])
def test_a_broken_answer_with_a_token_is_quoted_nowhere(
    app: App, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def between(request: Request, sandbox: Handler) -> Response:
        answer = sandbox(request)
        return Response(status=200, body=answer.body[:-cut])

    app.clock.advance(HOUR)
    app.between = between
    with pytest.raises(Unavailable) as caught:
        app.engine().run(look())
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert not SECRET.search(shown)


def test_an_outage_of_tokens_says_nothing_of_a_change(app: App) -> None:
    """The change was not sent: its outcome is no unknown one."""
    app.clock.advance(HOUR)
    app.sandbox.switch(token_troubles=["timeout*4"])

    def change() -> Any:
        from storebridge_shopify.graphql import call

        return (yield from call("product_delete", {"id": "x"}, kind=RequestKind.CREATE))

    with pytest.raises(Unavailable):
        app.engine().run(change())


class Crash(BaseException):
    """A process that ends."""


@dataclass
class Crashing:
    """A vault whose process ends when it puts something down."""

    vault: Vault
    after: bool
    """Whether it is down by then."""

    def drawer(self, key: str) -> Drawer:
        drawer = self.vault.drawer(key)
        write: Callable[[Kept], None] = drawer.write

        def crash(kept: Kept) -> None:
            if self.after:
                write(kept)
            raise Crash

        drawer.write = crash  # type: ignore[method-assign]  # a test's double
        return drawer


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_between_answer_and_vault_loses_nothing(app: App, after: bool) -> None:
    for turn in range(1, 4):
        app.clock.advance(HOUR)
        with pytest.raises(Crash):
            app.engine(Crashing(app.vault, after)).run(look())
        assert app.engine().run(look())
        assert app.renewals == turn * (1 if after else 2)


def test_a_vault_that_is_full_is_told_and_the_store_is_not_lost(app: App) -> None:
    class Full(Crashing):
        def drawer(self, key: str) -> Drawer:
            drawer = self.vault.drawer(key)

            def full(kept: Kept) -> None:
                raise ConfigError("the disk is full")

            drawer.write = full  # type: ignore[method-assign]  # a test's double
            return drawer

    app.clock.advance(HOUR)
    with pytest.raises(ConfigError, match="full"):
        app.engine(Full(app.vault, False)).run(look())
    assert app.asked == ["token"]
    assert app.engine().run(look())


def test_a_pair_that_never_worked_is_renewed_from_the_one_before(app: App) -> None:
    app.clock.advance(HOUR)
    with pytest.raises(Crash):
        app.engine(Crashing(app.vault, True)).run(look())
    new = kept(app)
    assert new.before is not None
    # What was kept is not what the shop knows: of a renewal that it never finished, say.
    refresh, access = new.newest["refresh_token"], new.newest["token"]
    app.sandbox.run("DELETE FROM tokens WHERE token IN (?, ?)", refresh, access)
    app.asked.clear()
    assert app.engine().run(look())
    assert app.asked == ["call", "token", "token", "call"]


def test_a_pair_that_worked_in_a_process_that_was_killed_then_is_renewed_from_itself(
    app: App,
) -> None:
    app.clock.advance(HOUR)
    with pytest.raises(Crash):
        app.engine(Crashing(app.vault, True)).run(look())
    new = kept(app)
    assert new.before is not None
    # Its first answer was the last thing that the process saw: the vault knows nothing of it.
    app.sandbox(
        Request(
            method="POST", path="/admin/api/2026-10/graphql.json", body=b'{"query": "{shop{id}}"}',
            headers={"x-shopify-access-token": new.newest["token"],
                     "content-type": "application/json"},
        )
    )  # fmt: skip
    app.sandbox.run("DELETE FROM tokens WHERE kind = 'access'")
    assert app.engine().run(look())


def test_a_pair_that_another_process_got_may_be_refused_as_well(app: App) -> None:
    mine, other = app.engine(), app.engine()
    mine.run(look())
    for engine in (other, mine):
        app.sandbox.run("DELETE FROM tokens WHERE kind = 'access'")
        app.asked.clear()
        assert engine.run(look())
    assert app.asked == ["call", "call", "token", "call"]


@pytest.mark.parametrize("fresh", [False, True])
def test_a_revoked_store_stops_after_two_requests_and_says_what_to_do(
    app: App, fresh: bool
) -> None:
    engine = app.engine()
    engine.run(look())
    if fresh:  # the pair has not worked yet
        app.clock.advance(HOUR)
        with pytest.raises(Crash):
            app.engine(Crashing(app.vault, True)).run(look())
        engine = app.engine()
    app.sandbox.uninstall()
    app.asked.clear()
    for _ in range(5):
        with pytest.raises(AuthError, match="storebridge stores add") as caught:
            engine.run(look())
        assert not SECRET.search(str(caught.value))
    # A pair that never worked may be no good: the one before is tried as well.
    assert app.asked == (["call", "token", "token"] if fresh else ["call", "token"])
    app.let_in()
    assert app.engine().run(look())


def test_a_store_that_was_let_in_again_works_at_once(app: App) -> None:
    engine = app.engine()
    engine.run(look())
    app.sandbox.uninstall()
    with pytest.raises(AuthError):
        engine.run(look())
    grant = app.adapter().grant
    assert grant is not None
    engine.accept(grant.code(app.callback(), "state-1", app.clock.time()))
    assert engine.run(look())


# -- many lives: expiry in mid-run, threads, lost answers, crashes, revocation, at random

_LOST = ("timeout", "bad_gateway", "unavailable", "truncated", "520")


class Life:
    """One store's tokens through some hours in which things go wrong."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random, self.failing = random.Random(seed), 0
        self.app = App(folder, self.between)
        self.app.let_in()
        self.engines = [self.app.engine() for _ in range(2)]
        self.told: list[str] = []

    def between(self, request: Request, sandbox: Handler) -> Response:
        if request.path == "/admin/oauth/access_token" and self.failing:
            self.failing -= 1
            kind = self.random.choice(_LOST)
            done = sandbox(request) if self.random.random() < 0.5 else None  # done, and lost
            if kind == "520":
                return Response(status=520, body=b"<html>520</html>")
            if kind == "truncated" and done is not None:
                return Response(status=200, body=done.body[: len(done.body) // 2])
            if kind == "timeout":
                raise OutcomeUnknown("the connection was closed")
            return Response(status=502, body=b"<html>502</html>")
        return sandbox(request)

    def live(self) -> None:
        for _ in range(self.random.randint(2, 5)):
            self.random.choice(
                [self.expiry, self.threads, self.lost, self.crash, self.refusal, self.outage]
            )()
        if self.random.random() < 0.3:
            self.revoked()
        else:
            assert self.app.engine().run(look()), "an orphaned store"

    def use(self) -> None:
        assert self.random.choice(self.engines).run(look())

    def counted(self, act: Callable[[], Any]) -> int:
        before = self.app.renewals
        act()
        return self.app.renewals - before

    def expiry(self) -> None:
        """A run of three hours, with a look every quarter, renews once an hour."""

        def run() -> Any:
            for _ in range(12):
                yield from look()
                yield from wait(900)

        assert 2 <= self.counted(lambda: self.engines[0].run(run())) <= 3

    def threads(self) -> None:
        self.use()
        self.app.clock.advance(HOUR)

        def all_at_once() -> None:
            with ThreadPoolExecutor(8) as pool:
                assert all(pool.map(lambda n: self.engines[n % 2].run(look()), range(8)))

        assert self.counted(all_at_once) == 1

    def lost(self) -> None:
        self.use()
        self.app.clock.advance(HOUR)
        self.failing = count = self.random.randint(1, 3)
        assert self.counted(self.use) == count + 1

    def outage(self) -> None:
        self.app.clock.advance(HOUR)
        self.failing = 4
        try:
            self.app.engine().run(look())
        except Unavailable as error:
            self.told.append(str(error))
        self.failing = 0
        self.use()

    def crash(self) -> None:
        self.app.clock.advance(HOUR)
        vault = Crashing(self.app.vault, self.random.random() < 0.5)
        with pytest.raises(Crash):
            self.app.engine(vault).run(look())
        self.engines[0] = self.app.engine()
        self.use()

    def refusal(self) -> None:
        self.use()
        self.app.sandbox.run("DELETE FROM tokens WHERE kind = 'access'")
        self.use()

    def revoked(self) -> None:
        engine = self.app.engine()
        engine.run(look())
        self.app.sandbox.uninstall()
        self.app.asked.clear()
        for _ in range(3):
            with pytest.raises(AuthError) as caught:
                engine.run(look())
            self.told += traceback.format_exception(caught.value)
        assert len(self.app.asked) <= 2


def _lives(tmp_path: Path, caplog: pytest.LogCaptureFixture, seeds: range) -> None:
    caplog.set_level(logging.DEBUG)
    for seed in seeds:
        life = Life(tmp_path / str(seed), seed)
        try:
            life.live()
        except (AssertionError, StorebridgeError) as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
        finally:
            life.app.sandbox.close()
        assert not SECRET.search("".join(life.told) + caplog.text), f"seed {seed}"
        caplog.clear()


def test_no_life_of_tokens_ends_in_an_orphaned_store(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _lives(tmp_path, caplog, range(12))


@pytest.mark.soak
def test_no_life_of_a_thousand_ends_in_an_orphaned_store(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _lives(tmp_path, caplog, range(1000, 2000))
