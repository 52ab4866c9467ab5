"""`sandbox`: a platform on this machine, for trying things out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl

from cyclopts import Parameter, validators

from storebridge.cli.output import say
from storebridge.errors import StorebridgeError
from storebridge.store import opening

__all__ = ["sandbox"]


def sandbox(
    platform: Annotated[
        str,
        Parameter(
            help="The adapter's name, as 'storebridge platforms' lists it; after a ? the "
            "sandbox's own words, like woocommerce?latency=measured."
        ),
    ],
    /,
    *,
    port: Annotated[
        int,
        Parameter(
            help="The port; 0 takes any free one.", validator=validators.Number(gte=0, lte=65_535)
        ),
    ] = 0,
    state: Annotated[
        Path | None,
        Parameter(help="The file that keeps the sandbox's records; by default they are in memory."),
    ] = None,
) -> None:
    """Run a platform's sandbox as an HTTP server on this machine, until Ctrl-C."""
    from storebridge.testing.sandbox import SandboxServer

    name, _, query = platform.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    _, settings, handler = opening.sandbox(name, state, options)
    try:
        server = SandboxServer(handler, port=port)
    except OSError as error:
        raise StorebridgeError(
            f"port {port} of this machine can't be listened on: {error.strerror}. Name another "
            "one, or let a free one be taken with --port 0"
        ) from None
    say(f"The {name} sandbox listens on {server.url}; end it with Ctrl-C.")
    for key, value in {**settings, "url": server.url}.items():
        say(f"  {key} = {value}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        say("Ended.")
    finally:
        server.close()
