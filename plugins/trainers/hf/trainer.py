"""The `hf` trainer: today's vision-language models, by their own chat templates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ig4.core.contracts import Digest, Trainer
from ig4.core.contracts.training import (
    Checkpoint,
    Decoding,
    Footprint,
    Prompt,
    TrainingJob,
    is_main_process,
)
from ig4.core.errors import UsageError
from ig4.core.records import JSON, Failure
from ig4.plugins.trainers.hf.options import HuggingFaceOptions

if TYPE_CHECKING:
    from ig4.plugins.training.plan import Plan

NAME = "hf"


class HuggingFaceTrainer(Trainer):
    """Trains what `AutoModelForImageTextToText` loads; only answers are learned.

    A checkpoint holds the projector, PEFT's adapter with the projector beside it, or the whole
    model as transformers loads it; the processor with all of them.
    """

    Options = HuggingFaceOptions
    options: HuggingFaceOptions

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """See `Configurable.identity`; a model in a folder counts by its contents."""
        return self.options.described(digest, "model")

    def steps(self, samples: int) -> int:
        """Return how many steps so many samples make."""
        whole = math.ceil(samples * self.options.epochs / self.options.batch_size)
        return min(self.options.steps or whole, whole)

    def train(self, job: TrainingJob) -> Checkpoint:
        """See `Trainer.train`."""
        import torch

        from ig4.plugins.trainers.hf.build import build, processor_of
        from ig4.plugins.training import memory, parts
        from ig4.plugins.training.loop import fit
        from ig4.plugins.training.states import remove_states

        if not job.samples:
            raise UsageError("there is nothing to train on: the selection is empty")
        torch.manual_seed(job.seed)
        processor = processor_of(self.options)
        with memory.enough(NAME, self.options):
            model, projectors = parts.choose(
                build(self.options), self.options.trains, lora=self.options.lora,
                pattern=self.options.projector,
            )  # fmt: skip
        plan = self.plan(model, processor, projectors, job)
        if self.options.packing:
            from ig4.plugins.trainers.hf.packing import require_apart

            require_apart(plan, self.options)
        fitted = fit(plan, self.options, job)
        checkpoint = Checkpoint(
            NAME, self.options.model_dump(mode="json"), job.output, job.origin, job.seed,
            fitted.metrics,
        )  # fmt: skip
        if is_main_process():
            parts.save(model, job.output, self.options.trains, projectors)
            processor.save_pretrained(job.output)
            checkpoint = checkpoint.save(job.output)
            remove_states(job.output)
        return checkpoint

    def plan(self, model: Any, processor: Any, projectors: list[str], job: TrainingJob) -> Plan:
        """Return what the loop is to do."""
        from ig4.plugins.trainers.hf.examples import Collator, Examples, Packer
        from ig4.plugins.trainers.hf.model import AnswerModel
        from ig4.plugins.training import parts
        from ig4.plugins.training.order import passes
        from ig4.plugins.training.plan import Plan
        from ig4.plugins.training.schedules import Cosine

        chosen = self.options
        steps = self.steps(len(job.samples))
        order = passes(len(job.samples), chosen.epochs, job.seed)
        examples = Examples(
            job.samples, order[: steps * chosen.batch_size], processor, system=chosen.system,
            max_pixels=chosen.max_pixels, max_length=chosen.max_length,
        )  # fmt: skip
        pad = processor.tokenizer.pad_token_id
        return Plan(
            name=NAME,
            model=AnswerModel(model),
            examples=examples,
            collate=Packer() if chosen.packing else Collator(pad),
            groups=parts.groups(
                model, projectors, rate=chosen.rate, projector_rate=None,
                weight_decay=chosen.weight_decay,
            ),
            rate=Cosine(steps, chosen.warmup_ratio),
            steps=steps,
            batch=chosen.batch_size,
            steps_per_epoch=len(job.samples) / chosen.batch_size,
            clip=chosen.max_grad_norm,
            seeing=parts.seeing(model, projectors),
        )  # fmt: skip

    def generate(
        self, checkpoint: Checkpoint, prompts: Iterable[Prompt], decoding: Decoding
    ) -> Iterator[str | Failure]:
        """See `Trainer.generate`: the most probable tokens, at most 512."""
        from ig4.plugins.trainers.hf.build import build, processor_of
        from ig4.plugins.trainers.hf.generation import AnswerGenerator
        from ig4.plugins.training import memory, parts
        from ig4.plugins.training.decoding import answers

        place = None if checkpoint.path is None else str(checkpoint.path.absolute())
        whole = place if self.options.trains == "full" else None
        with memory.enough(NAME, self.options):
            model = build(self.options, place=whole)
            if checkpoint.path is not None and whole is None:
                model = parts.restore(model, checkpoint.path).eval()
        processor = processor_of(self.options, place=place)
        answering = AnswerGenerator(model, processor, self.options, decoding)
        yield from answers(prompts, decoding.batch_size, answering.prepare, answering)

    def footprint(self, job: TrainingJob) -> Footprint:
        """See `Trainer.footprint`; samples are taken to have 1,024 tokens."""
        from ig4.plugins.trainers.hf.build import outline
        from ig4.plugins.training.footprints import footprint

        chosen = self.options
        return footprint(
            outline(chosen), chosen, name=NAME, learning=chosen.trains, lora=chosen.lora,
            batch=chosen.batch_size, steps=self.steps(len(job.samples)),
            length=min(chosen.max_length, 1024), pattern=chosen.projector,
        )  # fmt: skip
