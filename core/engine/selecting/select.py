"""The selection stage: what is chosen is stored, with what the user should know of it."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ig4.core.contracts import Selector
from ig4.core.counts import counted, verb
from ig4.core.engine.checkups.check import check_notices
from ig4.core.engine.mixtures import tell_shared
from ig4.core.engine.pooling.poolscores import stale_notice
from ig4.core.engine.selecting.draft import SelectionDraft, all_needs, draft_selection
from ig4.core.engine.selecting.pins import PinRequest, read_pins
from ig4.core.engine.selecting.reports.reporting import make_report
from ig4.core.engine.selecting.result import SelectionResult
from ig4.core.engine.selections.names import checked_name, checked_note, give_name, refuse_taken
from ig4.core.errors import UsageError
from ig4.core.events import Selected, StageFinished, StageStarted
from ig4.core.host.fingerprint import digest_of
from ig4.core.host.recording import RecordedOptions
from ig4.core.secrets import scrub
from ig4.storage import pins as storedpins
from ig4.storage import samples, scorecolumns, selections, spaces
from ig4.storage.selectedscores import SelectionColumn
from ig4.storage.selections import SelectionItem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.pooling.settings import Tables
    from ig4.core.engine.selecting.candidates import SelectionRequest
    from ig4.core.engine.selecting.funnel import Stage
    from ig4.core.engine.selecting.reports.report import SelectionReport
    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.core.records import JSON, Choice
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.scorecolumns import ScoreColumnRow
    from ig4.storage.spaces import SpaceRow

STAGE = "select"


def select(
    session: Session,
    dataset: DatasetRow,
    request: SelectionRequest,
    *,
    latest: bool = True,
    equal: SelectionResult | None = None,
    name: str | None = None,
    note: str | None = None,
) -> SelectionResult:
    """Select samples and store the selection, unless the newest of the data set is the same.

    With a `name`, and maybe a `note`, it is called so from now on; one that is there already, too.

    The result is then the newest selection of the data set, which "last" stands for: an older one
    that is the same (`same_as`) is stored again, and its name goes to the newest if that is asked
    for by it. Without `latest`, the older one will do. Where the samples of `equal` are chosen, in
    the same order, that is returned, and nothing is stored: a seed that changes nothing makes no
    selection.

    Raises:
        UsageError: size above the number of candidates, unknown scorer, weight or clustering; the
            name cannot be used, or another selection of the data set has it.
        MissingScoreError: samples lack a score and `missing` is "error".
    """
    selector = session.configured(request.selector)
    assert isinstance(selector.component, Selector)
    request = replace(request, pins=read_pins(session, dataset, request.pins))
    config = _config(session, dataset, request, selector)
    title = _title(session, dataset, name, note, config)
    run_config = config | request.pins.to_config(short=True)  # the ids are in the selection's own
    with session.recorded("select", run_config, request.seed):
        session.attach(dataset.id)
        session.emit(StageStarted(STAGE, None))
        tell_shared(session.store, dataset, session.notice_once)
        with session.hearing() as heard:
            _tell_pins(session, dataset, request.pins)
            draft = draft_selection(session, dataset, request)
            report = make_report(session, dataset, request, draft)
            _tell(session, dataset, request, draft, report)
        report = replace(report, heard=tuple(heard))
        chosen = _chosen(session, dataset, draft)
        if equal is not None and list(equal.chosen) == chosen:
            result = equal
        else:
            result = _store(
                session, dataset, selector, request, draft, config, chosen, report, latest, title
            )
        session.emit(Selected(result.id, len(chosen)))
        session.emit(StageFinished(STAGE, f"{len(chosen):,} of {len(draft.table.sample_ids):,}"))
        return result


class _Title(NamedTuple):
    """What a user calls a selection."""

    name: str
    note: str | None


def _title(
    session: Session,
    dataset: DatasetRow,
    name: str | None,
    note: str | None,
    config: Mapping[str, Any],
) -> _Title | None:
    """Return what a selection is to be called; None if nothing.

    Raises:
        UsageError: it cannot be called so.
    """
    if name is None:
        if note is not None:
            raise UsageError("a note goes with a name: give --name, too")
        return None
    title = _Title(checked_name(name), checked_note(note))
    refuse_taken(session, dataset, title.name, config)
    return title


def _tell(
    session: Session,
    dataset: DatasetRow,
    request: SelectionRequest,
    draft: SelectionDraft,
    report: SelectionReport,
) -> None:
    """Say what the user should know of a selection."""
    needs, counting = all_needs(session, request), draft.table.names
    beside = {*needs.columns, *needs.optional_columns}.difference(counting)
    for column in (*draft.table.columns, *_columns(session, dataset, beside)):
        if text := stale_notice(session, dataset, column, request.pool):
            session.notice(text)
    # Not of optional columns: they only reject what is broken, as the floors of `balanced` do. On
    # clean data all their values are equal, which is what one hopes for and no reason to drop them.
    weights = dict.fromkeys(draft.pool.needs.columns, 1.0)
    weights |= dict(zip(counting, draft.table.weights.tolist(), strict=True))
    for text in check_notices(session, dataset, {*counting, *needs.columns}, weights):
        session.notice(text)
    for text in report.told:
        session.notice(text)
    if report.no_groups:
        session.notice(f"the mix of the selection cannot be told: {report.no_groups}")
    for text in report.notices(balanced=request.selector.use.rpartition("/")[2] == "balanced"):
        session.notice(text)


def _tell_pins(session: Session, dataset: DatasetRow, pins: PinRequest) -> None:
    """Say how many samples are kept and dropped, or that there are pins which nobody applies."""
    for what, sources in (("kept", pins.keep), ("vetoed", pins.drop)):
        count = len({name for one in sources for name in one.ids or ()})
        if count:
            session.notice(f"{counted(count, 'sample is', 'samples are')} {what} by name")
    if pins.uses_stored:
        return
    with session.store.reading() as connection:
        stored = storedpins.count(connection, dataset.id)
    if stored:
        session.notice_once(
            f"{counted(stored, 'stored pin')} of {dataset.name} {verb(stored, 'is', 'are')} not "
            "applied: --pins applies them"
        )


def _read_beside(
    session: Session, dataset: DatasetRow, draft: SelectionDraft
) -> list[ScoreColumnRow]:
    """Return the columns that the selector reads beside those that count, if they are there."""
    needs = draft.pool.needs
    wanted = {*needs.columns, *needs.optional_columns} - set(draft.table.names)
    return _columns(session, dataset, wanted)


def _columns(session: Session, dataset: DatasetRow, wanted: Set[str]) -> list[ScoreColumnRow]:
    """Return the columns of these names that are there."""
    if not wanted:
        return []
    with session.store.reading() as connection:
        known = scorecolumns.list_all(connection, dataset.id)
    return [row for row in known if row.name in wanted]


def _reads(session: Session, dataset: DatasetRow, draft: SelectionDraft) -> dict[str, Any]:
    """Return what the selector read beside counting scores and clusters, for the record."""
    needs = draft.pool.needs
    more = {name: told for name, told in needs.to_dict().items() if name not in _USUAL}
    more |= draft.table.read.to_dict()
    if not more:
        return {}
    beside = {row.name: row.fingerprint for row in _read_beside(session, dataset, draft)}
    return {"reads": {**more, **({"columns_read": beside} if beside else {})}}


_USUAL = ("scores", "clusters")


def _config(
    session: Session,
    dataset: DatasetRow,
    request: SelectionRequest,
    selector: ConfiguredComponent,
) -> dict[str, Any]:
    config: dict[str, Any] = {
        "dataset": dataset.name,
        "selector": _as_understood(session, request.selector),
        "selector_fingerprint": selector.fingerprint.value,
        "size": request.size,
        "fraction": request.fraction,
        "scale": request.scale,
        "missing": request.missing,
        "seed": request.seed,
    }
    if request.within is not None:
        config["within"] = request.within
    if request.combine != "sum":
        config["combine"] = request.combine
    if request.stages:
        config["stages"] = [_stage(session, stage) for stage in request.stages]
    if named := _named(session, dataset, request):
        config["named"] = named
    return config | request.pins.to_config()


def _as_understood(session: Session, choice: Choice) -> dict[str, JSON]:
    """Return a choice with the options that were given, as the component has them: 0.5 for "0.5".

    So it is the same selection, whether a flag or a file gives them.
    """
    options = session.configured(choice).component.options.model_dump(mode="json")
    return {name: options.get(name, value) for name, value in choice.to_dict().items()}


def _stage(session: Session, stage: Stage) -> dict[str, Any]:
    if stage.selector is None:
        return stage.to_dict()
    return {**stage.to_dict(), "selector": _as_understood(session, stage.selector)}


def _named(session: Session, dataset: DatasetRow, request: SelectionRequest) -> Tables:
    """Return what names of spaces and groups stand for that the user has given a meaning.

    Not what the data set has recorded of its spaces, which counts where nothing is said of them.
    """
    needs = all_needs(session, request)
    near = [space for space, _ in needs.neighbours]
    names = [*needs.groups, *needs.spaces, *needs.optional_spaces, *near, request.within]
    for stage in request.stages:
        names += [*stage.spaces, stage.within]
    found = request.pool.tables(*(name for name in names if name is not None))
    with session.store.reading() as connection:
        rows = spaces.list_all(connection, dataset.id)
    known = {row.name: {"use": row.component, **_recorded(row)} for row in rows if not row.imported}
    kept = {
        kind: {
            name: table
            for name, table in tables.items()
            if scrub(table) == table
            and not (kind == "embedders" and table.items() <= known.get(name, {}).items())
        }
        for kind, tables in found.items()
    }
    return {kind: tables for kind, tables in kept.items() if tables}


def _recorded(row: SpaceRow) -> Mapping[str, JSON]:
    kept = RecordedOptions.from_dict(row.options)
    return {} if kept is None else kept.values


def _chosen(session: Session, dataset: DatasetRow, draft: SelectionDraft) -> list[SelectionItem]:
    table, rows = draft.table, draft.rows
    ids = table.sample_ids[rows].tolist()
    with session.store.reading() as connection:
        names = samples.external_ids(connection, ids, dataset.id)
    scored = ~np.isnan(table.final) & bool(table.names)
    quotas = draft.quotas()
    return [
        SelectionItem(
            sample_id=sample,
            content_id=int(table.contents[row]),
            external_id=names[sample],
            rank=rank,
            cluster=int(table.labels[row]),
            final_score=float(table.final[row]) if scored[row] else None,
            quota=None if quotas is None or quotas[rank - 1] < 0 else int(quotas[rank - 1]),
        )
        for rank, (row, sample) in enumerate(zip(rows.tolist(), ids, strict=True), start=1)
    ]


def _store(
    session: Session,
    dataset: DatasetRow,
    selector: ConfiguredComponent,
    request: SelectionRequest,
    draft: SelectionDraft,
    asked: Mapping[str, Any],
    chosen: list[SelectionItem],
    report: SelectionReport,
    latest: bool,
    title: _Title | None,
) -> SelectionResult:
    table = draft.table
    config = dict(asked) | {
        "weights": dict(zip(table.names, table.weights.tolist(), strict=True)),
        "components": dict(table.components),
        **({"options": dict(table.options)} if table.options else {}),
        **_reads(session, dataset, draft),
        "clustering": table.clustering.name if table.clustering else None,
        "candidates": len(table.sample_ids),
        "left_out": dict(table.left_out),
    }
    ranked = [[one.sample_id, one.content_id, one.final_score] for one in chosen]
    clustering_id = table.clustering.id if table.clustering else None
    digest = digest_of([_without_files(config), clustering_id, ranked])
    component = session.component_id(selector.fingerprint)
    told = report.to_dict([one.external_id for one in chosen])
    with session.store.writing() as connection:
        last = selections.last(connection, dataset.id, None if latest else digest)
        same_as = None
        if last is not None and last.digest == digest:
            selection_id = last.id
        else:
            older = selections.last(connection, dataset.id, digest)
            same_as = None if older is None else older.id
            selection_id = selections.put(
                connection,
                dataset_id=dataset.id,
                component_id=component,
                clustering_id=clustering_id,
                config=config,
                digest=digest,
                run_id=session.run_id,
                items=chosen,
                scores=_selected_by(draft),
            )
        selections.put_report(connection, selection_id, request.name, told)
        if title is not None:
            give_name(session, connection, dataset, selection_id, title.name, title.note)
        row = selections.find(connection, selection_id)
        label, _ = selections.report(connection, selection_id)
    assert row is not None
    return SelectionResult(
        selection_id, dataset.name, config, chosen, told, row.name, label, row.note,
        session.store.engine.url, same_as,
    )  # fmt: skip


def _without_files(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record that does not say in which files ids were: with the same ids, it is equal."""
    pins = {
        what: [{key: value for key, value in one.items() if key != "file"} for one in config[what]]
        for what in ("keep", "drop")
        if what in config
    }
    return {**config, **pins}


def _selected_by(draft: SelectionDraft) -> list[SelectionColumn]:
    """Return the scores that the chosen samples were selected by, best first."""
    table, rows = draft.table, draft.rows
    return [
        SelectionColumn(
            name,
            table.component_ids[name],
            _without_nan(table.raw[rows, place]),
            _without_nan(table.percent[rows, place]),
        )
        for place, name in enumerate(table.names)
    ]


def _without_nan(values: NDArray[np.float64]) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]
