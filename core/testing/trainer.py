"""Checks for trainers."""

from __future__ import annotations

import atexit
import hashlib
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import lru_cache
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
    """Interrupts a training in the middle."""


def trainer_checks(make: Make) -> list[Check]:
    """Return the checks of a trainer, whose options should make it train a few steps only.

    Give it a tiny model, on the CPU and in fp32: equality of weights is checked to the last bit.
    """
    return component_checks(make) + checks_from(
        check_a_checkpoint_describes_itself,
        check_every_step_is_reported,
        check_equal_seeds_give_equal_weights,
        check_another_seed_gives_other_weights,
        check_an_interrupted_training_goes_on_to_equal_weights,
        check_nothing_to_train_on_is_refused,
        check_an_unreadable_image_stops_the_training,
        check_bad_samples_are_found_before_the_training,
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


def check_a_checkpoint_describes_itself(make: Make) -> None:
    """The folder can be read again, by its trainer's options, and says where it comes from."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = _train(make, Path(folder), origin={"dataset": "pets", "selection": 7})
        again = Checkpoint.read(Path(folder))
        require(again == checkpoint, f"it returned {checkpoint}, but saved {again}")
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
        _train(make, Path(first))
        _train(make, Path(second))
        require(_weights(Path(first)) == _weights(Path(second)), "equal jobs, other weights")


def check_another_seed_gives_other_weights(make: Make) -> None:
    """The seed decides something."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        _train(make, Path(first))
        _train(make, Path(second), seed=7)
        require(_weights(Path(first)) != _weights(Path(second)), "the seed changes nothing")


def check_an_interrupted_training_goes_on_to_equal_weights(make: Make) -> None:
    """A job that is started again continues where it stopped, to the same weights."""

    def stop(step: TrainingStep) -> None:
        if step.step == 2:
            raise _StopError

    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as broken:
        _train(make, Path(whole))
        try:
            make().train(TrainingJob(make_samples(6), Path(broken), report=stop))
            fail("an error raised by `report` was swallowed")
        except _StopError:
            pass
        _train(make, Path(broken))
        require(
            _weights(Path(whole)) == _weights(Path(broken)),
            "the continued training gave other weights",
        )


def check_nothing_to_train_on_is_refused(make: Make) -> None:
    """Training on no samples is an error, and leaves no checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            make().train(TrainingJob([], Path(folder)))
            fail("it trained on no samples")
        except Ig4Error:
            require(not (Path(folder) / MANIFEST).exists(), "there is a checkpoint nevertheless")


def check_an_unreadable_image_stops_the_training(make: Make) -> None:
    """The error for an image that cannot be read names its sample."""
    samples = [*make_samples(2), sample_with_unreadable_image()]
    with tempfile.TemporaryDirectory() as folder:
        try:
            make().train(TrainingJob(samples, Path(folder)))
            fail("an image that cannot be read went unnoticed")
        except TrainingError as error:
            require("unreadable" in str(error), f"the sample is not named: {error}")


def check_bad_samples_are_found_before_the_training(make: Make) -> None:
    """`check_samples` has a result for each sample, in order, and takes those that are good."""
    good = make_samples(4)
    samples = [*good[:2], sample_with_unreadable_image(), *good[2:]]
    checks = list(make().check_samples(samples))
    require(len(checks) == 5, f"{len(checks)} results for 5 samples")
    problems = [one.problem for one in checks]
    require(bool(problems[2]), "an image that cannot be read went unnoticed")
    require(problems.count(None) == 4, f"good samples have problems: {problems}")
    require(all(one.cut >= 0 for one in checks), f"{checks}")
    require(all(one.limit for one in checks if one.cut), "what cuts the answers is not named")


def check_there_is_an_answer_for_each_prompt(make: Make) -> None:
    """There are as many texts as prompts, in the same order."""
    checkpoint = _trained(make)
    answers = _answers(make, checkpoint, _prompts(5))
    require(len(answers) == 5, f"{len(answers)} answers to 5 prompts")
    require(all(isinstance(one, str) for one in answers), f"{answers}")
    again = _answers(make, checkpoint, list(reversed(_prompts(5))))
    require(answers == list(reversed(again)), "answers are not in the order of the prompts")


def check_answers_do_not_depend_on_the_batch(make: Make) -> None:
    """One at a time or four, the answers are the same."""
    _same_answers(make, Decoding(max_new_tokens=6, batch_size=1, temperature=0))


def check_drawn_answers_come_from_seed_and_prompt(make: Make) -> None:
    """This holds for any temperature, and whatever other prompts there are."""
    drawn = Decoding(max_new_tokens=6, batch_size=3, temperature=1.5, seed=3)
    checkpoint = _trained(make)
    prompts = _prompts(5)
    answers = list(make().generate(checkpoint, prompts, drawn))
    some = list(make().generate(checkpoint, prompts[3:], drawn))
    require(answers[3:] == some, "an answer depends on the other prompts")
    other = Decoding(max_new_tokens=6, batch_size=3, temperature=1.5, seed=4)
    require(answers != list(make().generate(checkpoint, prompts, other)), "the seed is ignored")


def check_one_bad_prompt_costs_the_others_nothing(make: Make) -> None:
    """A prompt whose image cannot be read is a Failure among answers."""
    bad = Prompt("bad", _user_turn("What is this?"), sample_with_unreadable_image().images)
    good = _prompts(2)
    checkpoint = _trained(make)
    answers = _answers(make, checkpoint, [good[0], bad, good[1]])
    require(isinstance(answers[1], Failure), f"the bad prompt gave {answers[1]!r}")
    require([answers[0], answers[2]] == _answers(make, checkpoint, good), "the others changed")


def check_prompts_are_not_taken_far_ahead(make: Make) -> None:
    """With a batch size of 1 each answer comes before the next prompt is taken, as chats need."""
    taken: list[str] = []

    def prompts() -> Iterator[Prompt]:
        for prompt in _prompts(3):
            taken.append(prompt.id)
            yield prompt

    checkpoint = _trained(make)
    one = Decoding(max_new_tokens=4, batch_size=1)
    for number, _ in enumerate(make().generate(checkpoint, prompts(), one), start=1):
        require(len(taken) == number, f"{len(taken)} prompts taken for {number} answers")


def check_a_conversation_is_continued(make: Make) -> None:
    """Earlier turns count: after different first answers, not all next answers are the same."""
    first_answers = (
        "A bus.",
        "Two grey cats under a tree.",
        "No.",
        "The boat lies by the river, I think.",
    )
    greedy = Decoding(max_new_tokens=12, batch_size=1, temperature=0)
    checkpoint = _trained(make)
    answers = [
        one
        for text in first_answers
        for one in make().generate(checkpoint, [_conversation(text)], greedy)
    ]
    require(
        len(answers) == len(first_answers),
        f"{len(answers)} answers to {len(first_answers)} conversations",
    )
    require(all(isinstance(one, str) for one in answers), f"{answers}")
    require(len(set(map(str, answers))) > 1, "earlier turns change nothing")


def check_an_untrained_model_answers(make: Make) -> None:
    """A checkpoint without a folder is the model as it was."""
    name = type(make()).__name__
    checkpoint = Checkpoint(name, make().options.model_dump(mode="json"))
    answers = _answers(make, checkpoint, _prompts(2))
    require(all(isinstance(one, str) for one in answers), f"{answers}")


def check_the_footprint_counts(make: Make) -> None:
    """If the trainer has a footprint, its numbers are consistent."""
    footprint = make().footprint(TrainingJob(make_samples(6), Path("unused")))
    if footprint is None:
        return
    total = sum(footprint.parameters.values())
    require(0 < footprint.trained <= total, f"{footprint.trained} of {total} parameters learn")
    require(all(size >= 0 for size in footprint.memory.values()), f"{footprint.memory}")
    require(footprint.steps > 0 and footprint.batch > 0, f"{footprint}")
    require(not Path("unused").exists(), "`footprint` wrote something")


def _train(make: Make, folder: Path, *, seed: int = 42, origin: object = None) -> Checkpoint:
    job = TrainingJob(_samples(), folder, seed, origin if isinstance(origin, dict) else {})
    return make().train(job)


@lru_cache(maxsize=16)
def _trained(make: Make) -> Checkpoint:
    """Train once for all checks that only ask the model; the folder stays until the end."""
    folder = tempfile.mkdtemp(prefix="ig4-trained-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return _train(make, Path(folder))


def _samples() -> list[Sample]:
    return make_samples(6)


def _weights(folder: Path) -> dict[str, str]:
    """Return the sha256 of each safetensors file by its name."""
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.glob("*.safetensors"))
    }


def _user_turn(text: str) -> tuple[Turn, ...]:
    return (Turn("user", text),)


def _prompts(count: int) -> list[Prompt]:
    images: list[tuple[Image, ...]] = [one.images for one in make_samples(count)]
    texts = ("What is this?", "What can be seen here, and where?", "Tell me more.")
    return [
        Prompt(f"prompt-{n}", _user_turn(texts[n % len(texts)]), shown)
        for n, shown in enumerate(images)
    ]


def _conversation(answer: str) -> Prompt:
    turns = (*_user_turn("What is this?"), Turn("assistant", answer), *_user_turn("And now?"))
    return Prompt("talk", turns, make_samples(1)[0].images)


def _answers(make: Make, checkpoint: Checkpoint, prompts: list[Prompt]) -> list[str | Failure]:
    return list(make().generate(checkpoint, prompts, _SHORT))


def _same_answers(make: Make, decoding: Decoding) -> None:
    checkpoint = _trained(make)
    four = Decoding(max_new_tokens=decoding.max_new_tokens, batch_size=4, temperature=0)
    alone = list(make().generate(checkpoint, _prompts(5), decoding))
    together = list(make().generate(checkpoint, _prompts(5), four))
    require(alone == together, f"batches of 1 gave {alone}, of 4 {together}")
