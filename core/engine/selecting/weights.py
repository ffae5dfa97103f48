"""The weight of each scorer in F(x): the user's, the paper's, or an equal share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.counts import verb
from ig4.core.engine.selecting.scaling import PAPER_WEIGHTS
from ig4.core.errors import UsageError
from ig4.core.suggest import did_you_mean
from ig4.storage.scores import names as scorer_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.session import Session
    from ig4.storage.scorecolumns import ScoreColumnRow


def resolve_weights(
    session: Session, columns: Sequence[ScoreColumnRow], given: Mapping[str, float]
) -> NDArray[np.float64]:
    """Return the weights (m,) of m columns of scores, as `given`, else the paper's (Table 2).

    A scorer that neither knows gets an equal share, 1/m, with a notice. A weight of a scorer that
    is not selected by (`--scorers clip` over a recipe) counts for nothing, with a notice, too.

    Raises:
        UsageError: a weight for something that is no scorer, or one that is no number.
    """
    names = [column.name for column in columns]
    check_weights(session, names, given)
    others = [name for name in given if name not in names]
    if others:
        session.notice(
            f"the weights of {', '.join(others)} count for nothing: "
            + (f"the scorers are {', '.join(names)}" if names else "no scores are summed")
        )
    weights: list[float] = []
    unknown: list[str] = []
    for name, column in zip(names, columns, strict=True):
        known = (
            given.get(name),
            PAPER_WEIGHTS.get(name),
            PAPER_WEIGHTS.get(column.component),
        )
        found = next((value for value in known if value is not None), None)
        if found is None:
            unknown.append(name)
        weights.append(1 / len(names) if found is None else found)
    if unknown:
        session.notice(
            f"no weight is known for {', '.join(unknown)}: {verb(len(unknown), 'it', 'each')} gets "
            f"an equal share, {1 / len(names):.2f} (--weights {unknown[0]}=… sets one)"
        )
    return np.array(weights, dtype=np.float64)


def check_weights(session: Session, names: Sequence[str], given: Mapping[str, float]) -> None:
    """Refuse what cannot be a weight, or is one of nothing that is a scorer.

    Raises:
        UsageError: as `resolve_weights`.
    """
    for name, weight in given.items():
        if not math.isfinite(weight):
            raise UsageError(f"the weight of {name} is {weight}: give a number")
    known = {*PAPER_WEIGHTS, *(r.component.name for r in session.host.components("scorer"))}
    with session.store.reading() as connection:
        known |= scorer_names(connection)
    for name in given:
        if not known & {name, name.partition(".")[0]} and name not in names:
            raise UsageError(
                f"a weight is given for {name!r}, which is not among the scorers "
                f"({', '.join(names)}){did_you_mean(name, names)}"
            )


def parse_weights(text: str) -> dict[str, float]:
    """Read `clip=0.53,length=0.1`.

    Raises:
        UsageError: a part is not NAME=NUMBER.
    """
    weights = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, number = part.partition("=")
        try:
            weights[name.strip()] = float(number)  # no "=" leaves nothing to read as a number
        except ValueError:
            raise UsageError(
                f"--weights {part!r} is not NAME=NUMBER; write clip=0.53,length=0.1"
            ) from None
    return weights
