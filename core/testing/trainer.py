"""Checks for trainers."""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ig4.core.contracts import Trainer
from ig4.core.contracts.training import (
    MANIFEST,
    Checkpoint,
    Decoding,
    Prompt,
    TrainingError,
    TrainingJob,
    TrainingStep,
)
from ig4.core.errors import Ig4Error
from ig4.core.records import Failure, Image, Sample, Turn
from ig4.core.testing.check import Check, checks_from, fail, require
from ig4.core.testing.component import component_checks
from ig4.core.testing.samples import make_samples, sample_with_unreadable_image

Make = Callable[[], Trainer]

_SHORT = Decoding(max_new_tokens=6, batch_size=4)


class _StopError(Exception):
    """What interrupts a training in the middle."""


def trainer_checks(make: Make) -> list[Check]:
    """Return the checks of a trainer, whose options should make it train a few steps only.

    Give it a tiny model, on the CPU and in fp32: equality of weights is checked to the last bit.
    """
    return component_checks(make) + checks_from(
        check_a_checkpoint_tells_what_it_is,
        check_every_step_is_reported,
        check_equal_seeds_give_equal_weights,
        check_another_seed_gives_other_weights,
        check_an_interrupted_training_goes_on_to_equal_weights,
        check_nothing_to_train_on_is_refused,
        check_an_unreadable_image_stops_the_training,
        check_there_is_an_answer_for_each_prompt,
        check_answers_do_not_depend_on_the_batch,
        check_drawn_answers_come_from_seed_and_prompt,
        check_one_bad_prompt_costs_the_others_nothing,
        check_prompts_are_not_taken_far_ahead,
        check_a_conversation_is_continued,
        check_an_untrained_model_answers,
        check_the_footprint_counts,
        given=(make,),
    )


def check_a_checkpoint_tells_what_it_is(make: Make) -> None:
    """The folder can be read again, by its trainer's options, and says where it comes from."""
    with tempfile.TemporaryDirectory() as folder:
        done = _trained(make, Path(folder), origin={"dataset": "pets", "selection": 7})
        again = Checkpoint.read(Path(folder))
        require(again == done, f"what was returned is not what was saved: {done} and {again}")
        require(again.origin == {"dataset": "pets", "selection": 7}, "the origin was lost")
        require(again.seed == 42, f"the seed is {again.seed}")
        require(
            type(make()).Options.model_validate(again.options) == make().options,
            "the options cannot be restored",
        )
        require(bool(_weights(Path(folder))), "there are no safetensors in the folder")


def check_every_step_is_reported(make: Make) -> None:
    """Steps count up from 1 to the total announced; losses and rates are finite."""
    steps: list[TrainingStep] = []
    announced: list[tuple[int, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        make().train(
            TrainingJob(
                make_samples(6), Path(folder), report=steps.append,
                started=lambda total, done: announced.append((total, done)),
            )
        )  # fmt: skip
    require(announced == [(len(steps), 0)], f"announced {announced}, reported {len(steps)}")
    require([one.step for one in steps] == list(range(1, len(steps) + 1)), "steps are left out")
    for one in steps:
        require(math.isfinite(one.loss) and math.isfinite(one.learning_rate), f"{one}")
        require(one.seconds >= 0 and one.epoch > 0, f"{one}")


def check_equal_seeds_give_equal_weights(make: Make) -> None:
    """Two trainings of one job give equal files."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        _trained(make, Path(first))
        _trained(make, Path(second))
        require(_weights(Path(first)) == _weights(Path(second)), "equal jobs, other weights")


def check_another_seed_gives_other_weights(make: Make) -> None:
    """The seed decides something."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        _trained(make, Path(first))
        _trained(make, Path(second), seed=7)
        require(_weights(Path(first)) != _weights(Path(second)), "the seed changes nothing")


def check_an_interrupted_training_goes_on_to_equal_weights(make: Make) -> None:
    """A job that is given again goes on where it was, to the same weights."""

    def stop(step: TrainingStep) -> None:
        if step.step == 2:
            raise _StopError

    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as broken:
        _trained(make, Path(whole))
        try:
            make().train(TrainingJob(make_samples(6), Path(broken), report=stop))
            fail("an error raised by `report` was swallowed")
        except _StopError:
            pass
        _trained(make, Path(broken))
        require(_weights(Path(whole)) == _weights(Path(broken)), "it came to other weights")


def check_nothing_to_train_on_is_refused(make: Make) -> None:
    """Without samples there is an error that says so, and no checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            make().train(TrainingJob([], Path(folder)))
            fail("it trained on no samples")
        except Ig4Error:
            require(not (Path(folder) / MANIFEST).exists(), "there is a checkpoint all the same")


def check_an_unreadable_image_stops_the_training(make: Make) -> None:
    """A training that lacks an image says so, and of which sample."""
    samples = [*make_samples(2), sample_with_unreadable_image()]
    with tempfile.TemporaryDirectory() as folder:
        try:
            make().train(TrainingJob(samples, Path(folder)))
            fail("an image that cannot be read went unnoticed")
        except TrainingError as error:
            require("unreadable" in str(error), f"the sample is not named: {error}")


def check_there_is_an_answer_for_each_prompt(make: Make) -> None:
    """Prompts in, texts out, as many and in order."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = _trained(make, Path(folder))
        given = _answers(make, checkpoint, _prompts(5))
        require(len(given) == 5, f"{len(given)} answers to 5 prompts")
        require(all(isinstance(one, str) for one in given), f"{given}")
        again = _answers(make, checkpoint, list(reversed(_prompts(5))))
        require(given == list(reversed(again)), "answers are not in the order of the prompts")


def check_answers_do_not_depend_on_the_batch(make: Make) -> None:
    """One at a time or four, the answers are the same."""
    _same_answers(make, Decoding(max_new_tokens=6, batch_size=1, temperature=0))


def check_drawn_answers_come_from_seed_and_prompt(make: Make) -> None:
    """With a temperature too, and whatever else is asked."""
    drawn = Decoding(max_new_tokens=6, batch_size=3, temperature=1.5, seed=3)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = _trained(make, Path(folder))
        prompts = _prompts(5)
        given = list(make().generate(checkpoint, prompts, drawn))
        some = list(make().generate(checkpoint, prompts[3:], drawn))
        require(given[3:] == some, "an answer depends on what else is asked")
        other = Decoding(max_new_tokens=6, batch_size=3, temperature=1.5, seed=4)
        require(given != list(make().generate(checkpoint, prompts, other)), "the seed is ignored")


def check_one_bad_prompt_costs_the_others_nothing(make: Make) -> None:
    """A prompt whose image cannot be read is a Failure among answers."""
    bad = Prompt("bad", _asked("What is this?"), sample_with_unreadable_image().images)
    good = _prompts(2)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = _trained(make, Path(folder))
        given = _answers(make, checkpoint, [good[0], bad, good[1]])
        require(isinstance(given[1], Failure), f"the bad prompt gave {given[1]!r}")
        require([given[0], given[2]] == _answers(make, checkpoint, good), "the others changed")


def check_prompts_are_not_taken_far_ahead(make: Make) -> None:
    """With a batch size of 1 each answer comes before the next prompt is taken, as chats need."""
    taken: list[str] = []

    def prompts() -> Iterator[Prompt]:
        for prompt in _prompts(3):
            taken.append(prompt.id)
            yield prompt

    with tempfile.TemporaryDirectory() as folder:
        checkpoint = _trained(make, Path(folder))
        one = Decoding(max_new_tokens=4, batch_size=1)
        for number, _ in enumerate(make().generate(checkpoint, prompts(), one), start=1):
            require(len(taken) == number, f"{len(taken)} prompts taken for {number} answers")


def check_a_conversation_is_continued(make: Make) -> None:
    """Earlier turns count: after other first answers the next one is, some time, another."""
    said = ("A bus.", "Two grey cats under a tree.", "No.", "The boat lies by the river, I think.")
    likely = Decoding(max_new_tokens=12, batch_size=1, temperature=0)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = _trained(make, Path(folder))
        given = [one for text in said for one in make().generate(checkpoint, [_talk(text)], likely)]
        require(len(given) == len(said), f"{len(given)} answers to {len(said)} conversations")
        require(all(isinstance(one, str) for one in given), f"{given}")
        require(len(set(map(str, given))) > 1, "what was said before changes nothing")


def check_an_untrained_model_answers(make: Make) -> None:
    """A checkpoint without a folder is the model as it was."""
    name = type(make()).__name__
    checkpoint = Checkpoint(name, make().options.model_dump(mode="json"))
    given = _answers(make, checkpoint, _prompts(2))
    require(all(isinstance(one, str) for one in given), f"{given}")


def check_the_footprint_counts(make: Make) -> None:
    """If the trainer tells what it takes, the numbers fit together."""
    told = make().footprint(TrainingJob(make_samples(6), Path("unused")))
    if told is None:
        return
    total = sum(told.parameters.values())
    require(0 < told.trained <= total, f"{told.trained} of {total} parameters learn")
    require(all(size >= 0 for size in told.memory.values()), f"{told.memory}")
    require(told.steps > 0 and told.batch > 0, f"{told}")
    require(not Path("unused").exists(), "telling what it takes wrote something")


def _trained(make: Make, folder: Path, *, seed: int = 42, origin: object = None) -> Checkpoint:
    job = TrainingJob(_samples(), folder, seed, origin if isinstance(origin, dict) else {})
    return make().train(job)


def _samples() -> list[Sample]:
    return make_samples(6)


def _weights(folder: Path) -> dict[str, str]:
    """Return the sha256 of each safetensors file by its name."""
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.glob("*.safetensors"))
    }


def _asked(text: str) -> tuple[Turn, ...]:
    return (Turn("user", text),)


def _prompts(count: int) -> list[Prompt]:
    images: list[tuple[Image, ...]] = [one.images for one in make_samples(count)]
    texts = ("What is this?", "What can be seen here, and where?", "Tell me more.")
    return [
        Prompt(f"prompt-{n}", _asked(texts[n % len(texts)]), shown)
        for n, shown in enumerate(images)
    ]


def _talk(answer: str) -> Prompt:
    turns = (*_asked("What is this?"), Turn("assistant", answer), *_asked("And now?"))
    return Prompt("talk", turns, make_samples(1)[0].images)


def _answers(make: Make, checkpoint: Checkpoint, prompts: list[Prompt]) -> list[str | Failure]:
    return list(make().generate(checkpoint, prompts, _SHORT))


def _same_answers(make: Make, decoding: Decoding) -> None:
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = _trained(make, Path(folder))
        four = Decoding(max_new_tokens=decoding.max_new_tokens, batch_size=4, temperature=0)
        alone = list(make().generate(checkpoint, _prompts(5), decoding))
        together = list(make().generate(checkpoint, _prompts(5), four))
        require(alone == together, f"batches of 1 gave {alone}, of 4 {together}")
