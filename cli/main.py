"""The `ig4` command: imports commands on demand, and prints errors in one line."""

from __future__ import annotations

import gc
import io
import os
import sys
from importlib import import_module
from typing import Any, TextIO

import click

from ig4.cli.terminal import streams
from ig4.cli.terminal.signals import end_on_signals, end_once, received
from ig4.core.version import __version__

COMMANDS = {
    "init": ("ig4.cli.init:init", "Write a commented ig4.toml."),
    "run": ("ig4.cli.run:run", "Ingest, score, cluster, select and export in one go."),
    "ingest": ("ig4.cli.ingest:ingest", "Read a data set into the score database."),
    "score": (
        "ig4.cli.score:score",
        "Compute the scores that are missing, and the vectors of spaces.",
    ),
    "scores": (
        "ig4.cli.scores:scores",
        "List the scores of a data set with their origin and counts, drop or rename them.",
    ),
    "check": (
        "ig4.cli.check:check",
        "Tell which scores are worth trusting on their data, and which are noise.",
    ),
    "import-scores": ("ig4.cli.imports:import_scores", "Import scores computed elsewhere."),
    "import-clusters": (
        "ig4.cli.imports:import_clusters",
        "Import clusters computed elsewhere.",
    ),
    "groups": (
        "ig4.cli.groups:groups",
        "Show the kinds of samples in a data set, and what scores tell of them.",
    ),
    "import-vectors": (
        "ig4.cli.imports:import_vectors",
        "Import vectors computed elsewhere, as a space.",
    ),
    "cluster": (
        "ig4.cli.cluster:cluster",
        "Group samples by their images, or by the vectors of any space.",
    ),
    "select": ("ig4.cli.select:select", "Select the samples worth training on."),
    "selections": (
        "ig4.cli.selections:selections",
        "List the selections that are stored, show one, rename or delete some.",
    ),
    "compare": (
        "ig4.cli.compare:compare",
        "Compare two selections: what they share, what came in and went out, and why.",
    ),
    "export": ("ig4.cli.export:export", "Write a selection as a data set."),
    "browse": ("ig4.cli.browse:browse", "Walk through the live database in a browser."),
    "report": ("ig4.cli.report:report", "Write a page about a selection: what was kept, and why."),
    "train": ("ig4.cli.train:train", "Fine-tune a model on a selection."),
    "generate": (
        "ig4.cli.generate:generate",
        "Answer questions with a CHECKPOINT, or chat with it about an image.",
    ),
    "eval": (
        "ig4.cli.evaluate:evaluate",
        "Evaluate a CHECKPOINT, or answers made elsewhere, on benchmarks.",
    ),
    "judge": (
        "ig4.cli.judge:judge",
        "Compare two files of answers with a judge, each pair in both orders.",
    ),
    "ablate": (
        "ig4.cli.ablate:ablate",
        "Compare ways to select samples: train and evaluate each, with several seeds.",
    ),
    "learn-weights": (
        "ig4.cli.learn:learn_weights",
        "Learn the weights of scores: train on subsets of different quality, and regress.",
    ),
    "runs": ("ig4.cli.runs:runs", "List the commands that wrote to the database, or show one."),
    "plot": (
        "ig4.cli.plot:plot",
        "Draw a picture of a selection or a result, as a file or in the terminal.",
    ),
    "query": ("ig4.cli.query:query", "Query the score database with SQL."),
    "costs": (
        "ig4.cli.costs:costs",
        "Sum the calls of language models and their cost in US dollars.",
    ),
    "batch": (
        "ig4.cli.batch:batch",
        "List batches of requests, cancel one, or send a lost one again.",
    ),
    "db": ("ig4.cli.db:db", "Manage the score database."),
    "recipes": (
        "ig4.cli.recipes:recipes",
        "List the methods that --recipe knows, or show what one sets.",
    ),
    "plugins": (
        "ig4.cli.plugins:plugins",
        "List installed components, show one, or check that they work.",
    ),
    "doctor": (
        "ig4.cli.doctor:doctor",
        "Report what works here: extras, device, caches, keys, database, plugins.",
    ),
    "demo": ("ig4.cli.demo:demo", "Try ig4 offline on a data set that it generates."),
}
"""Every built-in command: its location and short help (a test compares it to the docstring)."""

INTERRUPTED = 130


class LazyGroup(click.Group):
    """Imports a command when it is called; discovers plugins if the command is not built in."""

    _plugins_added = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the built-in commands, in the order of use, then those of plugins."""
        self._add_plugin_commands()
        more = [name for name in super().list_commands(ctx) if name not in COMMANDS]
        return [*COMMANDS, *more]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name in COMMANDS:
            module, _, name = COMMANDS[cmd_name][0].partition(":")
            command: click.Command = getattr(import_module(module), name)
            return command
        self._add_plugin_commands()
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; suggest similar names for a misspelled one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from ig4.core.suggest import did_you_mean

            suggestion = did_you_mean(args[0], self.list_commands(ctx))
            raise click.UsageError(error.message.rstrip(".") + suggestion, ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from COMMANDS, so that help imports none of them."""
        rows = []
        for name in self.list_commands(ctx):
            if name in COMMANDS:
                rows.append((name, COMMANDS[name][1]))
                continue
            command = super().get_command(ctx, name)
            if command is not None and not command.hidden:
                rows.append((name, command.get_short_help_str()))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _add_plugin_commands(self) -> None:
        if not self._plugins_added:
            self._plugins_added = True
            from ig4.core.host.host import Host

            Host.discover().add_commands(self)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `ig4 demo`, then `ig4 run DATASET --scorers clip,length --size 200`.",
)
@click.version_option(__version__, prog_name="ig4")
def cli() -> None:
    """Pick the few samples of a vision-language instruction set that are worth training on.

    \b
    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done with failed samples.
    """


def main(args: list[str] | None = None) -> None:
    """Run `ig4`; the entry point of the command."""
    # Hundreds of thousands of records are created and freed, without cycles: a collection after
    # every 700 new objects took a fifth of the time of ingesting.
    gc.set_threshold(50_000, 20, 50)
    if args is None:
        _leave_ascii()
    end_on_signals()
    streams.open_closed()
    _accept_any_text(sys.stdout)
    try:
        code = _run(args)
        end_once()
        streams.flush()
    except BrokenPipeError:
        streams.discard_output()
        code = streams.READER_GONE
    except OSError as error:
        streams.discard_output()
        _print_error(f"Error: the output cannot be written: {error.strerror or error}")
        code = 1
    except Exception as error:  # a fault of ig4 or of a plugin, whose threads may go on
        if args is not None:
            raise
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    if args is None:
        from ig4.cli.ending import end_in_time

        end_in_time(code)
    sys.exit(code)


def _run(args: list[str] | None) -> int:
    """Run a command; returns its exit code.

    Raises:
        OSError: its output cannot be written; BrokenPipeError if nobody reads it.
    """
    try:
        code: Any = cli.main(args, prog_name="ig4", standalone_mode=False)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = _report_interrupt()
    except SystemExit as stop:
        if streams.gone_readers():  # click and rich end a program whose output nobody reads
            raise BrokenPipeError from None
        code = stop.code
    except Exception as error:
        if isinstance(error, BrokenPipeError) and streams.gone_readers():
            raise
        if isinstance(error, OSError) and not error.filename:
            streams.flush()  # raises if it is the output that cannot be written
        code = _report_error(error)
    return code if isinstance(code, int) else 0


def _report_interrupt() -> int:
    """Say that the command was ended, and by what; return the exit code of the shells."""
    end_once()
    number = received()
    what = "Interrupted" if number is None else f"Ended by {number.name}"
    _print_error(f"{what}. Committed results are safe; the same command continues from there.")
    return INTERRUPTED if number is None else 128 + number


def _leave_ascii() -> None:
    """Start again in Python's UTF-8 mode if the locale has file names in ASCII alone.

    In the C locale no file could be opened that has an accent in its name, and a name typed by the
    user could not be stored. What is started from here inherits the mode.
    """
    if sys.getfilesystemencoding() not in ("ascii", "us-ascii") or sys.flags.utf8_mode:
        return
    os.environ["PYTHONUTF8"] = "1"
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - itself


def _accept_any_text(stream: TextIO) -> None:
    """Let a stream accept any text of a data set, even if the system's encoding lacks it.

    Pipes get UTF-8; a terminal, or an encoding set by the user, gets replacement characters.
    """
    if not isinstance(stream, io.TextIOWrapper):
        return
    keep_encoding = stream.isatty() or "PYTHONIOENCODING" in os.environ
    stream.reconfigure(encoding=None if keep_encoding else "utf-8", errors="replace")


def _report_error(error: Exception) -> int:
    """Print an error of ig4 or of the system in one line and return the exit code; raise others."""
    from ig4.cli.terminal.logs import LOGGER
    from ig4.core.errors import Ig4Error

    if LOGGER.hasHandlers():  # Python would print the traceback by itself
        LOGGER.error("%s", error, exc_info=error)
    if os.environ.get("IG4_TRACEBACK"):
        raise error
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        _print_error(f"Error: {where}{error.strerror}")
        return 1
    if _is_out_of_memory(error):
        _print_error(
            f"Error: there is not enough memory ({str(error) or type(error).__name__}). Let it "
            "read less at a time, end other programs, or raise the limit (ulimit -v)."
        )
        return 1
    if isinstance(error, UnicodeEncodeError) and error.reason.startswith("surrogates"):
        _print_error(f"Error: {error.object[:80]!r} is not valid UTF-8: rename it, or type it anew")
        return 1
    if not isinstance(error, Ig4Error):
        raise error
    _print_error(f"Error: {error}")
    return error.exit_code


def _is_out_of_memory(error: Exception) -> bool:
    """Tell whether an error is one of the ways in which Python runs out of memory."""
    text = str(error)
    return (
        isinstance(error, MemoryError)
        or (isinstance(error, RuntimeError) and "can't start new thread" in text)
        or (isinstance(error, ImportError) and ("map segment" in text or "allocate" in text))
        # Python takes a folder that it had no memory to list for one without modules.
        or (isinstance(error, ImportError) and _has_memory_limit() and _is_installed(error.name))
    )


def _is_installed(module: str | None) -> bool:
    """Tell whether the package of a module that was not found is there; True if it is not known."""
    if module is None:
        return True
    from importlib.util import find_spec

    try:
        return find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError, OSError, MemoryError):
        return True


def _has_memory_limit() -> bool:
    try:
        import resource
    except ImportError:  # Windows
        return False
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def _print_error(text: str) -> None:
    from ig4.cli.terminal.render import plain
    from ig4.core.secrets import redact

    click.echo(plain(redact(text)), err=True)  # errors quote ids and names from data sets


if __name__ == "__main__":
    main()
