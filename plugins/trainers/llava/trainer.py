"""The `llava` trainer: LLaVA-1.5's stage 1 and stage 2, full or with LoRA."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

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
from ig4.plugins.trainers.llava.options import LlavaOptions

if TYPE_CHECKING:
    from ig4.plugins.trainers.llava.model import Llava
    from ig4.plugins.training.plan import Plan

NAME = "llava"


class LlavaTrainer(Trainer):
    """LLaVA-1.5 with the published hyper-parameters of each stage.

    A checkpoint of stage 1 holds the projector (also as `mm_projector.bin`), one of LoRA PEFT's
    adapter with the projector beside it, a full one the whole model as transformers loads it.
    """

    Options = LlavaOptions
    options: LlavaOptions

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """See `Configurable.identity`; models in folders count by their contents."""
        names = ("llm", "vision", "projector") if self.options.llm else ("model", "projector")
        return self.options.described(digest, *names)

    def steps(self, samples: int) -> int:
        """Return how many steps so many samples make."""
        batch = self.options.published.batch_size
        whole = math.ceil(samples * self.options.epochs / batch)
        return min(self.options.steps or whole, whole)

    def train(self, job: TrainingJob) -> Checkpoint:
        """See `Trainer.train`."""
        import torch

        from ig4.plugins.trainers.llava.build import build, copy_tokenizer, save_original_projector
        from ig4.plugins.trainers.llava.model import Llava
        from ig4.plugins.training import memory, parts
        from ig4.plugins.training.loop import fit
        from ig4.plugins.training.states import remove_states

        if not job.samples:
            raise UsageError("there is nothing to train on: the selection is empty")
        torch.manual_seed(job.seed)
        chosen = self.options.published
        with memory.enough(NAME, self.options):
            model, projectors = parts.choose(
                build(self.options), chosen.learning, lora=self.options.lora
            )
        llava = Llava(model)
        fitted = fit(self.plan(llava, projectors, job), self.options, job)
        checkpoint = Checkpoint(
            NAME, self.options.model_dump(mode="json"), job.output, job.origin, job.seed,
            fitted.metrics,
        )  # fmt: skip
        if is_main_process():
            parts.save(model, job.output, chosen.learning, projectors)
            if chosen.learning == "full":
                copy_tokenizer(self.options, job.output)
            save_original_projector(llava, job.output)
            checkpoint = checkpoint.save(job.output)
            remove_states(job.output)
        return checkpoint

    def plan(self, llava: Llava, projectors: list[str], job: TrainingJob) -> Plan:
        """Return what the loop is to do."""
        from ig4.plugins.trainers.llava.build import tokens
        from ig4.plugins.trainers.llava.examples import Examples
        from ig4.plugins.training import parts
        from ig4.plugins.training.batches import Collator
        from ig4.plugins.training.order import passes
        from ig4.plugins.training.plan import Plan
        from ig4.plugins.training.schedules import Cosine

        chosen = self.options.published
        known = tokens(self.options)
        steps = self.steps(len(job.samples))
        order = passes(len(job.samples), self.options.epochs, job.seed)
        return Plan(
            name=NAME,
            model=llava,
            examples=Examples(
                job.samples,
                order[: steps * chosen.batch_size],
                known,
                captions=self.options.stage == "pretrain",
                vectors=llava.vectors,
                image_size=llava.image_size,
                max_length=self.options.max_length,
            ),
            collate=Collator(known.unk_id, hide_pad=True),
            groups=parts.groups(
                llava.model,
                projectors,
                rate=chosen.learning_rate,
                projector_rate=chosen.projector_learning_rate,
                weight_decay=self.options.weight_decay,
            ),
            rate=Cosine(steps, self.options.warmup_ratio),
            steps=steps,
            batch=chosen.batch_size,
            steps_per_epoch=len(job.samples) / chosen.batch_size,
            seeing=parts.seeing(llava.model, projectors),
            masks="the original masks samples whose answers end in white space or hold its marks, "
            "for its count of their tokens does not add up",
        )

    def generate(
        self, checkpoint: Checkpoint, prompts: Iterable[Prompt], decoding: Decoding
    ) -> Iterator[str | Failure]:
        """See `Trainer.generate`: the most probable tokens, at most 512, up to `</s>`."""
        from ig4.plugins.trainers.llava.build import build, tokens
        from ig4.plugins.trainers.llava.generation import AnswerGenerator
        from ig4.plugins.trainers.llava.model import Llava
        from ig4.plugins.training import memory, parts
        from ig4.plugins.training.decoding import answers

        whole = None
        if checkpoint.path is not None and self.options.published.learning == "full":
            whole = str(checkpoint.path.absolute())
        with memory.enough(NAME, self.options):
            model = build(self.options, place=whole)
            if checkpoint.path is not None and whole is None:
                model = parts.restore(model, checkpoint.path).eval()
        answering = AnswerGenerator(Llava(model), tokens(self.options), self.options, decoding)
        yield from answers(prompts, decoding.batch_size, answering.prepare, answering)

    def footprint(self, job: TrainingJob) -> Footprint:
        """See `Trainer.footprint`."""
        from ig4.plugins.trainers.llava.build import outline
        from ig4.plugins.training.footprints import footprint

        chosen = self.options.published
        model, note = outline(self.options)
        vision = model.config.vision_config
        return footprint(
            model,
            self.options,
            name=NAME,
            learning=chosen.learning,
            lora=self.options.lora,
            batch=chosen.batch_size,
            steps=self.steps(len(job.samples)),
            length=min(
                self.options.max_length, 300 + (vision.image_size // vision.patch_size) ** 2
            ),
            notes=() if note is None else (note,),
        )
