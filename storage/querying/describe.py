"""Tables and views of a score database, with their columns and what these mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ig4.storage.connect import is_sqlite
from ig4.storage.errors import QueryError
from ig4.storage.querying.query import run_query
from ig4.storage.schema import Base

if TYPE_CHECKING:
    from sqlalchemy import URL

_VIEWS = {
    "scores_wide": "one row a sample, with a column for each scorer",
    "selections_wide": "one row for each sample of a selection, with what it was selected by",
    "scores_long": "one row a score",
    "groups_long": "one row for each group of a sample, in each grouping",
}

_SQLITE = (
    "SELECT m.name, m.type, p.name, p.type FROM sqlite_master m, pragma_table_xinfo(m.name) p "
    "WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
    "ORDER BY m.type DESC, m.name, p.cid"
)
_POSTGRESQL = (
    "SELECT c.relname, CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END AS kind, a.attname, "
    "format_type(a.atttypid, a.atttypmod) FROM pg_class c JOIN pg_attribute a ON a.attrelid = "
    "c.oid WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v', 'p') "
    "AND a.attnum > 0 AND NOT a.attisdropped ORDER BY kind DESC, c.relname, a.attnum"
)


@dataclass(frozen=True, slots=True)
class ColumnDescription:
    """A column: its name, its type in this database, and what it holds ("" if nobody said)."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class TableDescription:
    """A table or view (`kind`) with its columns."""

    name: str
    kind: str
    meaning: str
    columns: Sequence[ColumnDescription]

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON-able dict."""
        return asdict(self)


def describe_tables(url: URL, name: str | None = None) -> Sequence[TableDescription]:
    """Return the views of a database, then its tables; with `name`, that one alone.

    Raises:
        QueryError: there is none of that name.
        StorageError: the database cannot be read.
    """
    with run_query(url, _SQLITE if is_sqlite(url) else _POSTGRESQL) as result:
        rows = [tuple(map(str, row)) for row in result.rows]
    known = [_table(key, list(group)) for key, group in groupby(rows, key=lambda row: row[:2])]
    chosen = [table for table in known if name in (None, table.name)]
    if name is not None and not chosen:
        raise QueryError(
            f"There is no table or view {name!r}. There are: "
            f"{', '.join(table.name for table in known) or 'none'}."
        )
    return chosen


def _table(key: Sequence[str], rows: Sequence[Sequence[str]]) -> TableDescription:
    name, kind = key
    columns = [
        ColumnDescription(column, type_.lower(), _column(name, column))
        for _, _, column, type_ in rows
    ]
    return TableDescription(name, kind, _VIEWS.get(name) or _documented().get(name, ""), columns)


def _documented() -> Mapping[str, str]:
    """Return the first line that the code says of each table."""
    return {
        mapper.local_table.name: (mapper.class_.__doc__ or "").strip().splitlines()[0]  # type: ignore[attr-defined]
        for mapper in Base.registry.mappers
    }


def _column(table: str, column: str) -> str:
    meaning = _MEANINGS.get(f"{table}.{column}") or _MEANINGS.get(column)
    if meaning is None and table == "scores_wide":
        return f"value of the scorer {column}, NULL if there is none"
    if meaning is None and table == "selections_wide":
        return "value or percent that the sample was selected by, NULL if it was not"
    return meaning or ""


_MEANINGS = {
    "id": "the row's number",
    "external_id": "the sample's id in its data set",
    "dataset": "name of the data set",
    "dataset_id": "the data set (datasets.id)",
    "group_names": "names of the groups (JSON), by label",
    "grouping_id": "the grouping (groupings.id)",
    "group_labels.label": "the group's place among group_names, from 0",
    "input_embeddings.digest": "digest of what was embedded",
    "meta": "what the data set tells of it (JSON); NULL if nothing",
    "report": "mix, effective weights, near-duplicates, and what was told (JSON)",
    "selection_reports.name": "the name that it was given, NULL if none",
    "dataset_members.position": "place among the data sets of the mixture, from 0",
    "member_id": "the data set that is a part of it (datasets.id)",
    "instruction": "what the sample asks; several turns one below the other",
    "answer": "what the sample answers; several turns one below the other",
    "scorer": "name of the scorer in this data set",
    "value": "the value, NULL if computing it failed",
    "error": "why it failed, NULL if it did not",
    "details": "what was reported beside the value (JSON)",
    "component": "name of the component that computed it",
    "component_id": "the component that computed it (components.id)",
    "version": "version of the component",
    "versions": "versions of ig4, Python and others (JSON)",
    "fingerprint": "digest of the component, its version and options",
    "options": "options (JSON)",
    "run_id": "the run that wrote the row (runs.id)",
    "content_id": "the content that results belong to (contents.id)",
    "contents.hash": "digest of the turns and images",
    "samples.ordinal": "place in the data set; NULL once it was removed from it",
    "predictions.ordinal": "place of the question in the benchmark",
    "places": "where its images stand (JSON [[turn, position], …]); NULL: before the first turn",
    "image_roots": "folders that its images may lie in (JSON)",
    "embedded": "whether it came inside the data set, not as a file of its own",
    "checkups.result": "what was found (JSON)",
    "groups_long.grouping": "name of the grouper",
    "groups_long.group_name": "a group of the sample",
    "crc": "checksum of the result and its keys (CRC-32); NULL if an older ig4 stored it",
    "labels_crc": "checksum of the labels (CRC-32); NULL if an older ig4 stored them",
    "samples_crc": "checksum of the selected samples (CRC-32); NULL if an older ig4 stored them",
    "settings": "clusterer and embedder with the options that were given (JSON)",
    "beats": "a number that grows while the process lives",
    "started": "when the process started, by its machine's clock since its start",
    "process_started": "when its process started, by the machine's clock since its start",
    "turns": "the conversation (JSON [[role, text], …]); NULL for one instruction and one answer",
    "raw": "the record as it was read (JSON)",
    "problem": "what is wrong with it, NULL if nothing",
    "sample_id": "the sample (samples.id)",
    "position": "place among the sample's images, from 0",
    "file_id": "the image file (image_files.id)",
    "image_id": "the image (images.id); NULL if it cannot be read",
    "images.bytes": "size of the file",
    "part": "the image's place in the file, OFFSET+LENGTH in bytes; NULL: all of it",
    "image_files.name": "what the data set calls the image",
    "image_files.size": "bytes when it was last read",
    "file_digests.size": "bytes when it was last read",
    "mtime_ns": "time of its last change when it was read, in nanoseconds",
    "path": "where the file lies: a path, or an address",
    "datasets.path": "where the data set lies",
    "sha256": "sha256 of the file's bytes",
    "width": "in pixels, from the header",
    "height": "in pixels, from the header",
    "format": "the format",
    "kind": "kind of component: scorer, embedder, …",
    "name": "the name in use",
    "distribution": "the package that brings the component",
    "imported": "whether it was computed elsewhere",
    "vector": "little-endian float32 values; NULL if embedding failed, empty if it lies in a file",
    "embeddings.file_id": "the vector's file (vector_files.id); NULL if it lies here",
    "input_embeddings.file_id": "the vector's file (vector_files.id); NULL if it lies here",
    "file_row": "its row in that file, from 0",
    "dimensions": "how many numbers a vector has",
    "vector_files.key": "what its vectors are known by: image_id or digest",
    "vector_files.bytes": "size of the file",
    "vector_files.name": "path of the file in the vector folder (settings)",
    "rows": "how many vectors the file holds",
    "settings.name": "what it is",
    "settings.value": "what holds",
    "clustering_id": "the clustering (clusterings.id)",
    "label": "the cluster",
    "evaluations.label": "name of the model that answered",
    "inputs": "digest of all that it was computed from",
    "k": "number of clusters that were asked for",
    "seed": "seed of everything random",
    "selection_id": "the selection (selections.id)",
    "selections.size": "how many samples were selected",
    "rank": "place in the selection, best first",
    "cluster": "cluster of the sample in that selection",
    "final_score": "weighted sum of the scores on their scale",
    "quota": "how many samples its cluster or group could give; NULL where none are dealt",
    "selection": "the name that a user gave the selection, NULL if none",
    "selection_names.name": "the name that a user gave the selection",
    "selection_names.created_at": "time when it was named (UTC)",
    "note": "what the user noted",
    "keep": "true: wanted in every selection; false: in none",
    "image_path": "where its first image lies, NULL if it has none",
    "selected": "whether the latest selection from its data set, alone or in a mixture, has it",
    "scores_wide.cluster": "its cluster in the clustering of the latest selection, or the newest",
    "scores_wide.final_score": "its final score in the latest selection, NULL if that has it not",
    "selection_scorers.name": "name of the scorer when the selection was made",
    "selection_scorers.position": "place among the scorers of the selection, from 0",
    "selected_scores.position": "the scorer (selection_scorers.position)",
    "selected_scores.value": "value that the sample was selected by, NULL if it had none",
    "percent": "the value on the 0-100 scale of the selection, NULL if there was none",
    "values_crc": "checksum of the values and percents (CRC-32)",
    "config": "settings (JSON)",
    "digest": "digest of the settings and the ranked samples",
    "command": "the command",
    "status": "how it ended, or `running`",
    "state": "where the request stands: claimed, batch, done, unreadable, failed",
    "summary": "its result (JSON)",
    "started_at": "time (UTC)",
    "finished_at": "time (UTC), NULL while it runs",
    "created_at": "time (UTC)",
    "ended_at": "time (UTC)",
    "seen_at": "time of the last sign of life (UTC)",
    "training_id": "the training (trainings.id)",
    "evaluation_id": "the evaluation (evaluations.id)",
    "judgement_id": "the judgement (judgements.id)",
    "ablation_id": "the ablation (ablations.id)",
    "batch_id": "the batch that it waits in (llm_batches.id)",
    "metrics": "results by name (JSON)",
    "samples": "how many samples",
    "output": "the folder of the checkpoint",
    "step": "step of the optimiser, from 1",
    "steps": "steps of the optimiser, in total",
    "epoch": "epochs so far, with fractions",
    "loss": "mean loss of the batch, before the step",
    "learning_rate": "learning rate of the step",
    "grad_norm": "norm of the gradient",
    "seconds": "how long it took",
    "source": "where the answers come from",
    "items": "how many questions",
    "failed": "how many of them failed",
    "item_id": "id of the question",
    "category": "category of the question",
    "headline": "name of the metric that counts most",
    "evaluations.value": "the headline metric",
    "predictions.value": "what the answer counts for",
    "pair_id": "id of the pair of answers",
    "pairs": "how many pairs",
    "swapped": "whether the second answer was shown first",
    "first": "label of the first answers",
    "second": "label of the second answers",
    "first_score": "the judge's points for the first answer",
    "second_score": "the judge's points for the second answer",
    "explanation": "what the judge wrote",
    "arm": "name of the arm",
    "provider": "the service",
    "model": "the language model",
    "request_hash": "digest of the request",
    "reply": "text of the reply",
    "finish": "why the reply ended, as the service says",
    "input_tokens": "tokens of the request",
    "cached_tokens": "those of them that the service had in its cache",
    "output_tokens": "tokens of the reply",
    "cost": "US dollars; NULL if the price is not known",
    "llm_calls.seconds": "from sending to the reply",
    "attempts": "how often it was sent",
    "worker": "the process that sends it (llm_workers.id)",
    "score_claims.worker": "the process that computes it (llm_workers.id)",
    "score_claims.first": "number of its first unit (sample, image, text) in the data set",
    "score_claims.last": "number of its last unit",
    "host": "name of the machine",
    "pid": "number of the process",
    "remote_id": "the service's id of the batch",
    "requests": "how many requests",
    "source_state": "sizes and times of the files; NULL until they were read to the end",
    "header": "what the file holds beside its records (JSON)",
    "image_root": "folder of the images, as it was given",
    "dataset_scorers.component_id": "the component that the name stands for (components.id)",
    "components.version": "version of the component",
    "runs.versions": "versions of ig4, Python and the platform (JSON)",
    "decoding": "how answers were generated (JSON)",
    "predictions.content": "digest of the question",
    "key": "ig4's own name of the batch",
    "version_num": "version of the schema",
}
"""What a column holds, by `table.column`, or by name where it means the same everywhere."""
