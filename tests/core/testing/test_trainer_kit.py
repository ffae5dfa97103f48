"""The conformance kit finds trainers that break their contract."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from pydantic import Field
from safetensors.numpy import load_file, save_file

from ig4.core.chunks import chunks
from ig4.core.contracts import Options, Trainer
from ig4.core.contracts.training import (
    Checkpoint,
    Footprint,
    SampleCheck,
    TrainingError,
    TrainingStep,
)
from ig4.core.errors import UsageError
from ig4.core.files.images.decode import ImageError
from ig4.core.records import Failure
from ig4.core.testing import ConformanceError, trainer_checks

STEPS = 3


class Rate(Options):
    rate: float = Field(0.5, description="How far a step goes.")


class GoodTrainer(Trainer):
    """Learns one number, the mean brightness of images, and answers with words drawn by it."""

    Options = Rate
    options: Rate
    origin: ClassVar[bool] = True

    def train(self, job):
        if not job.samples:
            raise UsageError("there is nothing to train on")
        state = job.output / "state.safetensors"
        begun = load_file(state) if state.exists() else self.fresh(job)
        value, done = begun["value"], int(begun["done"])
        job.started(STEPS, done)
        for step in range(done, STEPS):
            sample = job.samples[int(self.order(job)[step % len(job.samples)])]
            loss = self.brightness(sample) - value
            value = value + np.float64(self.options.rate) * loss
            job.report(TrainingStep(step + 1, (step + 1) / STEPS, float(loss.item()) ** 2, 0.5,
                                    None, 0.0))  # fmt: skip
            save_file({"value": value, "done": np.array(step + 1)}, state)
        state.unlink()
        save_file({"value": value}, job.output / "model.safetensors")
        kept = job.origin if self.origin else {}
        return Checkpoint("good", self.options.model_dump(), job.output, kept, job.seed).save(
            job.output
        )

    def fresh(self, job):
        return {"value": np.array([0.0]), "done": np.array(0)}

    def order(self, job):
        return np.random.default_rng(job.seed).permutation(len(job.samples))

    def brightness(self, sample):
        try:
            return np.array([np.asarray(one.pixels()).mean() for one in sample.images]).mean()
        except ImageError as error:
            raise TrainingError(f"sample {sample.id!r}: {error}") from None

    def generate(self, checkpoint, prompts, decoding):
        value = 0.0
        if checkpoint.path is not None:
            value = float(load_file(checkpoint.path / "model.safetensors")["value"].item())
        for batch in chunks(prompts, decoding.batch_size):
            yield from (self.answer(prompt, value, decoding) for prompt in batch)

    def answer(self, prompt, value, decoding):
        try:
            for image in prompt.images:
                image.pixels()
        except ImageError as error:
            return Failure(str(error))
        said = "|".join(turn.text for turn in prompt.turns)
        chance = f"{decoding.seed} {prompt.id}" if decoding.temperature else ""
        return hashlib.sha256(f"{value} {said} {chance}".encode()).hexdigest()

    def footprint(self, job):
        return Footprint({"number": 1}, 1, {"number": 8}, STEPS, 1)


class Forgetful(GoodTrainer):
    origin = False


class Silent(GoodTrainer):
    def train(self, job):
        return super().train(replace(job, report=lambda step: None))


class Dicey(GoodTrainer):
    def fresh(self, job):
        return {"value": np.array([random.random()]), "done": np.array(0)}


class Stubborn(GoodTrainer):
    def order(self, job):
        return np.arange(len(job.samples))


class Restless(GoodTrainer):
    """Draws its order anew where it goes on."""

    def train(self, job):
        self.resumed = (job.output / "state.safetensors").exists()
        return super().train(job)

    def order(self, job):
        return super().order(job)[:: -1 if self.resumed else 1]


class Eager(GoodTrainer):
    def train(self, job):
        if not job.samples:
            return Checkpoint("eager", {}, job.output).save(job.output)
        return super().train(job)


class Tolerant(GoodTrainer):
    def brightness(self, sample):
        try:
            return super().brightness(sample)
        except TrainingError:
            return 0.0


class Terse(GoodTrainer):
    def brightness(self, sample):
        try:
            return super().brightness(sample)
        except TrainingError:
            raise TrainingError("an image cannot be read") from None


class Careless(GoodTrainer):
    def check_samples(self, samples):
        return (SampleCheck() for _ in samples)


class Picky(GoodTrainer):
    def check_samples(self, samples):
        return (SampleCheck("it is not nice") for _ in samples)


class Missing(GoodTrainer):
    def generate(self, checkpoint, prompts, decoding):
        given = list(super().generate(checkpoint, prompts, decoding))
        yield from given[1:]


class Sorted(GoodTrainer):
    def generate(self, checkpoint, prompts, decoding):
        yield from sorted(super().generate(checkpoint, prompts, decoding), key=str)


class Crowded(GoodTrainer):
    """What else is in the batch changes an answer."""

    def generate(self, checkpoint, prompts, decoding):
        for batch in chunks(prompts, decoding.batch_size):
            rest = super().generate(checkpoint, batch, decoding)
            yield from (one if isinstance(one, Failure) else f"{one}{len(batch)}" for one in rest)


class Seedless(GoodTrainer):
    def answer(self, prompt, value, decoding):
        return super().answer(prompt, value, replace(decoding, seed=0))


class Fragile(GoodTrainer):
    def answer(self, prompt, value, decoding):
        for image in prompt.images:
            image.pixels()
        return super().answer(prompt, value, decoding)


class Greedy(GoodTrainer):
    def generate(self, checkpoint, prompts, decoding):
        return super().generate(checkpoint, list(prompts), decoding)


class Deaf(GoodTrainer):
    def answer(self, prompt, value, decoding):
        return super().answer(replace(prompt, turns=prompt.turns[-1:]), value, decoding)


class Homeless(GoodTrainer):
    def generate(self, checkpoint, prompts, decoding):
        assert checkpoint.path is not None
        yield from super().generate(checkpoint, prompts, decoding)


class Boastful(GoodTrainer):
    def footprint(self, job):
        return Footprint({"number": 1}, 2, {"number": 8}, STEPS, 1)


def failing(trainer) -> set[str]:
    """Return the names of the checks that do not hold."""
    found = set()
    for check in trainer_checks(lambda: trainer(Rate())):
        try:
            check()
        except ConformanceError:
            found.add(check.name)
        except Exception:  # noqa: BLE001 - a bad component may crash as well
            found.add(check.name)
    return found


def test_a_good_trainer_passes_all_checks():
    for check in trainer_checks(lambda: GoodTrainer(Rate())):
        check()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trainer", "check"),
    [
        (Forgetful, "a_checkpoint_describes_itself"),
        (Silent, "every_step_is_reported"),
        (Dicey, "equal_seeds_give_equal_weights"),
        (Stubborn, "another_seed_gives_other_weights"),
        (Restless, "an_interrupted_training_goes_on_to_equal_weights"),
        (Eager, "nothing_to_train_on_is_refused"),
        (Tolerant, "an_unreadable_image_stops_the_training"),
        (Terse, "an_unreadable_image_stops_the_training"),
        (Careless, "bad_samples_are_found_before_the_training"),
        (Picky, "bad_samples_are_found_before_the_training"),
        (Missing, "there_is_an_answer_for_each_prompt"),
        (Sorted, "there_is_an_answer_for_each_prompt"),
        (Crowded, "answers_do_not_depend_on_the_batch"),
        (Seedless, "drawn_answers_come_from_seed_and_prompt"),
        (Fragile, "one_bad_prompt_costs_the_others_nothing"),
        (Greedy, "prompts_are_not_taken_far_ahead"),
        (Deaf, "a_conversation_is_continued"),
        (Homeless, "an_untrained_model_answers"),
        (Boastful, "the_footprint_counts"),
    ],
)
def test_a_bad_trainer_is_found_out(trainer, check):
    assert check in failing(trainer)
