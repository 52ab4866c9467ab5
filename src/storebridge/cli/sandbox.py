"""`sandbox`: a platform on this machine, for trying things out."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl

from storebridge.cli.output import say
from storebridge.store import opening

__all__ = ["sandbox"]


def sandbox(platform: str, /, *, port: int = 0, state: Path | None = None) -> None:
    """Run a platform's sandbox as an HTTP server on this machine, until Ctrl-C.

    Args:
        platform: The adapter's name, as `storebridge platforms` lists it; after a "?" the
            sandbox's own words, like "woocommerce?latency=measured".
        port: The port; 0 takes any free one.
        state: The file that keeps the sandbox's records; by default they are in memory.
    """
    from storebridge.testing.sandbox import SandboxServer

    name, _, query = platform.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    _, settings, handler = opening.sandbox(name, state, options)
    server = SandboxServer(handler, port=port)
    say(f"The {name} sandbox listens on {server.url}; end it with Ctrl-C.")
    for key, value in {**settings, "url": server.url}.items():
        say(f"  {key} = {value}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        say("Ended.")
    finally:
        server.close()
