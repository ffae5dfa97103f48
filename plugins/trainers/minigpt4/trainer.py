"""The `minigpt4` trainer: it trains the projection and freezes everything else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
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
from ig4.plugins.trainers.minigpt4.options import MiniGPT4Options
from ig4.plugins.trainers.minigpt4.schedule import WarmupCosine

if TYPE_CHECKING:
    from ig4.plugins.trainers.minigpt4.model import MiniGPT4
    from ig4.plugins.training.plan import TrainingPlan

NAME = "minigpt4"


class MiniGPT4Trainer(Trainer):
    """MiniGPT-4's second stage: prompts, order, rates and checkpoints as published.

    A checkpoint holds the projection in `model.safetensors` and, for the original code, in
    `checkpoint_N.pth` after each epoch N.
    """

    Options = MiniGPT4Options
    options: MiniGPT4Options

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """See `Configurable.identity`; models in files count by their contents."""
        return self.options.training_identity(
            digest, "llm", "vit", "qformer", "model", "checkpoint"
        )

    @property
    def schedule(self) -> WarmupCosine:
        """The learning rate schedule of the options."""
        options = self.options
        return WarmupCosine(
            peak=options.learning_rate,
            least=options.min_learning_rate,
            warmup=options.warmup_learning_rate,
            warmup_steps=options.warmup_steps,
            steps_per_epoch=options.steps_per_epoch,
            epochs=options.epochs,
        )

    @property
    def steps(self) -> int:
        """The number of steps."""
        return min(self.options.steps or self.schedule.steps, self.schedule.steps)

    def check_samples(self, samples: Iterable[Sample]) -> Iterator[SampleCheck]:
        """See `Trainer.check_samples`: by the tokenizer."""
        from ig4.core.threads import ordered_map
        from ig4.plugins.models.tokenizer import load_tokenizer
        from ig4.plugins.trainers.minigpt4.build import require_parts
        from ig4.plugins.trainers.minigpt4.examples import check_example

        options = self.options
        require_parts(options)
        tokenizer = load_tokenizer(options.llm, cache_dir=options.cache_dir)
        tokenizer.encode("")  # sets a fast tokenizer up, which two threads must not do at once
        yield from ordered_map(
            lambda one: check_example(tokenizer, one, options.max_answer_tokens), samples
        )

    def train(self, job: TrainingJob) -> Checkpoint:
        """See `Trainer.train`."""
        import torch

        from ig4.plugins.trainers.minigpt4.build import build
        from ig4.plugins.training import memory
        from ig4.plugins.training.loop import fit
        from ig4.plugins.training.states import remove_states

        if not job.samples:
            raise UsageError("there is nothing to train on: the selection is empty")
        torch.manual_seed(job.seed)
        with memory.explain_memory_errors(NAME, self.options):
            model = build(self.options)
        if self.options.model is None and self.options.checkpoint is None:
            job.notice(
                "no projection is named (-o minigpt4.checkpoint=…, from the first stage): it "
                "starts at random"
            )
        plan = self.plan(model, job)
        result = fit(plan, self.options, job)
        checkpoint = Checkpoint(
            NAME, self.options.model_dump(mode="json"), job.output, job.origin, job.seed,
            result.metrics,
        )  # fmt: skip
        if is_main_process():
            self._save(model, job)
            checkpoint = checkpoint.save(job.output)
            remove_states(job.output)
        return checkpoint

    def plan(self, model: MiniGPT4, job: TrainingJob) -> TrainingPlan:
        """Return the plan of the training: the order of the samples, groups and rates."""
        from ig4.plugins.models.tokenizer import load_tokenizer
        from ig4.plugins.trainers.minigpt4.examples import Examples
        from ig4.plugins.training.batches import Collator
        from ig4.plugins.training.order import batch_order
        from ig4.plugins.training.plan import TrainingPlan

        options = self.options
        tokenizer = load_tokenizer(options.llm, cache_dir=options.cache_dir)
        if len(job.samples) < options.batch_size:
            job.notice(
                f"{len(job.samples)} samples are fewer than a batch of {options.batch_size}: "
                "they repeat within it"
            )
        order = batch_order(len(job.samples), options.batch_size, self.steps, job.seed)
        examples = Examples(
            job.samples, order, tokenizer, model.sizes, job.seed,
            max_answer_tokens=options.max_answer_tokens, crop=options.crop,
            published=self._uses_published_prompts(job),
        )  # fmt: skip
        return TrainingPlan(
            name=NAME,
            model=model,
            examples=examples,
            collate=Collator(tokenizer.eos_id),
            groups=parameter_groups(model, options.weight_decay),
            rate=self.schedule,
            steps=self.steps,
            batch=options.batch_size,
            steps_per_epoch=options.steps_per_epoch,
            image_parameters=list(model.language_projection.parameters()),
            on_epoch_end=partial(self._save_original, model, job),
        )

    def _uses_published_prompts(self, job: TrainingJob) -> bool:
        from ig4.plugins.trainers.minigpt4.prompts import PROMPTS

        if self.options.prompts != "auto":
            return self.options.prompts == "published"
        usual = all(
            len(one.turns) == 2 and one.turns[0].text.strip() in ("", *PROMPTS)
            for one in job.samples
        )
        if not usual:
            job.notice("the samples' own instructions are the prompts")
        return usual

    def _save(self, model: MiniGPT4, job: TrainingJob) -> None:
        """Write the projection for ig4."""
        from ig4.plugins.models.weights import save_trained
        from ig4.plugins.trainers.minigpt4.build import WEIGHTS, save_model

        if self.options.complete:
            save_model(model, job.output)
        else:
            save_trained(model, job.output / WEIGHTS)

    def _save_original(
        self,
        model: MiniGPT4,
        job: TrainingJob,
        epoch: int,
        optimizer: Mapping[str, Any],
        scaler: Mapping[str, Any] | None,
    ) -> None:
        """Write an epoch's projection for the original code."""
        import torch

        from ig4.plugins.trainers.minigpt4.model import original_projection

        kept: dict[str, Any] = {
            "model": original_projection(model),
            "optimizer": optimizer,
            "config": {"run": self.options.model_dump(mode="json"), "origin": dict(job.origin)},
            "scaler": scaler,
            "epoch": epoch,
        }
        torch.save(kept, job.output / f"checkpoint_{epoch}.pth")

    def generate(
        self, checkpoint: Checkpoint, prompts: Iterable[Prompt], decoding: Decoding
    ) -> Iterator[str | Failure]:
        """See `Trainer.generate`: sampled with top_p 0.9, at most 300 tokens, cut at "###"."""
        from ig4.plugins.trainers.minigpt4.build import build, read_projection
        from ig4.plugins.trainers.minigpt4.generation import AnswerGenerator
        from ig4.plugins.training import memory
        from ig4.plugins.training.decoding import generate_answers

        if checkpoint.path is None and self.options.model is self.options.checkpoint is None:
            raise UsageError(
                "MiniGPT-4 cannot answer without a projection: name one with "
                "-o minigpt4.checkpoint=…"
            )
        with memory.explain_memory_errors(NAME, self.options):
            model = build(self.options)
        if checkpoint.path is not None:
            from ig4.plugins.trainers.minigpt4.model import fit_state

            state = fit_state(model, read_projection(checkpoint.path), source=str(checkpoint.path))
            model.load_state_dict(state, strict=False)
        generator = AnswerGenerator(model, self.options, decoding)
        yield from generate_answers(prompts, decoding.batch_size, generator.prepare, generator)

    def footprint(self, job: TrainingJob) -> Footprint:
        """See `Trainer.footprint`."""
        from ig4.plugins.trainers.minigpt4.build import meta_model
        from ig4.plugins.training import memory
        from ig4.plugins.training.plan import split_batch

        options = self.options
        model, config, note = meta_model(options)
        parts = memory.count_parameters({
            "vision tower": model.vision_model,
            "query tokens": model.query_tokens,
            "Q-Former": model.qformer,
            "projection": model.language_projection,
            "language model": model.language_model,
        })  # fmt: skip
        trained = memory.trained_parameters(model)
        micro, _ = split_batch(options.batch_size, options, name=NAME)
        kind = options.resolved_precision if options.quantize == "none" else options.quantize
        before = sum(parts.values()) - parts["language model"]
        return Footprint(
            parameters=parts,
            trained=trained,
            memory={
                "weights before the language model (fp32)": 4 * before,
                f"weights of the language model ({kind})": int(
                    memory.BYTES[kind] * parts["language model"]
                ),
                "gradients and AdamW": memory.optimizer_bytes(trained),
                f"activations of {micro} samples, about": memory.activation_bytes(
                    config,
                    samples=micro,
                    length=options.max_answer_tokens + model.sizes.num_query_tokens + 32,
                    precision=options.resolved_precision,
                    checkpointing=options.gradient_checkpointing,
                ),
            },
            steps=self.steps,
            batch=options.batch_size,
            notes=() if note is None else (note,),
        )


def parameter_groups(model: MiniGPT4, weight_decay: float) -> list[dict[str, Any]]:
    """Return AdamW's groups: no decay for vectors, nor for names with "bias", "ln" or "bn"."""
    decayed: list[Any] = []
    plain: list[Any] = []
    for name, value in model.named_parameters():
        if value.requires_grad:
            exempt = value.ndim < 2 or any(part in name for part in ("bias", "ln", "bn"))
            (plain if exempt else decayed).append(value)
    return [
        {"params": decayed, "weight_decay": weight_decay, "lr": 1.0},
        {"params": plain, "weight_decay": 0.0, "lr": 1.0},
    ]
