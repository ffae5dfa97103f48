"""The `hf` trainer: current vision-language models, with their own chat templates."""

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
    SampleCheck,
    TrainingJob,
    is_main_process,
)
from ig4.core.errors import UsageError
from ig4.core.records import JSON, Failure, Sample
from ig4.plugins.trainers.hf.options import HuggingFaceOptions

if TYPE_CHECKING:
    from ig4.plugins.training.plan import TrainingPlan

NAME = "hf"


class HuggingFaceTrainer(Trainer):
    """Trains any model of `AutoModelForImageTextToText`, on the answers only.

    A checkpoint holds the processor, and the projector, PEFT's adapter with the projector, or the
    whole model in the layout of transformers.
    """

    Options = HuggingFaceOptions
    options: HuggingFaceOptions

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """See `Configurable.identity`; a model in a folder counts by its contents."""
        return self.options.training_identity(digest, "model")

    def steps(self, samples: int) -> int:
        """Return the number of steps for a number of samples."""
        whole = math.ceil(samples * self.options.epochs / self.options.batch_size)
        return min(self.options.steps or whole, whole)

    def check_samples(self, samples: Iterable[Sample]) -> Iterator[SampleCheck]:
        """See `Trainer.check_samples`: by the model's processor, template and tokenizer."""
        from ig4.plugins.trainers.hf.checking import check_samples

        return check_samples(self.options, samples)

    def train(self, job: TrainingJob) -> Checkpoint:
        """See `Trainer.train`."""
        import torch

        from ig4.plugins.trainers.hf.build import build, load_processor
        from ig4.plugins.training import memory, parts
        from ig4.plugins.training.loop import fit
        from ig4.plugins.training.states import remove_states

        if not job.samples:
            raise UsageError("there is nothing to train on: the selection is empty")
        torch.manual_seed(job.seed)
        processor = load_processor(self.options)
        with memory.explain_memory_errors(NAME, self.options):
            model, projectors = parts.set_trainable(
                build(self.options), self.options.trains, lora=self.options.lora,
                pattern=self.options.projector,
            )  # fmt: skip
        plan = self.plan(model, processor, projectors, job)
        if self.options.packing:
            from ig4.plugins.trainers.hf.packing import check_packing

            check_packing(plan, self.options)
        result = fit(plan, self.options, job)
        checkpoint = Checkpoint(
            NAME, self.options.model_dump(mode="json"), job.output, job.origin, job.seed,
            result.metrics,
        )  # fmt: skip
        if is_main_process():
            parts.save(model, job.output, self.options.trains, projectors)
            processor.save_pretrained(job.output)
            checkpoint = checkpoint.save(job.output)
            remove_states(job.output)
        return checkpoint

    def plan(
        self, model: Any, processor: Any, projectors: list[str], job: TrainingJob
    ) -> TrainingPlan:
        """Return the plan of the training."""
        from ig4.plugins.trainers.hf.examples import Collator, Examples, Packer
        from ig4.plugins.trainers.hf.model import AnswerModel
        from ig4.plugins.training import parts
        from ig4.plugins.training.order import epoch_order
        from ig4.plugins.training.plan import TrainingPlan
        from ig4.plugins.training.schedules import CosineSchedule

        options = self.options
        steps = self.steps(len(job.samples))
        order = epoch_order(len(job.samples), options.epochs, job.seed)
        examples = Examples(
            job.samples, order[: steps * options.batch_size], processor, system=options.system,
            max_pixels=options.max_pixels, max_length=options.max_length,
        )  # fmt: skip
        pad = processor.tokenizer.pad_token_id
        return TrainingPlan(
            name=NAME,
            model=AnswerModel(model),
            examples=examples,
            collate=Packer() if options.packing else Collator(pad),
            groups=parts.parameter_groups(
                model, projectors, rate=options.rate, projector_rate=None,
                weight_decay=options.weight_decay,
            ),
            rate=CosineSchedule(steps, options.warmup_ratio),
            steps=steps,
            batch=options.batch_size,
            steps_per_epoch=len(job.samples) / options.batch_size,
            max_grad_norm=options.max_grad_norm,
            image_parameters=parts.projector_parameters(model, projectors),
        )  # fmt: skip

    def generate(
        self, checkpoint: Checkpoint, prompts: Iterable[Prompt], decoding: Decoding
    ) -> Iterator[str | Failure]:
        """See `Trainer.generate`: the most probable tokens, at most 512."""
        from ig4.plugins.trainers.hf.build import build, load_processor
        from ig4.plugins.trainers.hf.generation import AnswerGenerator
        from ig4.plugins.training import memory, parts
        from ig4.plugins.training.decoding import generate_answers

        name_or_path = None if checkpoint.path is None else str(checkpoint.path.absolute())
        whole = name_or_path if self.options.trains == "full" else None
        with memory.explain_memory_errors(NAME, self.options):
            model = build(self.options, name_or_path=whole)
            if checkpoint.path is not None and whole is None:
                model = parts.restore(model, checkpoint.path).eval()
        processor = load_processor(self.options, name_or_path=name_or_path)
        generator = AnswerGenerator(model, processor, self.options, decoding)
        yield from generate_answers(prompts, decoding.batch_size, generator.prepare, generator)

    def footprint(self, job: TrainingJob) -> Footprint:
        """See `Trainer.footprint`; assumes samples of 1,024 tokens."""
        from ig4.plugins.trainers.hf.build import meta_model
        from ig4.plugins.training.footprints import footprint

        options = self.options
        return footprint(
            meta_model(options), options, name=NAME, trainable=options.trains, lora=options.lora,
            batch=options.batch_size, steps=self.steps(len(job.samples)),
            length=min(options.max_length, 1024), pattern=options.projector,
        )  # fmt: skip
