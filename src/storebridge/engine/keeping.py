"""Credentials that rotate, from the vault: renewed by one at a time, kept before they are used.

| what happens                        | what is done                                          |
|-------------------------------------|-------------------------------------------------------|
| somebody else has renewed them      | theirs are used                                       |
| they end soon                       | renewed; the ones before stay until the new ones work |
| the renewal's answer is lost        | asked for again with the same ones                    |
| no answer comes at all              | the old ones are used until they end                  |
| a crash between answer and vault    | whoever comes next renews the same ones again         |
| they are refused and never worked   | renewed from the ones before                          |
| they are refused otherwise          | `AuthError`: a person has to let the app in again     |
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from pydantic import SecretStr

from storebridge.adapter import Adapter, Credentials
from storebridge.engine.effects import Ask, Granted, Steps, asked
from storebridge.errors import (
    AuthError,
    ConfigError,
    Locked,
    StorebridgeError,
)
from storebridge.flow import Call, Clock, Flow
from storebridge.vault import Drawer, Kept, Vault

__all__ = ["Keeper"]

#: Seconds after which a renewal that got no answer is tried again, while the old ones are good.
_TRY_AGAIN = 60.0
#: Seconds to wait for another process that renews.
_WAIT = 300.0


class Keeper:
    """Gets the credentials of one store from its drawer in the vault, and puts new ones in."""

    def __init__(self, adapter: Adapter, clock: Clock, vault: Vault, ask: Ask) -> None:
        """Open nothing yet."""
        self._adapter, self._clock, self._vault, self._ask = adapter, clock, vault, ask
        self._unproven: Granted | None = None
        self._kept: Kept | None = None

    @property
    def secrets(self) -> tuple[SecretStr, ...]:
        """What was in the drawer last, to be kept out of every message."""
        found = (self._kept.newest, self._kept.before) if self._kept else ()
        return tuple(value for each in found if each for value in each.values.values())

    def granted(self, stale: Granted | None) -> Steps[Granted]:
        """Return credentials that are good now and other than the stale ones.

        Raises:
            AuthError: if they are refused, or nobody has let the app in yet.
        """
        drawer = self._drawer()
        try:
            yield from self._lock(drawer)
            kept = self._kept = yield Call(drawer.read)
            now = self._clock.time()
            found = Granted(kept.newest, kept.renew_at, found=True) if kept else None
            refused = bool(found and stale and stale.good(now) and _same(found, stale))
            if kept and found and found.good(now) and not refused:
                return self._use(found, kept)
            try:
                fresh = yield from self._renewed(kept)
            except AuthError:
                raise
            except StorebridgeError:
                if found is None or refused or not _lives(found, now):
                    raise
                return Granted(found.credentials, now + _TRY_AGAIN)
            yield Call(partial(drawer.write, fresh))
        finally:
            drawer.close()
        return self._use(Granted(fresh.newest, fresh.renew_at), fresh)

    def accept(self, make: Callable[[], Flow[Credentials]]) -> Steps[Granted]:
        """Put the first credentials of a person's consent into the drawer, and return them.

        Raises:
            AuthError: if the code is refused.
        """
        drawer = self._drawer()
        try:
            yield from self._lock(drawer)
            fresh = yield from self._new(make, None)
            yield Call(partial(drawer.write, fresh))
        finally:
            drawer.close()
        return self._use(Granted(fresh.newest, fresh.renew_at), fresh)

    def worked(self, granted: Granted) -> Steps[None]:
        """Forget the credentials before these, which have opened the store now."""
        if self._unproven is not granted:
            return
        self._unproven = None
        done = False
        drawer = self._drawer()
        try:
            # What was just done stays done: a vault that fails is told of when it is needed.
            with suppress(ConfigError):
                if (yield Call(partial(drawer.lock, 0.0))):
                    yield from self._prove(drawer, granted)
                    done = True
        finally:
            drawer.close()
            if not done and self._unproven is None:  # the next answer tries again
                self._unproven = granted

    def _prove(self, drawer: Drawer, granted: Granted) -> Steps[None]:
        kept: Kept | None = yield Call(drawer.read)
        if kept and kept.before and kept.newest.values == granted.credentials.values:
            yield Call(partial(drawer.write, replace(kept, before=None)))

    def _renewed(self, kept: Kept | None) -> Steps[Kept]:
        """Return credentials in place of these, with those that they came of."""
        if kept is None:
            return (yield from self._new(lambda: self._adapter.authorize(self._clock), None))
        if kept.before is not None:  # nobody knows whether the newest ever worked
            with suppress(AuthError):
                return (yield from self._renew(kept.newest))
        return (yield from self._renew(kept.before or kept.newest))

    def _renew(self, source: Credentials) -> Steps[Kept]:
        return (yield from self._new(lambda: self._adapter.renew(source, self._clock), source))

    def _new(
        self, make: Callable[[], Flow[Credentials]], before: Credentials | None
    ) -> Steps[Kept]:
        started = self._clock.time()
        credentials = yield from asked(self._ask, make)
        return Kept(credentials, Granted.since(started, credentials).renew_at, before)

    def _use(self, granted: Granted, kept: Kept) -> Granted:
        self._kept = kept
        self._unproven = granted if kept.before is not None else None
        return granted

    def _drawer(self) -> Drawer:
        return self._vault.drawer(self._adapter.vault_key)

    def _lock(self, drawer: Drawer) -> Steps[None]:
        if not (yield Call(partial(drawer.lock, _WAIT))):
            raise Locked(
                "another process has been renewing the store's credentials for "
                f"{_WAIT:.0f} s; wait for it or end it"
            )


def _same(one: Granted, other: Granted) -> bool:
    return one.credentials.values == other.credentials.values


def _lives(granted: Granted, now: float) -> bool:
    end = granted.credentials.expires_at
    return end is None or now < end
