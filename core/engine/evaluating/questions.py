"""Tells questions by what they are, so that test questions are known again under any name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ig4.core.engine.evaluating.evaluate import opened_questions
from ig4.core.engine.evaluating.itemimages import item_images
from ig4.core.host.fingerprint import digest_of

if TYPE_CHECKING:
    from pathlib import Path

    from ig4.core.engine.session import Session
    from ig4.core.records import Choice

KEPT = 512
"""How many digests are kept of questions. All of so few; else one question of a hundred that are
shared is overlooked once in 170 times."""


def question_digests(
    session: Session, benchmark: Choice, limit: int | None, image_root: Path | None
) -> frozenset[str]:
    """Return digests of the first `limit` questions: of their words and of their images' bytes.

    Capitals and spaces do not count, and neither do ids, answers, and the names of files.

    Raises:
        UsageError, DatasetError, PrerequisiteError: they cannot be read.
    """
    with opened_questions(session, benchmark, limit) as opened:
        images = item_images(session, opened.items, opened.image_root, image_root)
        return frozenset(
            digest_of([" ".join(item.question.casefold().split()), digest])[:12]
            for item, digest in zip(opened.items, images.digests, strict=True)
        )


def kept_digests(digests: Iterable[str]) -> list[str]:
    """Return the digests that are kept of questions, in order: the smallest ones.

    Those of two sets of questions share members where the sets do: whatever set they are of, the
    smallest ones are a draw of it.
    """
    return sorted(digests)[:KEPT]
