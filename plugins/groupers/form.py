"""Groups by the form of question and answer: the kinds of a mixture that tells no sources."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core.contracts import Grouper, Groups, Needs, Options, Pool
from ig4.plugins.groupers.forms.answers import (
    LETTER,
    REGION,
    answer_form,
    common_form,
)
from ig4.plugins.groupers.forms.prompts import read_prompt
from ig4.plugins.groupers.forms.questions import Path, question_form
from ig4.plugins.groupers.joining import by_size, joined

if TYPE_CHECKING:
    from ig4.core.records import Sample

_REMEMBERED = 200_000
"""Instructions whose form is remembered: data sets ask the same again and again."""

_MOST_KINDS = 3
"""A conversation of more kinds of questions is called by its length."""

_TURNS = ((2, 3), (4, 6), (7, 10))

Form = tuple[Path, str | None]


class FormOptions(Options):
    """Options of the form grouper."""

    min_size: int = Field(
        20, ge=1, description="Groups of fewer samples join a wider group, at last the rest."
    )
    split: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Answers of another form are a group of their own from this share of those "
        "to one form of question on; 1: answers do not count.",
    )


class FormGrouper(Grouper):
    """The question word plus the noun asked for, or what a request is for, and the form of answers.

    A conversation of several questions is called by all of their kinds. Forms of answers (a word
    or phrase, one sentence, a description) part a group only where each of them is usual: an
    answer that is cut off or rambles stays with the others to such questions.
    """

    version = "1"
    Options = FormOptions
    options: FormOptions

    def needs(self) -> Needs:
        """See `Grouper.needs`."""
        return Needs(samples=True)

    def group(self, pool: Pool) -> Groups:
        """See `Grouper.group`."""
        forms = FormTable()
        for sample in pool.samples:
            forms.add(sample)
        return forms.grouped(self.options)


class FormTable:
    """The forms of samples, as numbers: two for each sample."""

    def __init__(self) -> None:
        self.questions: dict[tuple[Path, bool], int] = {}
        self.answers: dict[str, int] = {}
        self.rows = array("i"), array("b")
        self._known: dict[str, Form] = {}

    def add(self, sample: Sample) -> None:
        """Find the form of one sample."""
        path, form = self._form(sample)
        question = path, bool(sample.images)
        self.rows[0].append(self.questions.setdefault(question, len(self.questions)))
        self.rows[1].append(self.answers.setdefault(form, len(self.answers)))

    def grouped(self, options: FormOptions) -> Groups:
        """Return the groups of the samples that were added."""
        labels, names = self.groups(options.min_size, options.split)
        return by_size(names, labels)

    def _form(self, sample: Sample) -> tuple[Path, str]:
        answers = [turn.text for turn in sample.turns if turn.role == "assistant"]
        if len(answers) > 1:
            return self._conversation(sample, answers)
        path, asked_for = self._question(sample.instruction)
        own = answer_form(sample.answer)
        if own == REGION and path != ("region: describe",):
            return ("region: locate",), own
        if own == LETTER and (path == ("multiple choice",) or "other" in path[-1]):
            return ("multiple choice",), own
        return path, asked_for or own

    def _conversation(self, sample: Sample, answers: list[str]) -> tuple[Path, str]:
        asked = [self._question(turn.text) for turn in sample.turns if turn.role == "user"]
        hint = next((form for _, form in asked if form), None)
        last = (_turns_name(len(answers)),)
        kinds = sorted({path[0] for path, _ in asked})
        wide = sorted({path[-1] for path, _ in asked})
        names = tuple(dict.fromkeys(" + ".join(k) for k in (kinds, wide) if len(k) <= _MOST_KINDS))
        return (*(f"turns: {name}" for name in names), *last), hint or common_form(answers)

    def _question(self, instruction: str) -> Form:
        known = self._known.get(instruction)
        if known is None:
            prompt = read_prompt(instruction)
            path = (prompt.special,) if prompt.special else question_form(prompt.question)
            known = path, prompt.form
            if len(self._known) < _REMEMBERED:
                self._known[instruction] = known
        return known

    def groups(self, min_size: int, split: float) -> tuple[np.ndarray, list[str]]:
        """Return labels (n,) and names: forms of questions, parted by the answers they get."""
        questions, answers = (np.frombuffer(row, dtype=row.typecode) for row in self.rows)
        counts = np.bincount(questions, minlength=len(self.questions)).tolist()
        paths = _paths(self.questions)
        group_of = joined(dict(zip(paths, counts, strict=True)), min_size)
        names = sorted(set(group_of.values()))
        place = {name: n for n, name in enumerate(names)}
        coarse = np.array([place[group_of[path]] for path in paths], dtype=np.int64)[questions]
        return _parted(coarse, names, answers.astype(np.int64), list(self.answers), min_size, split)


def _paths(questions: Iterable[tuple[Path, bool]]) -> list[Path]:
    """Return the paths of forms; text alone is a kind of its own where others have images."""
    known = list(questions)
    if not any(shown for _, shown in known):
        return [path for path, _ in known]
    return [
        path if shown else (*(f"text only: {name}" for name in path), "text only")
        for path, shown in known
    ]


def _turns_name(answers: int) -> str:
    for low, high in _TURNS:
        if low <= answers <= high:
            return f"conversation of {low} to {high} answers"
    return f"conversation of over {_TURNS[-1][1]} answers"


def _parted(
    coarse: np.ndarray,
    names: list[str],
    answers: np.ndarray,
    forms: list[str],
    min_size: int,
    split: float,
) -> tuple[np.ndarray, list[str]]:
    """Part groups by the forms of their answers that are usual in them; others join the most usual.

    Of equally usual ones, the first by name counts.
    """
    table = np.zeros((len(names), len(forms)), dtype=np.int64)
    np.add.at(table, (coarse, answers), 1)
    label_of = np.empty(table.shape, dtype=np.int64)
    parted: list[str] = []
    for group, counts in enumerate(table.tolist()):
        order = sorted(range(len(forms)), key=lambda n: (-counts[n], forms[n]))
        least = max(min_size, split * sum(counts))
        usual = [n for n in order if counts[n] >= least and split < 1] or order[:1]
        for place, form in enumerate(usual):
            label_of[group, form] = len(parted) + place
        for form in order:
            if form not in usual:
                label_of[group, form] = len(parted)
        if len(usual) == 1:
            parted.append(names[group])
        else:
            parted += [f"{names[group]}, {forms[form]}" for form in usual]
    return label_of[coarse, answers], parted
