"""`ig4 cluster`: group samples by what their images show, or their texts say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.core.counts import counted

if TYPE_CHECKING:
    from ig4.core.config import Config
    from ig4.core.engine.grouping.cluster import ClusterResult


@click.command(
    epilog="""\b
Examples:
  ig4 cluster --k 10
  ig4 cluster --clusterer kmeans --k 30 --seed 7
  ig4 cluster --space text --clusterer kmeans --k 50
  ig4 cluster --space clip=0.7,text=0.3
"""
)
@click.option("--clusterer", metavar="NAME", help="Clusterer.  [default: spectral]")
@click.option("--embedder", metavar="NAME", help="Embedder of images.  [default: clip]")
@click.option(
    "--space",
    metavar="NAME",
    help="Space to cluster in, or several joined: clip=0.7,text=0.3.  [default: the embedder's]",
)
@click.option(
    "--k", type=int, help="Number of clusters, where the clusterer uses it.  [default: 10]"
)
@opt.seed
@opt.component_options
@opt.dataset
@opt.config
@opt.shared_options
def cluster(
    clusterer: str | None,
    embedder: str | None,
    space: str | None,
    k: int | None,
    seed: int | None,
    options: tuple[str, ...],
    dataset: str | None,
    config_file: Path | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Group samples by their images, or by the vectors of any space."""
    from ig4.cli.session import open_session
    from ig4.core.engine.grouping.cluster import cluster as group
    from ig4.core.engine.recordedsettings import with_recorded_options
    from ig4.core.engine.requests import cluster_request

    flags: dict[str, Any] = {
        "run": {"embedder": embedder, "seed": seed},
        "cluster": {"clusterer": clusterer, "k": k, "space": space},
    }
    config, spaces = _configured(flags, options, config_file)
    with open_session(db, config, quiet=quiet) as session:
        chosen = session.dataset(dataset or config.dataset.name)
        config = with_recorded_options(
            session,
            chosen,
            config,
            embedder=None if spaces else config.run.embedder,
            clusterer=config.cluster.clusterer,
            spaces=spaces,
        )
        done = group(session, chosen, cluster_request(config))
    if as_json:
        render.print_json(_as_dict(done))
    else:
        _print_done(done)


def _configured(
    flags: dict[str, Any], options: tuple[str, ...], config_file: Path | None
) -> tuple[Config, tuple[str, ...]]:
    """Return ig4.toml with the flags over it, and the parts of the space to cluster in."""
    from ig4.core import config as configuration
    from ig4.core.engine.pooling.spacenames import all_parts

    first = configuration.load(config_file, flags)
    own = first.cluster.space
    spaces = () if own is None else all_parts([own])
    embedders = spaces or (first.run.embedder,)
    kinds = {"clusterers": (first.cluster.clusterer,), "embedders": embedders}
    given = flags | opt.settings_by_table(options, kinds)
    return configuration.load(config_file, given), spaces


def _as_dict(done: ClusterResult) -> dict[str, Any]:
    """Return what `ig4 cluster --json` prints."""
    return {
        "dataset": done.dataset.name,
        "clustering": done.name,
        "k": done.k,
        "sizes": {str(label): size for label, size in done.sizes.items()},
        "text_only": done.text_only,
        "left_out": done.left_out,
        "noise": done.noise,
        "space": done.space,
        "reused": done.reused,
    }


def _print_done(done: ClusterResult) -> None:
    render.print_table(("cluster", "samples"), done.sizes.items())
    if done.noise:
        click.echo(
            f"{counted(done.noise, 'sample is', 'samples are')} noise: {done.name} has left "
            f"{'it' if done.noise == 1 else 'them'} without a cluster",
            err=True,
        )
    without = done.left_out - done.noise
    if without:
        lacks = "readable image" if done.space is None else f"vector in the space {done.space}"
        click.echo(
            f"{counted(without, 'sample has', 'samples have')} no {lacks} and no cluster",
            err=True,
        )
