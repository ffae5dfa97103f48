"""`ig4 generate`: answer questions with a checkpoint, or chat with it about an image."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.core.counts import counted
from ig4.core.limits import NEW_TOKENS

if TYPE_CHECKING:
    from ig4.core.contracts.training import Checkpoint, Decoding, Prompt

_HELP = "/image FILE opens another image, /reset clears the conversation, /quit ends."


@click.command(
    epilog="""\b
Examples:
  ig4 generate trained/cc_sbu_align-1-minigpt4 --questions questions.jsonl --out answers.jsonl
  ig4 generate trained/llava-1-llava --questions q.jsonl --temperature 0 --max-new-tokens 64
  ig4 generate trained/llava-1-llava --chat photo.jpg
  ig4 generate --trainer hf -o hf.model=/models/smolvlm --questions q.jsonl

\b
A question file has one JSON object a line: {"id": 1, "image": "a.jpg", "question": "What is it?"}
"""
)
@click.argument("checkpoint", type=opt.PATH, required=False)
@click.option("--questions", type=opt.PATH, help="JSON lines with image and question.")
@click.option("--out", type=opt.PATH, help="File for answers.  [default: QUESTIONS.answers.jsonl]")
@click.option("--chat", type=opt.PATH, metavar="IMAGE", help="Chat about an image.")
@click.option("--image-root", type=opt.PATH, help="Additional folder to read images from.")
@click.option("--trainer", metavar="NAME", help="Use the model of a trainer before fine-tuning.")
@click.option(
    "--max-new-tokens", type=click.IntRange(*NEW_TOKENS), help="Maximum tokens of an answer."
)
@opt.decoding_options
@click.option("--retry-failed", is_flag=True, help="Ask the failed questions again.")
@click.option("--overwrite", is_flag=True, help="Overwrite other answers in the file.")
@opt.seed
@opt.component_options
@opt.config
@opt.log_options
@opt.as_json
def generate(
    checkpoint: Path | None,
    questions: Path | None,
    chat: Path | None,
    quiet: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Answer questions with a CHECKPOINT, or chat with it about an image.

    Answers are written as they arrive; after an interruption, the same command continues. They
    depend on the seed, not on the batch size.
    """
    from ig4.core.errors import UsageError

    if (questions is None) == (chat is None):
        raise UsageError("give --questions FILE, or --chat IMAGE")
    if checkpoint is not None and flags["trainer"]:
        raise UsageError("a checkpoint names its trainer: leave out --trainer, or the checkpoint")
    if chat is not None and not chat.is_file():
        raise UsageError(f"--chat {chat}: there is no such file")
    selected = _checkpoint(checkpoint, flags)
    if chat is not None:
        _chat(selected, chat, _decoding(flags, batch_size=1))
        return
    assert questions is not None
    _answer(selected, questions, flags, quiet=quiet, as_json=as_json)


def _checkpoint(path: Path | None, flags: dict[str, Any]) -> Checkpoint:
    """Return the checkpoint of a folder or of --trainer, with the options of `-o`."""
    from ig4.core import config as configuration
    from ig4.core.contracts.training import Checkpoint
    from ig4.core.engine.training.generate import load_checkpoint

    config = configuration.load(flags["config_file"])
    if path is not None:
        name = Checkpoint.read(path).trainer
        choice = None
    else:
        name = flags["trainer"] or ""
        choice = config.choice("trainer", name) if name else None
    settings = opt.settings_by_table(flags["options"], {"trainers": (name,)})
    return load_checkpoint(path, choice, settings.get("trainers", {}).get(name, {}))


def _decoding(flags: dict[str, Any], *, batch_size: int) -> Decoding:
    from ig4.core.contracts.training import Decoding

    names = ("max_new_tokens", "temperature", "top_p", "num_beams", "repetition_penalty")
    seed = 42 if flags["seed"] is None else flags["seed"]
    return Decoding(**{name: flags[name] for name in names}, batch_size=batch_size, seed=seed)


def _answer(
    checkpoint: Checkpoint, questions: Path, flags: dict[str, Any], *, quiet: bool, as_json: bool
) -> None:
    from ig4.cli.terminal.progress import progress_listener
    from ig4.core.engine.training.generate import GenerateRequest
    from ig4.core.engine.training.generate import generate as answer
    from ig4.core.host.host import Host

    request = GenerateRequest(
        questions=questions,
        answers=flags["out"] or questions.with_suffix(".answers.jsonl"),
        decoding=_decoding(flags, batch_size=flags["batch_size"]),
        image_root=flags["image_root"],
        retry_failed=flags["retry_failed"],
        overwrite=flags["overwrite"],
    )
    with progress_listener(quiet=quiet) as listener:
        result = answer(Host.discover(), checkpoint, request, [listener])
    if as_json:
        render.print_json(
            {
                "answers": str(result.path),
                "questions": result.questions,
                "answered": result.answered,
                "new": result.new,
                "failed": result.failed,
            }
        )
    else:
        click.echo(
            f"{result.answered:,} of {counted(result.questions, 'question')} answered in "
            f"{result.path}"
        )
    if result.failed:
        click.echo(f"{result.failed:,} failed; try again with --retry-failed", err=True)
        raise click.exceptions.Exit(render.PARTIAL)


def _chat(checkpoint: Checkpoint, image: Path, decoding: Decoding) -> None:
    """Chat about an image until the user ends it."""
    from ig4.core.engine.training.generate import build_trainer
    from ig4.core.host.host import Host
    from ig4.core.records import Failure, Turn

    chat = _Chat(image)
    click.echo(f"About {image}. {_HELP}", err=True)
    answers = build_trainer(Host.discover(), checkpoint).generate(
        checkpoint, chat.prompts(), decoding
    )
    for answer in answers:
        if isinstance(answer, Failure):
            click.echo(f"Error: {answer.reason}", err=True)
            chat.turns.pop()
            continue
        click.echo(render.plain(answer))
        chat.turns.append(Turn("assistant", answer))


class _Chat:
    """A conversation about an image; each prompt contains all turns so far."""

    def __init__(self, image: Path) -> None:
        from ig4.core.records import Turn

        self.image = image
        self.turns: list[Turn] = []
        self.questions = 0

    def prompts(self) -> Iterator[Prompt]:
        """Yield a prompt for each line that the user enters."""
        from ig4.core.contracts.training import Prompt
        from ig4.core.records import Image, Turn

        while (text := self._read_line()) is not None:
            if self._run_command(text):
                continue
            self.turns.append(Turn("user", text))
            self.questions += 1
            yield Prompt(f"turn {self.questions}", tuple(self.turns), (Image(self.image),))

    def _read_line(self) -> str | None:
        """Return the next line that the user enters, None at the end."""
        from ig4.core.texts import sanitize

        while True:
            try:
                text = sanitize(input("> " if sys.stdin.isatty() else "")).strip()
            except EOFError:
                return None
            if text == "/quit":
                return None
            if text:
                return text

    def _run_command(self, text: str) -> bool:
        """Run a command such as /reset; return whether the text was a command."""
        if not text.startswith("/"):
            return False
        word, _, rest = text.partition(" ")
        if word == "/reset":
            self.turns.clear()
        elif word == "/image" and rest and Path(rest.strip()).is_file():
            self.image = Path(rest.strip())
            self.turns.clear()
            click.echo(f"About {self.image}.", err=True)
        elif word == "/image" and rest:
            click.echo(f"{rest.strip()}: there is no such file", err=True)
        else:
            click.echo(_HELP, err=True)
        return True
