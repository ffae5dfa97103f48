"""`ig4 import-scores` and `ig4 import-clusters`: take over what was computed elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli import render

if TYPE_CHECKING:
    from ig4.core.engine.ingesting.imports import ImportResult

FILE = click.argument("file", type=opt.PATH)
NAME = click.option("--as", "name", required=True, metavar="NAME", help="Name to take.")
ENCODING = click.option("--encoding", default="utf-8", show_default=True, help="As gb18030.")
KEY = click.option("--key", help="Key of a JSON object under which the rows stand.")


@click.command(
    "import-scores",
    epilog="""\b
Examples:
  ig4 import-scores scores.json --as clip --column clip_score --id image_id
  ig4 import-scores scores.csv --as length --column chars --multiply 10
  ig4 import-scores rm.parquet --as my-reward --column logit --scale-of reward
""",
)
@FILE
@NAME
@click.option("--column", required=True, help="Column of the scores.")
@click.option("--id", "id_column", help="Column of the ids.  [default: id, image_id, …]")
@KEY
@click.option("--scale-of", metavar="SCORER", help="Scorer whose percent scale the values are on.")
@click.option("--multiply", type=float, default=1.0, help="Factor for a column in other units.")
@ENCODING
@opt.dataset
@opt.shared_options
def import_scores(
    file: Path, dataset: str | None, db: str | None, as_json: bool, quiet: bool, **column: Any
) -> None:
    """Take over scores computed elsewhere.

    FILE is JSON (a list of objects, also under a key), JSON lines, CSV or Parquet.
    """
    from ig4.cli.session import open_session
    from ig4.core.engine.ingesting.imports import ScoreColumn
    from ig4.core.engine.ingesting.imports import import_scores as take

    with open_session(db, quiet=quiet) as session:
        done = take(session, session.dataset(dataset), ScoreColumn(file, **column))
    _report(done, "scores", as_json=as_json)


@click.command(
    "import-clusters",
    epilog="""\b
Examples:
  ig4 import-clusters spectral_clusters.json --as spectral
  ig4 import-clusters clusters.csv --as mine --id image_id --label cluster
""",
)
@FILE
@NAME
@click.option("--id", "id_column", help="Column of the ids.  [default: id, image_id, …]")
@click.option("--label", "label_column", help="Column of the labels.  [default: cluster, label, …]")
@KEY
@ENCODING
@opt.dataset
@opt.shared_options
def import_clusters(
    file: Path,
    name: str,
    dataset: str | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
    **columns: Any,
) -> None:
    """Take over clusters computed elsewhere.

    FILE is JSON of label -> ids, or a table with a column of ids and one of labels.
    """
    from ig4.cli.session import open_session
    from ig4.core.engine.ingesting.imports import import_clusters as take

    with open_session(db, quiet=quiet) as session:
        done = take(session, session.dataset(dataset), file, name, **columns)
    _report(done, "labels", as_json=as_json)


def _report(done: ImportResult, what: str, *, as_json: bool) -> None:
    if as_json:
        render.print_json(
            {
                "dataset": done.dataset,
                "name": done.name,
                "taken": done.taken,
                "without": done.without,
                "unknown_ids": len(done.unknown),
                "unreadable": len(done.unreadable),
            }
        )
    else:
        click.echo(f"{done.taken:,} {what} of {done.dataset} taken over as {done.name}")
    if done.unknown:
        click.echo(
            f"{len(done.unknown):,} rows name no sample of {done.dataset} (first: "
            f"{done.unknown[0]!r})",
            err=True,
        )
    if done.unreadable:
        click.echo(
            f"{len(done.unreadable):,} rows hold no number (first id: {done.unreadable[0]!r})",
            err=True,
        )
    if done.without:
        click.echo(f"{done.without:,} samples have no {done.name} now", err=True)
