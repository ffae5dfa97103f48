"""Prompts of MiniGPT-4: questions, answers and images as token ids, and their labels."""

from __future__ import annotations

from collections.abc import Sequence

from ig4.core.records import Turn
from ig4.plugins.models.tokenizer import Tokenizer
from ig4.plugins.training.conversations import question_answer_pairs
from ig4.plugins.training.placeholders import IGNORED, IMAGE

PROMPTS = (
    "Describe this image in detail.",
    "Take a look at this image and describe what you notice.",
    "Please provide a detailed description of the picture.",
    "Could you describe the contents of this image for me?",
)
"""The four instructions of the second stage; each batch gets a random one."""

END = "###"
SYSTEM = (
    "Give the following image: <Img>ImageContent</Img>. You will be able to see the image once I "
    "provide it to you. Please answer my questions."
)


def training_ids(
    tokenizer: Tokenizer,
    turns: Sequence[tuple[str, str]],
    *,
    images: int,
    vectors: int,
    max_answer_tokens: int,
) -> tuple[list[int], list[int]]:
    """Return (ids, labels) of one sample: BOS, then each question and its answer.

    Each text is tokenised on its own. An answer with its end mark is cut to `max_answer_tokens`,
    and `</s>` in it has no label, because the original takes it for padding.
    """
    ids, labels = [tokenizer.bos_id], [IGNORED]
    for number, (question, answer) in enumerate(turns):
        question_ids = _question(
            tokenizer,
            f"{END if number == 0 else ''}Human: ",
            f"{question} {END}Assistant: ",
            images=images if number == 0 else 0,
            vectors=vectors,
        )
        answer_ids = tokenizer.encode(answer + END)[:max_answer_tokens]
        ids += question_ids + answer_ids
        labels += [IGNORED] * len(question_ids)
        labels += [IGNORED if one == tokenizer.eos_id else one for one in answer_ids]
    return ids, labels


def chat_ids(
    tokenizer: Tokenizer, turns: Sequence[Turn], *, images: int, vectors: int
) -> list[int]:
    """Return the ids from which the next answer is generated, without a space at the end."""
    ids: list[int] = [tokenizer.bos_id]
    before = f"{SYSTEM}{END}"
    for number, (question, answer) in enumerate(question_answer_pairs(turns)):
        shown = images if number == 0 else 0
        after = f"{question}{END}Assistant:"
        if answer:
            after += f" {answer}{END}"
        if shown:
            ids += _question(tokenizer, f"{before}Human: ", after, images=shown, vectors=vectors)
            before = ""
        else:
            before += f"Human: {after}"
    return ids + (tokenizer.encode(before) if before else [])


def _question(
    tokenizer: Tokenizer, before: str, after: str, *, images: int, vectors: int
) -> list[int]:
    """Return the ids of a question, with the images and their marks before it.

    The marks are added here and never searched for in the text, which is untrusted.
    """
    ids: list[int] = []
    for _ in range(images):
        ids += tokenizer.encode(f"{before}<Img>")
        ids += [IMAGE] * vectors
        before = "</Img> "
    return ids + tokenizer.encode(before + after)
