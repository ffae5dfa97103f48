"""Takes up the options that a data set's scores and clusters were made with, where none are given.

Without it, a model that was named once (`ig4 score -o clip.model=ViT-L-14`) would be forgotten by
the next command, and everything computed again with another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ig4.core.contracts import PoolScorer, Scorer
from ig4.core.errors import Ig4Error
from ig4.core.host.fingerprint import digest_of
from ig4.core.host.recording import RecordedOptions, non_default
from ig4.core.records import JSON, Choice, Kind
from ig4.storage import clusters, scorecolumns
from ig4.storage import spaces as storedspaces

if TYPE_CHECKING:
    from ig4.core.config import Config
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.scorecolumns import ScoreColumnRow


def with_recorded_options(
    session: Session,
    dataset: DatasetRow | None,
    config: Config,
    *,
    scorers: Iterable[str] = (),
    embedder: str | None = None,
    clusterer: str | None = None,
    spaces: Iterable[str] = (),
) -> Config:
    """Return a configuration whose components have the options that the data set recorded.

    Options that are configured stand. Where one of them differs from what was recorded, another
    component is meant and nothing of the record is used. Both are told. None is a data set that
    is yet to be read.
    """
    if dataset is None:
        for name in (*(() if embedder is None else (embedder,)), *spaces):
            config = _with_own_embedder(session, config, name)
        return config
    reuse = _Reuse(session, dataset, config)
    for label in dict.fromkeys(scorers):
        reuse.scorer(label)
    if embedder is not None:
        reuse.embedder(embedder)
    for name in spaces:
        reuse.embedder(name)
    if clusterer is not None:
        reuse.from_clustering("clusterer", clusterer)
    return reuse.config


class _Reuse:
    """A configuration to which recorded options are added, one component after the other."""

    def __init__(self, session: Session, dataset: DatasetRow, config: Config) -> None:
        self.session = session
        self.dataset = dataset
        self.config = config
        with session.store.reading() as connection:
            rows = scorecolumns.list_all(connection, dataset.id)
            known = storedspaces.list_all(connection, dataset.id)
        self.spaces = {row.name: row for row in known}
        self.done: set[str] = set()
        self.columns = {row.name: row for row in rows if not row.imported}

    def scorer(self, label: str) -> None:
        """Add the options that the scores of this name were made with."""
        row = self.columns.get(label)
        if row is None or label in self.done:
            return
        self.done.add(label)
        use = f"{row.distribution}/{row.component}"
        kept = RecordedOptions.from_dict(row.options) or self._from_identity(row, use)
        if kept is None:
            self._tell_difference(row)
            return
        self._add("scorer", label, use, kept, "scores")

    def embedder(self, label: str) -> None:
        """Add the options of an embedder: of its space, else of the scorer of its name.

        Else of the last clusters, or of a scorer that reads its vectors. Imported ones have none.
        """
        if label in self.config.embedders:
            self._own_vectors(label)
            return
        space = self.spaces.get(label)
        if space is not None and space.imported:
            return
        if not self.config.scorers.get(label):
            self._own_vectors(label)
            if label in self.config.embedders:
                return
        self.scorer(label)
        if self.config.scorers.get(label):
            self.config = _with_own_embedder(self.session, self.config, label)
        elif label not in self.columns:
            self.from_clustering("embedder", label)
            if label not in self.config.embedders:
                self._embedder_of_any_scorer(label)

    def _own_vectors(self, label: str) -> None:
        """Add the options that the vectors of the space of this name were made with."""
        row = self.spaces.get(label)
        kept = None if row is None or row.imported else RecordedOptions.from_dict(row.options)
        if row is not None and kept is not None:
            self._add("embedder", label, f"{row.distribution}/{row.component}", kept, "vectors")

    def from_clustering(self, kind: Kind, label: str) -> None:
        """Add the options that the last clusters were made with."""
        name = label if kind == "clusterer" else None
        with self.session.store.reading() as connection:
            settings = clusters.settings(connection, self.dataset.id, name)
        part = (settings or {}).get(kind)
        if part is not None and part["label"] == label:
            kept = RecordedOptions(part["values"], tuple(part["hidden"]))
            self._add(kind, label, part["use"], kept, "clusters")

    def _embedder_of_any_scorer(self, label: str) -> None:
        """Let the embedder be that of the scores whose scorer has another name than it.

        Where scores were made with several, none is chosen, and that is told.
        """
        found: dict[str, dict[str, Any]] = {}
        for name, row in self.columns.items():
            kept = RecordedOptions.from_dict(row.options)
            options = {} if kept is None else dict(kept.values)
            choice = Choice("scorer", f"{row.distribution}/{row.component}", options, name)
            try:
                scorer = cast("Scorer", self.session.host.build(choice, runnable=False))
            except Ig4Error:
                continue
            if isinstance(scorer, PoolScorer):  # it reads spaces that are there, and makes none
                continue
            own = scorer.embedder()
            if own is not None and own.use.rpartition("/")[2] == label:
                found[name] = {"use": own.use, **own.options}
        tables = list({digest_of(table): table for table in found.values()}.values())
        if len(tables) == 1:
            plain = RecordedOptions({k: v for k, v in tables[0].items() if k != "use"})
            self._add("embedder", label, tables[0]["use"], plain, f"{next(iter(found))} scores")
        elif tables:
            self.session.notice(
                f"embedder {label}: the scores {', '.join(found)} of {self.dataset.name} were made "
                f"with different ones; the default is used (-o {label}.KEY=VALUE names one)"
            )

    def _add(self, kind: Kind, label: str, use: str, kept: RecordedOptions, what: str) -> None:
        given = self.config.choice(kind, label)
        own_use = getattr(self.config, f"{kind}s").get(label, {}).get("use")
        if own_use is not None and own_use not in (use, use.rpartition("/")[2]):
            return
        recorded = non_default(self.session.host, kind, use, kept.values)
        where = f"{label}: the {what} of {self.dataset.name} were made with"
        differing = [
            key for key, value in given.options.items() if key in recorded
            and not _same(value, recorded[key])
        ]  # fmt: skip
        if differing:
            self.session.notice(
                f"{where} {_told(recorded)}; not used, as {', '.join(differing)} is given anew"
            )
            return
        missing = {key: value for key, value in recorded.items() if key not in given.options}
        hidden = [key for key in kept.hidden if key not in given.options]
        if hidden:
            self.session.notice(
                f"{where} {', '.join(f'{label}.{key}' for key in hidden)}, which may hold a secret "
                f"and was not recorded: give it again (-o {label}.{hidden[0]}=…)"
            )
        if missing:
            self.session.notice(
                f"{where} {_told(missing)}, which is used (-o {label}.{next(iter(missing))}=… "
                "chooses another)"
            )
        named = {} if label == use.rpartition("/")[2] or own_use is not None else {"use": use}
        if missing or named:
            table = getattr(self.config, f"{kind}s").get(label, {})
            self._set(kind, label, {**named, **table, **missing})

    def _set(self, kind: Kind, label: str, table: Mapping[str, Any]) -> None:
        name = f"{kind}s"
        named = getattr(self.config, name) | {label: dict(table)}
        self.config = self.config.model_copy(update={name: named})

    def _from_identity(self, row: ScoreColumnRow, use: str) -> RecordedOptions | None:
        """Return the options of scores of an ig4 that recorded the identity alone.

        None unless a component with just these options is the one that computed them.
        """
        choice = Choice("scorer", use, dict(row.identity), row.name)
        try:
            same = self.session.configured(choice, runnable=False)
        except Ig4Error:
            return None
        if same.fingerprint.value != row.fingerprint:
            return None
        return RecordedOptions(row.identity)

    def _tell_difference(self, row: ScoreColumnRow) -> None:
        """Tell that scores were made by another component than the configured one."""
        try:
            now = self.session.configured(self.config.choice("scorer", row.name), runnable=False)
        except Ig4Error:
            return
        if now.fingerprint.value == row.fingerprint:
            return
        own = now.fingerprint.identity or {}
        differing = {k: v for k, v in row.identity.items() if own.get(k) != v}
        self.session.notice(
            f"{row.name}: the scores of {self.dataset.name} were made with {_told(differing)}, "
            f"this command has other options (-o {row.name}.KEY=VALUE names them)"
        )


def _with_own_embedder(session: Session, config: Config, label: str) -> Config:
    """Let an embedder have the options that the scorer of its name gives to its own.

    Options of the scorer alone, such as how it reads a text, are none of the embedder's.
    """
    if label in config.embedders or not config.scorers.get(label):
        return config
    choice = config.choice("scorer", label)
    try:
        scorer = cast("Scorer", session.host.build(choice, runnable=False))
    except Ig4Error:
        return config
    own = scorer.embedder()
    if own is None or own.use.rpartition("/")[2] != choice.use.rpartition("/")[2]:
        return config
    table = {"use": own.use, **own.options}
    return config.model_copy(update={"embedders": config.embedders | {label: table}})


def _same(given: JSON, recorded: JSON) -> bool:
    """Tell whether an option as given, maybe as text, is what was recorded."""
    if given == recorded or str(given) == str(recorded):
        return True
    if isinstance(recorded, bool) or recorded is None:
        return str(given).lower() == {True: "true", False: "false", None: "null"}[recorded]
    if isinstance(recorded, (int, float)):
        try:
            return float(str(given)) == recorded
        except ValueError:
            return False
    return isinstance(recorded, str) and _file_name(given) == _file_name(recorded)


def _file_name(value: JSON) -> str:
    return str(Path(str(value)).expanduser().absolute())


def _told(options: Mapping[str, JSON]) -> str:
    shown = ", ".join(f"{key}={str(value)[:60]}" for key, value in list(options.items())[:5])
    return shown or "other options"
