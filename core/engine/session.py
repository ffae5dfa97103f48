"""What every stage works with: the store, the plugins, the listeners, and the record of the run."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core.calls.worker import Worker, has_ended, this_process
from ig4.core.engine.mixtures import mixture_of, named_parts, told_differing, whole
from ig4.core.errors import DatasetError, UnknownNameError, UsageError
from ig4.core.events import Event, Listener, Notice, RunFinished, RunStarted
from ig4.core.host.fingerprint import Fingerprint, of_component, sha256_of
from ig4.core.host.host import Host
from ig4.core.secrets import redact, scrub
from ig4.core.suggest import did_you_mean
from ig4.core.texts import sanitize
from ig4.core.version import __version__
from ig4.storage import datasets, runs
from ig4.storage.connect import repeat_if_lost
from ig4.storage.datasets import DatasetRow
from ig4.storage.errors import StorageError, UnwritableError
from ig4.storage.store import Store

if TYPE_CHECKING:
    from ig4.core.contracts import Configurable
    from ig4.core.records import Choice


@dataclass(slots=True)
class Session:
    """One open database with the plugins and listeners of the command at work."""

    store: Store
    host: Host
    listeners: Sequence[Listener] = ()
    run_id: int | None = None
    failures: dict[str, int] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    """What was said of mixtures already."""
    speeds: dict[str, list[float]] = field(default_factory=dict)
    """By component fingerprint: units done in this run, and the seconds they took."""
    devices: dict[str, str] = field(default_factory=dict)
    """By component fingerprint: what it worked on in this run."""
    planning: bool = False
    """Whether nothing is to be recorded, not even which components there are (`--dry-run`)."""
    unrecorded: dict[str, int] = field(default_factory=dict)
    """By fingerprint: numbers of components, while planning, that the database does not have."""
    part: str | None = None
    """The recipe that notices are about, where a command makes several selections."""

    def emit(self, event: Event) -> None:
        """Send an event to listeners and plugin observers; report each broken observer once."""
        known = len(self.host.broken)
        self.host.emit(event)
        for listener in self.listeners:
            listener(event)
        for broken in self.host.broken[known:]:
            self.notice(f"observer of {broken.dist}: {broken.reason}; it is heard no more")

    def notice(self, text: str) -> None:
        """Send a notice: something that you should know and that stops nothing."""
        named = self.part is None or text.startswith(f"{self.part}: ")
        for listener in self.listeners:
            listener(Notice(redact(text if named else f"{self.part}: {text}")))

    def notice_once(self, text: str) -> None:
        """Send a notice about the data set, which stages and recipes of a run have in common."""
        key = f"{self.run_id}: {text}"
        if key not in self.told:
            self.told.add(key)
            with self.notices_of(""):
                self.notice(text)

    def quiet(self) -> Session:
        """Return a session on the same store that nobody hears, and that marks nothing as told."""
        return replace(self, listeners=(), told=set())

    @contextmanager
    def hearing(self) -> Iterator[list[str]]:
        """Yield a list to which every notice of the block is added."""
        heard: list[str] = []

        def listen(event: Event) -> None:
            if isinstance(event, Notice):
                heard.append(event.text)

        before, self.listeners = self.listeners, (*self.listeners, listen)
        try:
            yield heard
        finally:
            self.listeners = before

    @contextmanager
    def notices_of(self, part: str | None) -> Iterator[None]:
        """Let notices say which of several parts of a command they are about.

        None leaves them as they are; "" is no part.
        """
        before, self.part = self.part, self.part if part is None else part or None
        try:
            yield
        finally:
            self.part = before

    def digest(self, path: Path) -> str:
        """Return the sha256 of a file or folder, remembered while sizes and times stay the same.

        Raises:
            UsageError: it cannot be read.
        """
        try:
            if path.is_dir():
                return sha256_of(path, self.digest)
            state = path.stat()
            key = (str(path.absolute()), state.st_size, state.st_mtime_ns)
            if sanitize(key[0]) != key[0]:
                return sha256_of(path)  # no database can hold the name of this file
            with self.store.reading() as connection:
                known = runs.find_digest(connection, *key)
            if known is not None:
                return known
            value = sha256_of(path)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
        if self.planning:
            return value
        with self.store.writing() as connection:
            runs.put_digest(connection, *key, value)
        return value

    def configured(self, choice: Choice, *, runnable: bool = True) -> ConfiguredComponent:
        """Build a component, not opened, and know it by its fingerprint."""
        component = self.host.build(choice, runnable=runnable)
        registered = self.host.find(choice.kind, choice.use)
        return ConfiguredComponent(
            choice.label, component, of_component(registered, component, self.digest)
        )

    def component_id(self, fingerprint: Fingerprint) -> int:
        """Return the database's id of a component, adding it if it is new.

        While planning, a new one gets a number below 0, of which the database knows nothing.
        """
        if self.planning:
            with self.store.reading() as connection:
                known = runs.find_component(connection, fingerprint.value)
            fresh = -1 - len(self.unrecorded)
            return self.unrecorded.setdefault(fingerprint.value, fresh) if known is None else known
        row = runs.ComponentRow(
            kind=fingerprint.kind,
            name=fingerprint.name,
            distribution=fingerprint.distribution,
            version=fingerprint.version,
            options=fingerprint.identity,
            fingerprint=fingerprint.value,
        )
        with self.store.writing() as connection:
            return runs.component_id(connection, row)

    def dataset(self, name: str | None = None, *, make: bool = True) -> DatasetRow:
        """Return the data set of a name, or the only one in the database.

        Several names, as in `a,b`, mean the mixture of these data sets; it is made where there is
        none yet, unless `make` is off. While planning, only this session knows of it.

        Raises:
            UnknownNameError: there is none, none of that name, or several and no name.
            UsageError: one of several names is repeated, or the mixture may not be made.
        """
        with self.store.reading() as connection:
            known = whole(connection, datasets.list_all(connection))
        names = [row.name for row in known]
        if not known:
            raise DatasetError(
                f"{self.store.location} holds no data set yet: run `ig4 ingest PATH` first."
            )
        if name is None and len(known) > 1:
            raise UnknownNameError(
                f"{self.store.location} holds {len(known)} data sets: name one with --dataset "
                f"({', '.join(names)})."
            )
        for row in known:
            if name in (None, row.name):
                self._tell_differing(row)
                return row
        parts = named_parts(name or "")
        if len(parts) > 1:
            members = [self.dataset(part) for part in parts]
            mixture = mixture_of(self.store, members, make=make, planning=self.planning)
            self._tell_differing(mixture)
            return mixture
        raise UnknownNameError(
            f"no data set is called {name!r}{did_you_mean(name or '', names)} "
            f"(there are: {', '.join(names)})"
        )

    def knows_datasets(self, names: Sequence[str]) -> bool:
        """Tell whether some names are given, and all of them are names of data sets."""
        with self.store.reading() as connection:
            known = {row.name for row in whole(connection, datasets.list_all(connection))}
        return bool(names) and known.issuperset(names)

    def _tell_differing(self, dataset: DatasetRow) -> None:
        """Say once which names do not mean one thing in all parts of a mixture."""
        with self.store.reading() as connection:
            told = told_differing(connection, dataset)
        if told is not None and told not in self.told:
            self.told.add(told)
            self.notice(told)

    @contextmanager
    def recorded(
        self,
        command: str,
        config: Mapping[str, Any],
        seed: int | None = None,
        *,
        required: bool = True,
    ) -> Iterator[None]:
        """Record a run around the work inside; a command within a command joins its run.

        `config` is what the user asked for, validated; a secret in it is not recorded. Work that
        only reads is not `required` to be recorded: in a database that may not be written it is
        done without, which a notice says.
        """
        if self.run_id is not None:
            yield
            return
        try:
            self.run_id = self._start(command, config, seed)
        except UnwritableError:
            if required:
                raise
            self.notice(
                f"this {command} is not recorded: {self.store.location} can be read, not written"
            )
            yield
            return
        try:
            self.emit(RunStarted(self.run_id, command))
            yield
        except BaseException as error:
            # A database that cannot be written must not hide why the run failed.
            with suppress(StorageError):
                self._finish("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
            raise
        self._finish("partial" if self.failures else "done")

    def _start(self, command: str, config: Mapping[str, Any], seed: int | None) -> int:
        """Return the number of a new run, which the database has from now on."""
        mark_killed_runs(self.store)
        own = this_process()

        def start() -> int:
            with self.store.writing() as connection:
                return runs.start(
                    connection,
                    command,
                    config=scrub(config),
                    versions=versions(),
                    seed=seed,
                    process=runs.RunProcess(own.host, own.pid, own.started),
                )

        self.store.notice = self.notice
        return repeat_if_lost(start, idempotent=False)

    def _finish(self, status: str) -> None:
        run_id, self.run_id = self.run_id, None
        assert run_id is not None

        def finish() -> None:
            with self.store.writing() as connection:
                summary = {"failures": self.failures, "speeds": self.speeds}
                if self.devices:
                    summary["devices"] = self.devices
                runs.finish(connection, run_id, status, summary)

        try:
            repeat_if_lost(finish, idempotent=True)
        finally:
            self.emit(RunFinished(run_id, status, dict(self.failures)))

    def attach(self, dataset_id: int) -> None:
        """Record which data set the run works on."""
        run_id = self.run_id
        if run_id is None:
            return

        def attach() -> None:
            with self.store.writing() as connection:
                runs.set_dataset(connection, run_id, dataset_id)

        repeat_if_lost(attach, idempotent=True)


def mark_killed_runs(store: Store) -> None:
    """Record of runs that never ended that they were killed, where their processes are gone.

    Only those of this machine can be told; others stay as they are.
    """
    with store.reading() as connection:
        open_runs = runs.unfinished(connection)
    gone = [
        number
        for number, process in open_runs
        if process is not None and has_ended(Worker("", process.host, process.pid, process.started))
    ]
    if gone:
        with store.writing() as connection:
            runs.mark_killed(connection, gone)


@dataclass(frozen=True, slots=True)
class ConfiguredComponent:
    """A component as the user named and configured it."""

    label: str
    component: Configurable
    fingerprint: Fingerprint


def versions() -> dict[str, str]:
    """Return the versions that a run's record keeps."""
    return {"ig4": __version__, "python": platform.python_version(), "platform": platform.system()}
