"""`ig4 browse`: walk through the live database in a browser."""

from __future__ import annotations

import socket
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ig4.cli import options as opt
from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from ig4.core.engine.session import Session

HOST = "127.0.0.1"
PORT = 8420
_TRIES = 20


@click.command(
    epilog="""\b
Examples:
  ig4 browse                     # the last selection
  ig4 browse best --open         # one by name, and a browser with it
  ig4 browse 3 --port 9000
"""
)
@click.argument("selection", default="last")
@click.option(
    "--port", type=click.IntRange(0, 65_535),
    help=f"Port on this machine; 0 takes any.  [default: {PORT}, or one of the next that is free]",
)  # fmt: skip
@click.option("--open/--no-open", "opens", default=False, help="Open a browser.")
@click.option(
    "--map", "method", metavar="NAME", default="pca", show_default=True,
    help="Embedder that lays the samples out: pca, or tsne.",
)  # fmt: skip
@click.option("--space", metavar="NAME", help="Space to lay out.  [default: that of the clusters]")
@opt.dataset
@opt.config
@opt.db
@opt.log_options
def browse(
    selection: str,
    port: int | None,
    opens: bool,
    method: str,
    space: str | None,
    dataset: str | None,
    config_file: Path | None,
    db: str | None,
    quiet: bool,
) -> None:
    """Walk through the live database in a browser.

    Shows the samples of SELECTION, and what other weights and sizes would select. Serves this
    machine alone. Reading needs nothing; storing a selection, pin or note needs the token in the
    address that is printed. Stop it with Ctrl-C.
    """
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.engine.exporting.export import find_selection

    config = configuration.load(config_file)
    with open_session(db, config, quiet=quiet) as session:
        name = dataset or config.dataset.name
        named = session.dataset(name) if name else None
        number = find_selection(session, named, selection)
        serve(session, number, port=port, opens=opens, method=method, space=space)


def serve(
    session: Session, number: int, *, port: int | None, opens: bool, method: str, space: str | None
) -> None:
    """Serve a selection until somebody stops it."""
    from ig4.cli.terminal.logs import tell_failures
    from ig4.core.engine.browsing.access import new_token
    from ig4.core.engine.browsing.library import Library
    from ig4.core.engine.browsing.server import Site, make_app
    from ig4.core.errors import MissingExtraError

    try:
        import uvicorn
    except ImportError:
        raise MissingExtraError(
            'ig4 browse needs Starlette and uvicorn: pip install "ig4[browse]"'
        ) from None
    with _bound(port) as bound:
        site = Site(
            Library(session, number, method=method, space=space),
            bound.getsockname()[1],
            new_token(),
        )
        app = make_app(site)
        browsed = site.library.get()
        browsed.warm()
        address = f"http://{HOST}:{site.port}/"
        click.echo(f"{len(browsed.view):,} samples of {browsed.view.dataset.name}: {address}")
        click.echo(f"To store selections and pins too: {address}#token={site.token}")
        if opens:
            webbrowser.open(f"{address}#token={site.token}")
        tell_failures()
        settings = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
        uvicorn.Server(settings).run(sockets=[bound])


def _bound(port: int | None) -> socket.socket:
    """Return a socket of this machine on a port, or on one of the next if none is asked for.

    Raises:
        UsageError: the port is taken.
    """
    for number in range(PORT, PORT + _TRIES) if port is None else (port,):
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((HOST, number))
            bound.listen()  # who asks as soon as the address is printed waits
        except OSError:
            bound.close()
            continue
        return bound
    raise UsageError(
        f"port {port} is taken: name another one with --port, or 0 for any"
        if port is not None
        else f"the ports {PORT} to {PORT + _TRIES - 1} are taken: name another one with --port"
    )
