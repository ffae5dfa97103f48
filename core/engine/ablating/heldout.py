"""Keeps test questions apart from those that weights were learned from, in both directions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core.config import recipe_file
from ig4.core.counts import counted, verb
from ig4.core.engine.evaluating.questions import question_digests
from ig4.core.errors import Ig4Error, UsageError
from ig4.core.host.recipes import is_recipe_file
from ig4.storage import ablations, evaluations

if TYPE_CHECKING:
    from ig4.core.config import Config
    from ig4.core.engine.ablating.arms.arm import Arm
    from ig4.core.engine.session import Session
    from ig4.core.records import Choice
    from ig4.storage.ablations import AblationRow

LEARNING = "learning"
"""The key under which an ablation keeps what `ig4 learn-weights` learned from its cells."""

QUESTIONS = "questions"

Digests = Mapping[str, frozenset[str]]
"""Digests of questions, by the name of their benchmark."""


def test_questions(
    session: Session, config: Config, benchmarks: Sequence[Choice]
) -> dict[str, frozenset[str]]:
    """Return digests of the questions of benchmarks; those that cannot be read are left out.

    Why they cannot be read, the evaluation says.
    """
    found = {choice.label: _readable(session, config, choice) for choice in benchmarks}
    return {name: digests for name, digests in found.items() if digests is not None}


def _readable(session: Session, config: Config, choice: Choice) -> frozenset[str] | None:
    section = config.ablate
    try:
        return question_digests(session, choice, section.limit, section.image_root)
    except Exception:  # noqa: BLE001 - a plugin's; its cells fail, and say why
        return None


def refuse_learned_from(session: Session, arms: Sequence[Arm], tests: Digests) -> None:
    """Refuse arms whose recipe was learned from questions that they are tested on.

    That weights of another kind may have been, the user is told.

    Raises:
        UsageError: an arm's weights have seen the test.
    """
    for arm in arms:
        if arm.recipe is None or not is_recipe_file(arm.recipe):
            continue
        known = recipe_file(Path(arm.recipe)).learned.get(QUESTIONS)
        known = set(map(str, known)) if isinstance(known, list) else set()
        for name, digests in tests.items():
            if shared := len(digests & known):
                raise UsageError(
                    f"arm {arm.name}: the weights of {arm.recipe} were learned from "
                    f"{counted(shared, 'question')} of {name}, so {name} is no test of them: name "
                    "other questions, or learn from others (ig4 learn-weights)"
                )
    _tell_learned_from(session, tests)


def _tell_learned_from(session: Session, tests: Digests) -> None:
    names: dict[str, None] = {}
    numbers = []
    for row in _stored(session):
        known = set(row.config.get(LEARNING, {}).get(QUESTIONS, ()))
        seen = [name for name, digests in tests.items() if digests & known]
        names |= dict.fromkeys(seen)
        numbers += [f"{row.id}"] if seen else []
    if numbers:
        session.notice(
            f"weights were learned from questions of {', '.join(names)} (ig4 learn-weights, "
            f"ablation {', '.join(numbers)}): an arm that uses these weights is not tested by them"
        )


def refuse_test_questions(session: Session, config: Config, development: Digests) -> None:
    """Refuse to learn from questions that an ablation tests on: a configured or a stored one.

    Questions are compared by what they are, whatever their benchmark is called. Of an ablation by
    an ig4 that kept no digests of its questions, benchmarks are compared with their files.

    Raises:
        UsageError: there are such questions; names their benchmark, and where it is a test.
    """
    for choice in (config.choice("benchmark", name) for name in config.ablate.benchmarks):
        try:
            test = question_digests(session, choice, config.ablate.limit, config.ablate.image_root)
        except Ig4Error as error:
            session.notice(
                f"whether {choice.label}, which [ablate] tests on, has development questions is "
                f"not known: {error}"
            )
            continue
        _refuse(development, test, f"benchmarks of [ablate] ({choice.label})")
    for row in _stored(session):
        for name, digests in row.config.get(QUESTIONS, {}).items():
            _refuse(development, frozenset(digests), f"tests of ablation {row.id} ({name})")
    _refuse_benchmarks(session, config, tuple(development))


def _refuse(development: Digests, test: frozenset[str], where: str) -> None:
    for name, digests in development.items():
        if shared := len(digests & test):
            raise UsageError(
                f"{name} is no set of development questions: {shared:,} of its "
                f"{counted(len(digests), 'question')} {verb(shared, 'is', 'are')} among the "
                f"{where}. Weights that are learned from a test cannot be tested by it: name "
                "questions that nothing is tested on (--benchmarks)"
            )


def _refuse_benchmarks(session: Session, config: Config, names: Sequence[str]) -> None:
    """Look for evaluations on a benchmark with the same files and options."""
    for name in names:
        fingerprint = session.configured(config.choice("benchmark", name)).fingerprint.value
        with session.store.reading() as connection:
            made = dict(evaluations.made_on(connection, fingerprint))
            older = [row for row in _stored(session) if QUESTIONS not in row.config]
            cells = {
                number: row
                for row in older
                if LEARNING not in row.config
                for cell in ablations.cells(connection, row.id)
                for number in _evaluations(cell.metrics or {})
            }
        if tested := sorted(made.keys() & cells.keys()):
            raise UsageError(
                f"{name} is no set of development questions: ablation {cells[tested[0]].id} tests "
                "on the same benchmark with the same files. Name questions that nothing is tested "
                "on (--benchmarks)"
            )
        looked = [number for number, command in made.items() if command == "eval"]
        if looked:
            session.notice(
                f"`ig4 eval` has evaluated on {name} (evaluation {looked[-1]}): that is no test of "
                "the weights that are learned from it"
            )


def _evaluations(metrics: Mapping[str, Any]) -> Iterator[int]:
    for measured in metrics.values():
        if isinstance(measured.get("evaluation"), int):
            yield measured["evaluation"]


def _stored(session: Session) -> list[AblationRow]:
    with session.store.reading() as connection:
        return ablations.list_all(connection)
