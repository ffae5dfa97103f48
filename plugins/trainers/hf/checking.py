"""Checks samples with the model's processor before a training, in threads."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Iterator
from queue import Empty, SimpleQueue
from threading import Lock

import numpy as np

from ig4.core.contracts.training import SampleCheck
from ig4.core.records import Sample
from ig4.core.threads import ordered_map
from ig4.plugins.trainers.hf.build import load_processor
from ig4.plugins.trainers.hf.examples import Examples
from ig4.plugins.trainers.hf.options import HuggingFaceOptions

_MOST_THREADS = 8


def check_samples(options: HuggingFaceOptions, samples: Iterable[Sample]) -> Iterator[SampleCheck]:
    """Yield what the processor makes of each sample; raises as `load_processor`."""
    threads = max(1, min(_MOST_THREADS, os.cpu_count() or 1))
    yield from ordered_map(_ExamplesPool(options).check, samples, threads)


class _ExamplesPool:
    """Examples with a processor each: a fast tokenizer fails when two threads use it at once."""

    def __init__(self, options: HuggingFaceOptions) -> None:
        self._options = options
        self._processor = load_processor(options)  # never used itself, so that it can be copied
        self._free: SimpleQueue[Examples] = SimpleQueue()
        self._copying = Lock()

    def check(self, sample: Sample) -> SampleCheck:
        """Check one sample; any thread may call this."""
        try:
            examples = self._free.get_nowait()
        except Empty:
            examples = self._make()
        try:
            return examples.check(sample)
        finally:
            self._free.put(examples)

    def _make(self) -> Examples:
        with self._copying:
            processor = copy.deepcopy(self._processor)
        options = self._options
        return Examples(
            [], np.empty(0, dtype=np.int64), processor, system=options.system,
            max_pixels=options.max_pixels, max_length=options.max_length,
        )  # fmt: skip
