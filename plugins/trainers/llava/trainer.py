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
    SampleCheck,
    TrainingJob,
    is_main_process,
)
from ig4.core.errors import UsageError
from ig4.core.records import JSON, Failure, Sample
from ig4.plugins.trainers.llava.options import LlavaOptions

if TYPE_CHECKING:
    from ig4.plugins.trainers.llava.model import Llava
    from ig4.plugins.training.plan import TrainingPlan

NAME = "llava"


class LlavaTrainer(Trainer):
    """LLaVA-1.5 with the published hyper-parameters of each stage.

    A checkpoint of stage 1 holds the projector (also as `mm_projector.bin`), one of LoRA PEFT's
    adapter and the projector, a full one the whole model in the layout of transformers.
    """

    Options = LlavaOptions
    options: LlavaOptions

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """See `Configurable.identity`; models in folders count by their contents."""
        names = ("llm", "vision", "projector") if self.options.llm else ("model", "projector")
        return self.options.training_identity(digest, *names)

    def steps(self, samples: int) -> int:
        """Return the number of steps for a number of samples."""
        batch = self.options.published.batch_size
        whole = math.ceil(samples * self.options.epochs / batch)
        return min(self.options.steps or whole, whole)

    def check_samples(self, samples: Iterable[Sample]) -> Iterator[SampleCheck]:
        """See `Trainer.check_samples`: by the tokenizer, and the sizes of the vision tower."""
        import numpy as np

        from ig4.core.threads import ordered_map
        from ig4.plugins.trainers.llava.build import meta_model, tokenizer_of
        from ig4.plugins.trainers.llava.examples import Examples
        from ig4.plugins.trainers.llava.model import Llava

        model = Llava(meta_model(self.options)[0])
        tokenizer = tokenizer_of(self.options)
        tokenizer.encode("")  # sets a fast tokenizer up, which two threads must not do at once
        examples = Examples(
            [], np.empty(0, dtype=np.int64), tokenizer,
            captions=self.options.stage == "pretrain", vectors=model.vectors,
            image_size=model.image_size, max_length=self.options.max_length,
        )  # fmt: skip
        yield from ordered_map(examples.check, samples)

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
        recipe = self.options.published
        with memory.explain_memory_errors(NAME, self.options):
            model, projectors = parts.set_trainable(
                build(self.options), recipe.trainable, lora=self.options.lora
            )
        llava = Llava(model)
        result = fit(self.plan(llava, projectors, job), self.options, job)
        checkpoint = Checkpoint(
            NAME, self.options.model_dump(mode="json"), job.output, job.origin, job.seed,
            result.metrics,
        )  # fmt: skip
        if is_main_process():
            parts.save(model, job.output, recipe.trainable, projectors)
            if recipe.trainable == "full":
                copy_tokenizer(self.options, job.output)
            save_original_projector(llava, job.output)
            checkpoint = checkpoint.save(job.output)
            remove_states(job.output)
        return checkpoint

    def plan(self, llava: Llava, projectors: list[str], job: TrainingJob) -> TrainingPlan:
        """Return the plan of the training."""
        from ig4.plugins.trainers.llava.build import tokenizer_of
        from ig4.plugins.trainers.llava.examples import Examples
        from ig4.plugins.training import parts
        from ig4.plugins.training.batches import Collator
        from ig4.plugins.training.order import epoch_order
        from ig4.plugins.training.plan import TrainingPlan
        from ig4.plugins.training.schedules import CosineSchedule

        recipe = self.options.published
        tokenizer = tokenizer_of(self.options)
        steps = self.steps(len(job.samples))
        order = epoch_order(len(job.samples), self.options.epochs, job.seed)
        return TrainingPlan(
            name=NAME,
            model=llava,
            examples=Examples(
                job.samples,
                order[: steps * recipe.batch_size],
                tokenizer,
                captions=self.options.stage == "pretrain",
                vectors=llava.vectors,
                image_size=llava.image_size,
                max_length=self.options.max_length,
            ),
            collate=Collator(tokenizer.unk_id, hide_pad=True),
            groups=parts.parameter_groups(
                llava.model,
                projectors,
                rate=recipe.learning_rate,
                projector_rate=recipe.projector_learning_rate,
                weight_decay=self.options.weight_decay,
            ),
            rate=CosineSchedule(steps, self.options.warmup_ratio),
            steps=steps,
            batch=recipe.batch_size,
            steps_per_epoch=len(job.samples) / recipe.batch_size,
            image_parameters=parts.projector_parameters(llava.model, projectors),
            mask_reason="LLaVA's code masks samples whose answers end in white space or contain "
            "its separators, because its token counts do not add up",
        )

    def generate(
        self, checkpoint: Checkpoint, prompts: Iterable[Prompt], decoding: Decoding
    ) -> Iterator[str | Failure]:
        """See `Trainer.generate`: the most probable tokens, at most 512, up to `</s>`."""
        from ig4.plugins.trainers.llava.build import build, tokenizer_of
        from ig4.plugins.trainers.llava.generation import AnswerGenerator
        from ig4.plugins.trainers.llava.model import Llava
        from ig4.plugins.training import memory, parts
        from ig4.plugins.training.decoding import generate_answers

        whole = None
        if checkpoint.path is not None and self.options.published.trainable == "full":
            whole = str(checkpoint.path.absolute())
        with memory.explain_memory_errors(NAME, self.options):
            model = build(self.options, name_or_path=whole)
            if checkpoint.path is not None and whole is None:
                model = parts.restore(model, checkpoint.path).eval()
        generator = AnswerGenerator(
            Llava(model), tokenizer_of(self.options), self.options, decoding
        )
        yield from generate_answers(prompts, decoding.batch_size, generator.prepare, generator)

    def footprint(self, job: TrainingJob) -> Footprint:
        """See `Trainer.footprint`."""
        from ig4.plugins.trainers.llava.build import meta_model
        from ig4.plugins.training.footprints import footprint

        recipe = self.options.published
        model, note = meta_model(self.options)
        vision = model.config.vision_config
        return footprint(
            model,
            self.options,
            name=NAME,
            trainable=recipe.trainable,
            lora=self.options.lora,
            batch=recipe.batch_size,
            steps=self.steps(len(job.samples)),
            length=min(
                self.options.max_length, 300 + (vision.image_size // vision.patch_size) ** 2
            ),
            notes=() if note is None else (note,),
        )
