"""`ig4 import-scores` and `ig4 import-clusters`: import what was computed elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli import render

if TYPE_CHECKING:
    from ig4.core.engine.ingesting.imports import ImportResult

FILE = click.argument("file", type=opt.PATH)
NAME = click.option("--as", "name", required=True, metavar="NAME", help="Name in the database.")
ENCODING = click.option(
    "--encoding", default="utf-8", show_default=True, help="Encoding of the file."
)
KEY = click.option("--key", help="Key of the rows in a JSON object.")


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
@click.option("--column", required=True, help="Column with the scores.")
@click.option("--id", "id_column", help="Column with the ids.  [default: id, image_id, …]")
@KEY
@click.option("--scale-of", metavar="SCORER", help="Scorer whose percent scale the values use.")
@click.option(
    "--multiply", type=float, default=1.0, help="Factor to convert the units of the column."
)
@ENCODING
@opt.dataset
@opt.shared_options
def import_scores(
    file: Path, dataset: str | None, db: str | None, as_json: bool, quiet: bool, **column: Any
) -> None:
    """Import scores computed elsewhere.

    FILE is JSON (a list of objects, or an object with --key), JSON lines, CSV or Parquet.
    """
    from ig4.cli.session import open_session
    from ig4.core.engine.ingesting.imports import ScoreColumn
    from ig4.core.engine.ingesting.imports import import_scores as run_import

    with open_session(db, quiet=quiet) as session:
        result = run_import(session, session.dataset(dataset), ScoreColumn(file, **column))
    _print_result(result, "scores", as_json=as_json)


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
@click.option("--id", "id_column", help="Column with the ids.  [default: id, image_id, …]")
@click.option(
    "--label", "label_column", help="Column with the labels.  [default: cluster, label, …]"
)
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
    """Import clusters computed elsewhere.

    FILE is a JSON object of label -> ids, or a table with a column of ids and one of labels.
    """
    from ig4.cli.session import open_session
    from ig4.core.engine.ingesting.imports import import_clusters as run_import

    with open_session(db, quiet=quiet) as session:
        result = run_import(session, session.dataset(dataset), file, name, **columns)
    _print_result(result, "labels", as_json=as_json)


def _print_result(result: ImportResult, what: str, *, as_json: bool) -> None:
    if as_json:
        render.print_json(
            {
                "dataset": result.dataset,
                "name": result.name,
                "taken": result.taken,
                "without": result.without,
                "unknown_ids": len(result.unknown),
                "unreadable": len(result.unreadable),
            }
        )
    else:
        click.echo(f"{result.taken:,} {what} of {result.dataset} imported as {result.name}")
    if result.unknown:
        click.echo(
            f"{len(result.unknown):,} rows match no sample of {result.dataset} (first: "
            f"{result.unknown[0]!r})",
            err=True,
        )
    if result.unreadable:
        click.echo(
            f"{len(result.unreadable):,} rows have no number (first id: {result.unreadable[0]!r})",
            err=True,
        )
    if result.without:
        click.echo(f"{result.without:,} samples have no {result.name} now", err=True)
