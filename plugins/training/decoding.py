"""Generates answers in batches, with randomness that depends on the prompt alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from ig4.core.chunks import chunks
from ig4.core.contracts.training import Decoding, Prompt, TrainingError
from ig4.core.errors import Ig4Error, PrerequisiteError, UsageError
from ig4.core.records import Failure
from ig4.plugins.models.loading import one_line
from ig4.plugins.training.order import seeded_rng

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen: a complete set of values."""

    max_new_tokens: int = 300
    temperature: float = 0.0
    top_p: float = 1.0
    num_beams: int = 1
    repetition_penalty: float = 1.0

    def with_overrides(self, decoding: Decoding) -> Sampling:
        """Return the user's values, and these values for the rest.

        Raises:
            UsageError: the values are out of range, or contradict each other.
        """
        values = {one.name: getattr(decoding, one.name) for one in fields(self)}
        requested = {name: value for name, value in values.items() if value is not None}
        if requested.get("num_beams", self.num_beams) > 1 and "temperature" not in requested:
            requested["temperature"] = 0.0  # beams mean a search, not sampling
        merged = Sampling(**{one.name: requested.get(one.name, getattr(self, one.name))
                           for one in fields(self)})  # fmt: skip
        if merged.num_beams > 1 and merged.temperature > 0:
            raise UsageError("beams search for the most probable answer: leave --temperature at 0")
        if not (0 < merged.top_p <= 1 and merged.temperature >= 0 and merged.max_new_tokens > 0
                and merged.num_beams > 0 and merged.repetition_penalty > 0):  # fmt: skip
            raise UsageError("decoding: top_p is in (0, 1], the others are above 0")
        return merged


def generate(
    model: Any,
    inputs: dict[str, Tensor],
    names: Sequence[str],
    sampling: Sampling,
    *,
    seed: int,
    eos: int | Sequence[int],
    pad: int,
    stops: Sequence[Sequence[int]] = (),
) -> list[list[int]]:
    """Return the new ids of each row, up to its end.

    `inputs` are left-padded; `names` are the ids of the prompts, which seed each row's sampling.
    A row also ends with any of the sequences `stops`.
    """
    ends = [eos] if isinstance(eos, int) else list(eos)
    config = GenerationConfig(
        max_new_tokens=sampling.max_new_tokens,
        do_sample=False,
        num_beams=sampling.num_beams,
        repetition_penalty=sampling.repetition_penalty,
        eos_token_id=ends,
        pad_token_id=pad,
        bos_token_id=ends[0],
    )
    processors = LogitsProcessorList()
    if sampling.temperature > 0:
        processors.append(SeededSampling(sampling, names, seed))
    start = inputs["input_ids"].shape[1] if "input_ids" in inputs else 0
    with torch.no_grad():
        rows = model.generate(
            **inputs,
            generation_config=config,
            logits_processor=processors,
            stopping_criteria=StoppingCriteriaList([_StopSequences(stops, start)] if stops else []),
        )
    return [_until_end(row, ends) for row in rows[:, start:].tolist()]


class SeededSampling(LogitsProcessor):
    """Samples each row's token with a generator of its own, by the Gumbel-max trick.

    The largest of log-probabilities plus Gumbel noise is a sample of the distribution. The noise
    depends on the seed, the prompt's id and the position of the token, so an answer is the same in
    any batch and after an interruption.
    """

    def __init__(self, sampling: Sampling, names: Sequence[str], seed: int) -> None:
        self.warpers = LogitsProcessorList([TemperatureLogitsWarper(sampling.temperature)])
        if sampling.top_p < 1:
            self.warpers.append(TopPLogitsWarper(sampling.top_p))
        self.generators = [seeded_rng(seed, "sampling", name) for name in names]

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor
                 ) -> torch.FloatTensor:  # fmt: skip
        """Return scores (rows, vocabulary) whose largest entry is the sampled token."""
        warped = self.warpers(input_ids, scores.float()).log_softmax(dim=-1)
        noise = torch.stack(
            [torch.from_numpy(rng.gumbel(size=warped.shape[-1])) for rng in self.generators]
        )
        noisy: Any = warped + noise.to(warped.device, warped.dtype)
        return noisy  # type: ignore[no-any-return]  # a Tensor; transformers annotates its old class


class _StopSequences(StoppingCriteria):
    """Ends a row when its new ids end in one of several sequences."""

    def __init__(self, stops: Sequence[Sequence[int]], start: int) -> None:
        self.stops = [list(stop) for stop in stops]
        self.start = start

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        new = input_ids[:, self.start :]
        done = torch.zeros(len(new), dtype=torch.bool, device=new.device)
        for stop in self.stops:
            if new.shape[1] >= len(stop):
                tail = new[:, -len(stop) :]
                done |= (tail == torch.tensor(stop, device=new.device)).all(dim=1)
        return done


def _until_end(row: list[int], ends: Sequence[int]) -> list[int]:
    for place, token in enumerate(row):
        if token in ends:
            return row[:place]
    return row


def generate_answers(
    prompts: Iterable[Prompt],
    batch_size: int,
    prepare: Callable[[Prompt], T],
    answer: Callable[[Sequence[Prompt], Sequence[T]], Sequence[str]],
) -> Iterator[str | Failure]:
    """Yield an answer for each prompt, in order, or a Failure if it cannot be prepared.

    Raises:
        PrerequisiteError: the model itself is not complete.
        TrainingError: memory runs out; the message says what to do.
    """
    for batch in chunks(prompts, batch_size):
        ready: list[tuple[Prompt, T]] = []
        failed: dict[int, Failure] = {}
        for place, prompt in enumerate(batch):
            try:
                ready.append((prompt, prepare(prompt)))
            except (PrerequisiteError, torch.OutOfMemoryError):
                raise
            except Ig4Error as error:
                failed[place] = Failure(str(error))
            except Exception as error:  # noqa: BLE001 - a library's; only this prompt fails
                failed[place] = Failure(f"{type(error).__name__}: {one_line(error)}")
        try:
            texts = list(answer([p for p, _ in ready], [r for _, r in ready])) if ready else []
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                f"there is not enough memory for {batch_size} answers at a time: take a smaller "
                "--batch-size"
            ) from error
        remaining = iter(texts)
        for place in range(len(batch)):
            yield failed[place] if place in failed else next(remaining)
