"""`ig4 import-scores`, `import-clusters` and `import-vectors`: what was computed elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.core.counts import counted

if TYPE_CHECKING:
    from ig4.core.engine.ingesting.imports import ImportResult

FILE = click.argument("file", type=opt.PATH)
NAME = click.option("--as", "name", required=True, metavar="NAME", help="Name in the database.")
ENCODING = click.option(
    "--encoding", default="utf-8", show_default=True, help="Encoding of the file."
)
REPLACE = click.option(
    "--replace", is_flag=True, help="Take the place of what the name stands for until now."
)
KEY = click.option("--key", help="Key of the rows in a JSON object.")


@click.command(
    "import-scores",
    epilog="""\b
Examples:
  ig4 import-scores scores.json --as clip --column clip_score --id image_id
  ig4 import-scores scores.csv --as length --column chars --multiply 10
  ig4 import-scores rm.parquet --as my-reward --column logit --scale-of reward
  ig4 import-scores excel.csv --as clip --column wert --decimal , --replace
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
@click.option(
    "--decimal",
    type=click.Choice([".", ","]),
    help="Mark before fractions; the other may then stand between thousands.",
)
@ENCODING
@REPLACE
@opt.component_options
@opt.dataset
@opt.shared_options
def import_scores(
    file: Path,
    dataset: str | None,
    options: tuple[str, ...],
    db: str | None,
    as_json: bool,
    quiet: bool,
    **column: Any,
) -> None:
    """Import scores computed elsewhere.

    FILE is JSON (a list of objects, or an object with --key), JSON lines, CSV, Parquet or
    Excel. An id that it repeats means the records of the data set with this id, in their order.
    """
    from ig4.cli.session import open_session
    from ig4.core.engine.ingesting.imports import ScoreColumn
    from ig4.core.engine.ingesting.imports import import_scores as run_import

    scale = column["scale_of"]
    settings = opt.settings_by_table(options, {"scorers": () if scale is None else (scale,)})
    scale_options = settings.get("scorers", {}).get(scale, {})
    chosen = ScoreColumn(file, scale_options=scale_options, **column)
    with open_session(db, quiet=quiet) as session:
        result = run_import(session, session.dataset(dataset), chosen)
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
@REPLACE
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


@click.command(
    "import-vectors",
    epilog="""\b
Examples:
  ig4 import-vectors clip.npy --as clip-l
  ig4 import-vectors features.pt --as mine --ids rows.csv --id image_id
  ig4 import-vectors embeddings.parquet --as mine --key embedding --id sample_id
""",
)
@FILE
@NAME
@click.option("--key", help="Array, tensor or column with the vectors.  [default: the only one]")
@click.option(
    "--ids", type=opt.PATH, help="Table with the id of each row.  [default: rows in order]"
)
@click.option("--id", "id_column", help="Column with the ids, there or in FILE itself.")
@ENCODING
@REPLACE
@opt.dataset
@opt.shared_options
def import_vectors(
    file: Path,
    dataset: str | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Import vectors computed elsewhere, as a space.

    FILE is .npy, .npz, Parquet, .safetensors, or .pt with tensors; nothing in it is executed. Its
    rows are the samples in the order of the data set, unless ids are given.
    """
    from ig4.cli.session import open_session
    from ig4.core.engine.ingesting.vectors import VectorSource
    from ig4.core.engine.ingesting.vectors import import_vectors as run_import

    with open_session(db, quiet=quiet) as session:
        result = run_import(session, session.dataset(dataset), VectorSource(file, **source))
    _print_result(result, "vectors", as_json=as_json)


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
                "empty": result.empty,
                "not_finite": result.not_finite,
                **({"zeros": result.zeros, "shared": result.shared} if what == "vectors" else {}),
            }
        )
    else:
        click.echo(f"{result.taken:,} {what} of {result.dataset} imported as {result.name}")
    if result.unknown:
        _note(
            f"{counted(len(result.unknown), 'id matches', 'ids match')} no sample of "
            f"{result.dataset} (first: {result.unknown[0][:80]!r})"
        )
    if result.unreadable:
        _note(
            f"{counted(len(result.unreadable), 'row has', 'rows have')} no "
            f"{'id' if what == 'vectors' else 'number'} (first: "
            f"{result.unreadable[0]})"
        )
    if result.empty:
        _note(f"{counted(result.empty, 'row is', 'rows are')} empty in this column")
    if result.not_finite:
        _note(
            f"{counted(result.not_finite, 'row is', 'rows are')} NaN or infinite, which is no "
            f"{what.removesuffix('s')}"
        )
    if result.shared:
        _note(
            f"{counted(result.shared, 'sample takes', 'samples take')} the vector of another one "
            "with the same texts and images"
        )
    if result.without:
        _note(f"{counted(result.without, 'sample has', 'samples have')} no {result.name} now")


def _note(text: str) -> None:
    click.echo(render.plain(text), err=True)
