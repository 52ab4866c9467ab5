"""Which addresses a request may go to: the store's own origin, or a public one without keys."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from storebridge.errors import ConfigError, Refused, StorebridgeError
from storebridge.flow import Request
from storebridge.wire import percent

__all__ = ["Origin", "foreign_origin", "is_public", "store_url"]

_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.ASCII)
_PATH = re.compile(r"/[!-\"$->@-~]*", re.ASCII)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL_V6 = ipaddress.ip_network("2000::/3")
#: Special by the IANA registries; not every Python of 3.11 to 3.13 knows them.
_SPECIAL = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "2001::/23", "3fff::/20")))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where requests go: scheme, host and port, and the path that they share."""

    scheme: str
    host: str
    port: int
    prefix: str = ""

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine, said without a name look-up."""
        if self.host == "localhost":
            return True
        address = _literal(self.host)
        return address is not None and address.is_loopback

    @property
    def same(self) -> tuple[str, str, int]:
        """What must be equal for credentials to go along."""
        return self.scheme, self.host, self.port

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    @classmethod
    def parse(cls, url: str) -> Origin:
        """Return where a URL goes.

        Raises:
            ValueError: if it has no clear, plain meaning: no http or https, a user, odd
                characters, a number in another form than four decimals.
        """
        if not url.isascii() or any(char <= " " or char in '\\"<>^`{|}\x7f' for char in url):
            raise ValueError("has characters that no URL has")
        parts = urlsplit(url)
        if parts.scheme not in _PORTS:
            raise ValueError("is no http or https URL")
        if "@" in parts.netloc:
            raise ValueError("has a user in it")
        host = (parts.hostname or "").lower()
        if not (_is_literal(host) if _ends_in_number(host) else _NAME.fullmatch(host)):
            raise ValueError("has no plain host name")
        port = parts.port if parts.port is not None else _PORTS[parts.scheme]
        return cls(parts.scheme, host.rstrip("."), port, parts.path.rstrip("/"))

    @classmethod
    def of_store(cls, base_url: str, *, signed: bool = False) -> Origin:
        """Return the origin of a store's base URL; http only where requests carry no secret.

        Raises:
            ConfigError: if it is no plain https URL; http is for this machine only.
        """
        try:
            origin = cls.parse(base_url)
        except ValueError as error:
            raise ConfigError(f"the store's URL {error}; write https://shop.example") from None
        if origin.scheme == "http" and not origin.is_loopback and not signed:
            raise ConfigError(
                f"{origin} is not encrypted, and credentials are never sent that way; "
                f"use https://{origin.host}"
            )
        return origin


def store_url(origin: Origin, request: Request) -> str:
    """Return the full URL of a request to the store; it can't leave the store's origin.

    Raises:
        StorebridgeError: if the path isn't one.
    """
    path = request.path
    segments = unquote(path).replace("\\", "/").split("/")
    if not _PATH.fullmatch(path) or path.startswith("//") or {".", ".."} & set(segments):
        raise StorebridgeError(
            f"{path!r} is no path under the store's URL: it starts with one slash, is percent-"
            "encoded, has no '..', and its query goes into `params`"
        )
    query = "&".join(f"{percent(key)}={percent(value)}" for key, value in request.params)
    return f"{origin}{origin.prefix}{path}{'?' if query else ''}{query}"


def foreign_origin(request: Request, store: Origin) -> Origin:
    """Return where a foreign request goes, if that may be tried.

    The store's own origin is fine too (without credentials); everything else must be https on
    its usual port, and resolve to public addresses, which the connection checks.

    Raises:
        Refused: if not.
    """
    try:
        origin = Origin.parse(request.path)
    except ValueError as error:
        raise Refused(f"a URL that the store gave {error}, so it was not fetched") from None
    if origin.same == store.same:
        return origin
    literal = _literal(origin.host)
    if origin.scheme != "https" or origin.port != 443 or (literal and not is_public(literal)):
        raise Refused(
            f"the store gave a URL on {origin}, which was not fetched: "
            "only https on public addresses is"
        )
    return origin


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether an address is one of the open internet, also in any IPv6 disguise."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_V6:
            return False
    special = any(address in network for network in _SPECIAL)
    return address.is_global and not (address.is_multicast or address.is_reserved or special)


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_literal(host: str) -> bool:
    return _literal(host) is not None


def _ends_in_number(host: str) -> bool:
    """Return whether a host is an address, or what some resolvers take for one (0x7f.1)."""
    last = host.rstrip(".").rpartition(".")[2]
    return ":" in host or re.fullmatch(r"[0-9]+|0x[0-9a-f]*", last) is not None
