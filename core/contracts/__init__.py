"""What a component of each kind must do. Subclass one of these in a plugin.

Constructors only store their options; `open()` loads models; `close()` frees them. A class
names its results' `version`: raising it makes ig4 compute them anew.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict

from ig4.core.records import JSON, Choice, Failure, Record, Sample, Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture

    from ig4.core.calls.provider import Provider
    from ig4.core.calls.request import Reply, Request
    from ig4.core.contracts.evaluation import Item, Measured, Pair, Verdict
    from ig4.core.contracts.training import Checkpoint, Decoding, Footprint, Prompt, TrainingJob

T = TypeVar("T")
R = TypeVar("R")

Digest: TypeAlias = Callable[[Path], str]
"""Gives the sha256 of a file or folder; the engine remembers it by size and time."""


class Options(BaseModel):
    """The options of a component: frozen, and an option it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_Options: TypeAlias = Options  # inside the class, `Options` is its attribute


class Configurable(ABC):
    """Anything with options, a version and a life: the root of all component classes."""

    version: ClassVar[str] = "1"
    Options: ClassVar[type[_Options]] = _Options
    options: _Options

    def __init__(self, options: _Options) -> None:
        self.options = options

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return what the results depend on, JSON-able; part of the fingerprint.

        Leave out what only changes speed (batch size, device) and replace the path of a
        file by `digest(path)`. Must not import the component's heavy libraries.
        """
        identity: Mapping[str, JSON] = self.options.model_dump(mode="json")
        return identity

    def open(self) -> None:
        """Load models and libraries. Called once, in the process that does the work.

        Raises:
            PrerequisiteError: weights, a key or a device are missing.
        """

    def close(self) -> None:
        """Free what `open` took."""


class Scorer(Configurable):
    """Rates samples."""

    reads_pixels: ClassVar[bool] = False
    """Whether `score` calls `sample.images[i].pixels()`; they are then decoded ahead."""

    needs_answer: ClassVar[bool] = True
    """Whether a sample with an empty answer fails before it gets here."""

    @property
    def batch_size(self) -> int:
        """How many samples to hand over, and commit, at a time."""
        return 1024

    def embedder(self) -> Choice | None:
        """Name the embedder whose vectors `score` reads from `sample.embeddings`."""
        return None

    @abstractmethod
    def score(self, batch: Sequence[Sample]) -> Sequence[Score | Failure]:
        """Rate each sample, in order. One bad sample is a Failure and costs the others nothing."""

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring raw values (n,) to the paper's 0-100 scale of this scorer; as they are here."""
        return values


class Ask(Protocol):
    """Asks a language model, once and for all: a reply is kept, and never paid for again."""

    def __call__(self, request: Request, read: Callable[[Reply], T], /) -> Awaitable[T]:
        """Return what `read` makes of the reply; it raises UnreadableError where it cannot.

        Raises:
            UnreadableError: `read` raised it.
            CallError: there is no reply; leave all other kinds of it to the engine.
        """


class AsyncScorer(Scorer):
    """Rates samples one at a time by asking a service; the engine has many asked at once."""

    @abstractmethod
    def provider(self) -> Provider:
        """Return the service to ask, not opened."""

    @abstractmethod
    async def rate(self, sample: Sample, ask: Ask) -> Score | Failure:
        """Rate one sample; whatever is asked must depend on the sample and the options alone."""

    def score(self, batch: Sequence[Sample]) -> Sequence[Score | Failure]:
        """Rate each sample, one after another, without the engine's ledger, limits and retries."""
        from ig4.core.calls.plain import rate_all

        return rate_all(self, batch)


class Embedder(Configurable):
    """Turns images into vectors; each distinct image is embedded once and stored."""

    @property
    def batch_size(self) -> int:
        """How many images to hand over at a time."""
        return 32

    def prepare(self, image: Picture) -> Any:
        """Make an RGB image ready for `embed`; called in reader threads, ahead of it."""
        return image

    @abstractmethod
    def embed(self, batch: Sequence[Any]) -> NDArray[np.float32]:
        """Return (n, d) float32, not normalised, for n prepared images."""


class Clusterer(Configurable):
    """Groups image embeddings."""

    @abstractmethod
    def fit_predict(self, X: NDArray[np.float32], k: int, seed: int) -> NDArray[np.int64]:  # noqa: N803 - X as in scikit-learn
        """Return labels (n,) in 0..k-1 for X (n, d) float32; equal input, equal labels."""


class Selector(Configurable):
    """Chooses samples."""

    needs_clusters: ClassVar[bool] = False
    """Whether `labels` decides anything; if not, `ig4 run` need not cluster."""

    @abstractmethod
    def select(
        self,
        percent: NDArray[np.float64],
        labels: NDArray[np.int64],
        size: int,
        weights: NDArray[np.float64],
        seed: int,
    ) -> NDArray[np.int64]:
        """Return `size` distinct row indices, best first.

        `percent` is (n, m) float64 on the 0-100 scale, one column for each scorer, without
        gaps; `labels` (n,); `weights` (m,). Equal input gives equal output, ties go to the
        lower row.
        """


class Trainer(Configurable):
    """Fine-tunes a model on samples, and lets the outcome answer.

    The model and how it is trained are options, so that they are checked before any work,
    shown by `ig4 plugins show`, and part of the fingerprint.
    """

    @abstractmethod
    def train(self, job: TrainingJob) -> Checkpoint:
        """Train, report every step, and return the checkpoint saved in `job.output`.

        Equal job and options give equal weights on the same machine, also when the training
        was killed in between: what lies in `job.output` is then continued.

        Raises:
            TrainingError: the loss is no number, memory runs out, an image is gone.
            PrerequisiteError: the model or a device is not there.
        """

    @abstractmethod
    def generate(
        self, checkpoint: Checkpoint, prompts: Iterable[Prompt], decoding: Decoding
    ) -> Iterator[str | Failure]:
        """Answer each prompt, in order, with the model of a checkpoint.

        The model is loaded at the first prompt and freed at the end. Prompts are taken at most
        `decoding.batch_size` ahead of the answers. One bad prompt is a Failure.

        Raises:
            PrerequisiteError: the checkpoint is of another model, or something is not there.
        """

    def footprint(self, job: TrainingJob) -> Footprint | None:
        """Tell what `train` would take, without loading weights; None if that is not known."""
        return None


class Judge(Configurable):
    """Compares two answers to one question.

    A judge sees each pair in the order it is given; the engine asks in both orders, and turns
    the two verdicts into win, tie or fail (InstructionGPT-4, section 5.2).
    """

    @property
    def sees_images(self) -> bool:
        """Whether `compare` looks at `pair.images`, as it is configured."""
        return False

    @property
    def batch_size(self) -> int:
        """How many pairs to hand over, and commit, at a time."""
        return 64

    @abstractmethod
    def compare(self, batch: Sequence[Pair]) -> Sequence[Verdict | Failure]:
        """Judge each pair, in order. One bad pair is a Failure and costs the others nothing."""


class AsyncJudge(Judge):
    """Compares pairs one at a time by asking a service; the engine has many asked at once."""

    @abstractmethod
    def provider(self) -> Provider:
        """Return the service to ask, not opened."""

    @abstractmethod
    async def judge(self, pair: Pair, ask: Ask) -> Verdict | Failure:
        """Judge one pair; whatever is asked must depend on the pair and the options alone."""

    def compare(self, batch: Sequence[Pair]) -> Sequence[Verdict | Failure]:
        """Judge each pair, one after another, without the engine's ledger, limits and retries."""
        from ig4.core.calls.plain import judge_all

        return judge_all(self, batch)


class Benchmark(Configurable):
    """Questions from files, and how answers to them are scored."""

    max_new_tokens: ClassVar[int] = 256
    """How long an answer may be."""

    judged: ClassVar[bool] = False
    """Whether what the answers are worth is for a judge to say; `score` then only counts them."""

    @abstractmethod
    def items(self) -> Sequence[Item]:
        """Read the questions, in the files' order, with ids that differ.

        Raises:
            DatasetError: a file cannot be read; names it and where.
        """

    @property
    def image_root(self) -> Path | None:
        """The folder that the items' images are in."""
        return None

    @abstractmethod
    def score(self, items: Sequence[Item], answers: Sequence[str | None]) -> Measured:
        """Score answers (None: there is none, which counts as wrong), one for each item."""


class Format(Configurable):
    """Reads a data set into records and writes a selection back."""

    embeds_images: ClassVar[bool] = False
    """Whether images stand inside the data set; `write` then gets their bytes back."""

    generic: ClassVar[bool] = False
    """Whether `detect` takes any file of its kind (any CSV); asked after all other formats."""

    @abstractmethod
    def detect(self, path: Path) -> bool:
        """Tell from the names and the first bytes whether `path` is in this format."""

    @abstractmethod
    def sources(self, path: Path) -> Sequence[Path]:
        """Return the files that hold the records; unchanged files are not read again."""

    @abstractmethod
    def read(self, path: Path) -> Iterator[Record]:
        """Stream the records in data-set order; memory must not grow with their number.

        Raises:
            DatasetError: the data set cannot be read; names file, line and column.
        """

    def header(self, path: Path) -> JSON:
        """Return what the data set holds beside its records, JSON-able; `write` gets it back."""
        return None

    def image_folder(self, path: Path) -> Path:
        """Return the folder that relative image paths start from."""
        return path if path.is_dir() else path.parent

    @abstractmethod
    def image_name(self, record: Record, index: int, suffix: str) -> str:
        """Return the path below the target, with "/", at which this format wants an image.

        `suffix` is the image's own ending with its dot (".jpg").
        """

    @abstractmethod
    def write(self, records: Iterable[Record], target: Path, header: JSON = None) -> None:
        """Write records to `target`.

        A record whose `raw` is not None was read by this very format and is written as it
        was; for any other, the record is made from turns and images (paths below the target).
        """


class Work(ABC, Generic[T, R]):
    """A piece of work an executor can carry to where it runs: picklable until `open`."""

    def open(self) -> None:
        """Load what the calls need, in the process that makes them."""

    def prefetch(self, task: T) -> None:
        """Start reading for a task that will be called soon."""

    @abstractmethod
    def __call__(self, task: T) -> R:
        """Do one task."""

    def close(self) -> None:
        """Free what `open` took."""


Run: TypeAlias = Callable[[Iterable[T]], Iterator[R]]
"""Does tasks and yields their results in order."""


class Executor(Configurable):
    """Says where batches run."""

    @abstractmethod
    def start(self, work: Work[T, R]) -> AbstractContextManager[Run[T, R]]:
        """Open the work where it will run, and close it at the end of the `with` block.

        The value is a function from tasks to their results, in the order of the tasks; it may
        be called more than once. It takes tasks a few ahead of the results, never all at once.
        """


CONTRACTS: Mapping[str, type[Configurable]] = {
    "scorer": Scorer,
    "embedder": Embedder,
    "clusterer": Clusterer,
    "selector": Selector,
    "trainer": Trainer,
    "judge": Judge,
    "benchmark": Benchmark,
    "format": Format,
    "executor": Executor,
}
"""The class that a component of each kind must inherit from."""
