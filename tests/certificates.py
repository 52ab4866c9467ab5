"""Certificates for servers of tests, signed by an authority that nobody else knows."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

__all__ = ["Authority"]


class Authority:
    """Signs certificates; its own lies in a file, for those who trust it."""

    def __init__(self, folder: Path) -> None:
        """Make the authority and write down its certificate."""
        self._signs, self.bundle = trustme.CA(), folder / "authority.pem"
        self._signs.cert_pem.write_to_path(str(self.bundle))

    def context(self, name: str) -> ssl.SSLContext:
        """Return what a server needs that is known by this name or address."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._signs.issue_cert(name).configure_cert(context)
        return context
