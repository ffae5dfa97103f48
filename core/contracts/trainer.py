"""The contract of trainers, which fine-tune a model on samples and generate its answers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator

from ig4.core.contracts.root import Configurable
from ig4.core.contracts.training import (
    UNREADABLE,
    Checkpoint,
    Decoding,
    Footprint,
    Prompt,
    SampleCheck,
    TrainingJob,
)
from ig4.core.records import Failure, Sample
from ig4.core.threads import ordered_map


class Trainer(Configurable):
    """Fine-tunes a model on samples, and generates answers with the result.

    The model and how it is trained are options, so that they are checked before any work,
    shown by `ig4 plugins show`, and part of the fingerprint.
    """

    @abstractmethod
    def train(self, job: TrainingJob) -> Checkpoint:
        """Train, report every step, and return the checkpoint saved in `job.output`.

        Equal job and options give equal weights on the same machine, also when the training
        was killed in between: it then continues from what is in `job.output`.

        Raises:
            TrainingError: the loss is not a number, memory runs out, an image is missing.
            PrerequisiteError: the model or a device is missing.
        """

    def check_samples(self, samples: Iterable[Sample]) -> Iterator[SampleCheck]:
        """Tell of each sample, in order, whether `train` could take it, without loading weights.

        It runs before the first step, so that one bad sample does not end hours of work. By default
        the images are decoded; a trainer whose processor may refuse a sample, or whose length limit
        may cut answers, prepares each sample as `train` does.

        Raises:
            PrerequisiteError: what the check needs of the model is missing.
        """
        return ordered_map(check_images, samples)

    @abstractmethod
    def generate(
        self, checkpoint: Checkpoint, prompts: Iterable[Prompt], decoding: Decoding
    ) -> Iterator[str | Failure]:
        """Answer each prompt, in order, with the model of a checkpoint.

        The model is loaded at the first prompt and freed at the end. Prompts are taken at most
        `decoding.batch_size` ahead of the answers. One bad prompt is a Failure.

        Raises:
            PrerequisiteError: the checkpoint is of another model, or something is missing.
        """

    def footprint(self, job: TrainingJob) -> Footprint | None:
        """Estimate what `train` would take, without loading weights; None if that is not known."""
        return None


def check_images(sample: Sample) -> SampleCheck:
    """Decode the images of a sample."""
    from ig4.core.files.images.decode import ImageError

    try:
        for image in sample.images:
            image.pixels()
    except ImageError as error:
        return SampleCheck(str(error), UNREADABLE)
    return SampleCheck()
