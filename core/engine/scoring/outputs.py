"""The outputs of scorers with several values: columns that live and die with their scorer's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ig4.core.errors import UsageError
from ig4.core.host.fingerprint import Fingerprint, of_output, split_output
from ig4.storage import scorecolumns

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.storage.scorecolumns import ScoreColumnRow


def column_name(label: str, output: str) -> str:
    """Return the name of an output's column: `grades.charts`."""
    return f"{label}.{output}"


def names_of(configured: ConfiguredComponent) -> tuple[str, ...]:
    """Return the outputs of a component; only scorers have any."""
    return tuple(getattr(configured.component, "outputs", ()))


def component_ids(session: Session, configured: ConfiguredComponent) -> dict[str, int]:
    """Return the database's ids of a scorer's outputs, by name; new ones are added."""
    return {
        output: session.component_id(of_output(configured.fingerprint, output))
        for output in names_of(configured)
    }


def output_of(column: ScoreColumnRow) -> str | None:
    """Return which output of its scorer a column has, None if it has the main values."""
    split = _split(column)
    return None if split is None else split[1]


def scorer_fingerprint(column: ScoreColumnRow) -> str:
    """Return the fingerprint of the scorer that gave a column, be it an output or the main one."""
    split = _split(column)
    return column.fingerprint if split is None else split[0]


def scorer_label(column: ScoreColumnRow) -> str:
    """Return the name of the scorer that gave a column: `grades` of `grades.charts`."""
    output = output_of(column)
    return column.name if output is None else column.name.removesuffix(column_name("", output))


def scorer_of(column: ScoreColumnRow, columns: Sequence[ScoreColumnRow]) -> ScoreColumnRow | None:
    """Return the column of the scorer that a column is an output of, None if it is none."""
    split = _split(column)
    if split is None:
        return None
    label = scorer_label(column)
    return next((c for c in columns if (c.name, c.fingerprint) == (label, split[0])), None)


def outputs_of(column: ScoreColumnRow, columns: Sequence[ScoreColumnRow]) -> list[ScoreColumnRow]:
    """Return the columns that are outputs of a column's scorer, under its name."""
    return [one for one in columns if scorer_of(one, columns) is column]


def bound_outputs(connection: Connection, dataset_id: int, label: str) -> list[str]:
    """Return the names of a data set's columns that are outputs of the scorer of a label."""
    columns = scorecolumns.list_all(connection, dataset_id)
    own = next((column for column in columns if column.name == label), None)
    return [] if own is None else [column.name for column in outputs_of(own, columns)]


def check_names(
    labels: Mapping[str, Sequence[str]], columns: Sequence[ScoreColumnRow], dataset: str
) -> None:
    """Check that scorers, by label, and their outputs take no name that means something else.

    Raises:
        UsageError: two of them, or one and a column of the data set, would have the same name.
    """
    known = {column.name: column for column in columns}
    for label, outputs in labels.items():
        own = known.get(label)
        scorer = None if own is None else scorer_of(own, columns)
        if scorer is not None:
            raise UsageError(
                f"a scorer cannot be called {label!r}: {dataset} has that as an output of "
                f"{scorer.name}"
            )
        for name in (column_name(label, output) for output in outputs):
            found = known.get(name)
            if name in labels:
                raise UsageError(
                    f"a scorer cannot be called {name!r}: that is an output of {label}"
                )
            if found is not None and scorer_of(found, columns) is None:
                raise UsageError(
                    f"{dataset} has scores called {name} already, as an output of {label} is: "
                    "drop or rename them first"
                )


def _split(column: ScoreColumnRow) -> tuple[str, str] | None:
    return split_output(
        Fingerprint(
            "scorer",
            column.component,
            column.distribution,
            column.version,
            column.identity,
            column.fingerprint,
        )
    )
