"""`sandbox`: a platform on this machine, for trying things out."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from storebridge import registry
from storebridge.cli.output import say
from storebridge.errors import ConfigError

__all__ = ["sandbox"]


def sandbox(platform: str, /, *, port: int = 0, state: Path | None = None) -> None:
    """Run a platform's sandbox as an HTTP server on this machine, until Ctrl-C.

    Args:
        platform: The adapter's name, as `storebridge platforms` lists it.
        port: The port; 0 takes any free one.
        state: The file that keeps the sandbox's records; by default they are in memory.
    """
    from storebridge.testing.sandbox import SandboxServer

    home = getattr(registry.load(platform), "sandbox", "")
    if not home:
        raise ConfigError(f"The {platform} adapter has no sandbox; try local:shop.db instead.")
    module = import_module(home)
    server = SandboxServer(module.create(state), port=port)
    settings = {**module.settings(), "url": server.url}
    say(f"The {platform} sandbox listens on {server.url}; end it with Ctrl-C.")
    for name, value in settings.items():
        say(f"  {name} = {value}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        say("Ended.")
    finally:
        server.close()
