"""A plugin whose trainer answers without a model, and logs each question it was asked."""

from __future__ import annotations

import textwrap

DECLARATION = """
    from ig4.core.hookspecs import hookimpl
    from ig4.core.records import Component

    @hookimpl
    def ig4_components():
        return [
            Component("trainer", "parrot", "parrots.parts:Parrot"),
            Component("benchmark", "crooked", "parrots.parts:Crooked"),
        ]
"""

PARTS = """
    import time

    from ig4.core.contracts import Benchmark, Options, Trainer
    from ig4.core.errors import PrerequisiteError
    from ig4.core.contracts.evaluation import BenchmarkResult, Item
    from ig4.core.files.images.decode import ImageError
    from ig4.core.records import Failure

    class ParrotOptions(Options):
        log: str = ""
        pause: float = 0.0
        says: str = "{question}"
        breaks: bool = False

    class Parrot(Trainer):
        "Says what it was asked."
        Options = ParrotOptions

        def identity(self, digest):
            return {"says": self.options.says}

        def train(self, job):
            raise NotImplementedError

        def generate(self, checkpoint, prompts, decoding):
            batch = []
            for prompt in prompts:
                batch.append(prompt)
                if len(batch) == decoding.batch_size:
                    yield from self._all(batch, decoding)
                    batch = []
            yield from self._all(batch, decoding)

        def _all(self, batch, decoding):
            time.sleep(self.options.pause)
            answers = []
            for prompt in batch:
                if self.options.log:
                    with open(self.options.log, "a") as file:
                        file.write(prompt.id + "\\n")
                answers.append(self._one(prompt, decoding))
            yield from answers
            if self.options.breaks and batch:
                raise PrerequisiteError("out of seed")

        def _one(self, prompt, decoding):
            question = prompt.turns[-1].text
            try:
                width = prompt.images[0].pixels().width if prompt.images else 0
            except ImageError as error:
                return Failure(str(error))
            if "fail" in question:
                return Failure("the question says fail")
            said = self.options.says
            for name, value in (("question", question), ("width", width), ("seed", decoding.seed),
                                ("tokens", decoding.max_new_tokens)):
                said = said.replace("{" + name + "}", str(value))
            return said

    class CrookedOptions(Options):
        how: str = ""

    class Crooked(Benchmark):
        "Breaks the contract as its option says."
        Options = CrookedOptions

        def items(self):
            return [Item("1", "what?"), Item("1" if self.options.how == "ids" else "2", "who?")]

        def score(self, items, answers):
            how = self.options.how
            return BenchmarkResult(
                {"share": float("nan") if how == "nan" else 1.0},
                "other" if how == "headline" else "share",
                [1.0] * (len(items) - (how == "short")),
            )
"""


def install(folder):
    """Write the plugin as an installed distribution into a folder."""
    package = folder / "parrots"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(textwrap.dedent(DECLARATION))
    (package / "parts.py").write_text(textwrap.dedent(PARTS))
    info = folder / "parrots-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parrots\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ig4]\nparrots = parrots\n")
    return folder
