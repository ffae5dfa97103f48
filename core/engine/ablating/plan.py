"""Plans an ablation: what each arm selects, which models that takes, what is known already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, cast

from ig4.core.contracts import Selector, Trainer
from ig4.core.contracts.training import TrainingJob
from ig4.core.engine.ablating.arms import REFERENCE, Arm, Inventory
from ig4.core.engine.ablating.cells import CellJob, decoding
from ig4.core.engine.grouping.cluster import cluster
from ig4.core.engine.ingesting.paths import folder_name
from ig4.core.engine.run import NO_CLUSTERS, embedder_of, wish_of
from ig4.core.engine.scoring.samples import sample_of
from ig4.core.engine.selecting.select import SelectionRequest, candidate_table, resolve_size, select
from ig4.core.errors import Ig4Error, UsageError
from ig4.core.host.fingerprint import digest_of
from ig4.core.records import JSON, Choice
from ig4.storage import clusters, samples, scores, selections

if TYPE_CHECKING:
    from ig4.core.config import Config
    from ig4.core.contracts.training import Footprint
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow


class CellKey(NamedTuple):
    """A cell: an arm with a seed, and the selection of its own that it trains on."""

    arm: str
    seed: int
    selection: int | None


@dataclass(frozen=True, slots=True)
class AblationTask:
    """A model to train and evaluate once, for all the cells that come to the same samples."""

    key: str
    job: CellJob
    cells: tuple[CellKey, ...]
    samples: int
    keys: Mapping[str, str]
    """By benchmark, what stands for all that its result depends on."""


@dataclass(frozen=True, slots=True)
class AblationPlan:
    """What is to be done, in order, and which arms cannot be prepared, with the reason."""

    tasks: tuple[AblationTask, ...]
    broken: Mapping[str, Ig4Error]


@dataclass(slots=True)
class ArmPlanner:
    """Prepares the arms of an ablation on one data set; selections are stored as they are made."""

    session: Session
    dataset: DatasetRow
    config: Config
    trainer: Choice
    benchmarks: Sequence[Choice]
    seeds: Sequence[int]
    _base: SelectionRequest | None = None
    _footprints: dict[tuple[str, int], Footprint | None] = field(default_factory=dict)

    def plan(self, arms: Sequence[Arm]) -> AblationPlan:
        """Select for every arm and seed.

        The reference comes last, so that it is what `--selection last` means afterwards.

        Raises:
            Ig4Error: no arm can be prepared, or a component's name or options are wrong.
        """
        marks = {
            one.label: self.session.configured(one).fingerprint.value for one in self.benchmarks
        }
        made: dict[tuple[str, int], tuple[int | None, list[int]]] = {}
        broken: dict[str, Ig4Error] = {}
        for arm in sorted(arms, key=lambda one: one.name == REFERENCE):
            try:
                self.session.configured(self.trainer_of(arm, 1))
                for seed in self.seeds:
                    made[arm.name, seed] = self._chosen(arm, seed, made)
            except Ig4Error as error:
                broken[arm.name] = error
        if len(broken) == len(arms):
            raise next(iter(broken.values()))
        tasks: dict[str, AblationTask] = {}
        for seed in self.seeds:
            for arm in arms:
                if arm.name not in broken:
                    task = self._task(arm, seed, *made[arm.name, seed], marks)
                    known = tasks.get(task.key, replace(task, cells=()))
                    tasks[task.key] = replace(known, cells=(*known.cells, *task.cells))
        return AblationPlan(tuple(tasks.values()), broken)

    def sizes(self, arms: Sequence[Arm]) -> dict[str, int | Ig4Error]:
        """Return how many samples each arm trains on, selecting nothing."""
        found: dict[str, int | Ig4Error] = {}
        for arm in arms:
            try:
                found[arm.name] = self._size(arm)
            except Ig4Error as error:
                found[arm.name] = error
        return found

    def _size(self, arm: Arm) -> int:
        if arm.take == "none":
            return 0
        if arm.take == "all":
            return len(self._all())
        request = self.request(arm, self.seeds[0], dry=True)
        selector = cast("Selector", self.session.configured(request.selector).component)
        needed = selector.needs_clusters and arm.clusterer is None and arm.k is None
        table = candidate_table(self.session, self.dataset, request, clusters_needed=needed)
        return resolve_size(request, len(table.sample_ids))

    def footprint(self, arm: Arm, size: int) -> Footprint | None:
        """Return what training on so many samples takes, None where the trainer does not say."""
        choice = self.trainer_of(arm, size)
        return self._footprint(choice, size)

    def _footprint(self, choice: Choice, size: int) -> Footprint | None:
        key = (digest_of(dict(choice.options)), size)
        if key not in self._footprints:
            trainer = cast("Trainer", self.session.configured(choice).component)
            with self.session.store.reading() as connection:
                rows = list(islice(samples.stream(connection, self.dataset.id), size))
            # How many steps there are is a matter of how many samples there are, not of which.
            job = TrainingJob([sample_of(row) for row in rows], self.config.ablate.output)
            self._footprints[key] = trainer.footprint(job)
        return self._footprints[key]

    def trainer_of(self, arm: Arm, size: int) -> Choice:
        """Return the trainer with an arm's options; with `steps`, all arms take just so many.

        Raises:
            UsageError: `steps` is set, and the trainer has no such option.
        """
        choice = replace(self.trainer, options={**self.trainer.options, **arm.options})
        steps = self.config.ablate.steps
        if steps is None:
            return choice
        known = self.session.host.load("trainer", choice.use).Options.model_fields
        if "steps" not in known:
            raise UsageError(f"trainer {choice.label} has no option `steps`: leave --steps away")
        choice = replace(choice, options={**choice.options, "steps": steps})
        if size < 2 or "epochs" not in known:
            return choice
        told = self._footprint(choice, size)
        if told is None or told.steps >= steps:
            return choice
        built = self.session.host.build(choice).options
        epochs = -(-int(getattr(built, "epochs", 1)) * steps // max(told.steps, 1))
        return replace(choice, options={**choice.options, "epochs": epochs})

    def request(self, arm: Arm, seed: int, *, dry: bool = False) -> SelectionRequest:
        """Return what an arm selects.

        Raises:
            Ig4Error: there are no scores or clusters to select by.
        """
        request = self.base()
        if arm.take == "random":
            request = replace(request, selector=Choice("selector", "random"), seed=seed)
        if arm.selector is not None:
            request = replace(request, selector=self.config.choice("selector", arm.selector))
        if arm.scorers is not None:
            weights = {n: w for n, w in request.weights.items() if n in arm.scorers}
            request = replace(request, scorers=arm.scorers, weights=weights)
        if arm.weights is not None:
            request = replace(request, weights=dict(arm.weights))
        if arm.scale is not None:
            request = replace(request, scale=arm.scale)
        if arm.size is not None or arm.fraction is not None:
            request = replace(request, size=arm.size, fraction=arm.fraction)
        if (arm.clusterer is not None or arm.k is not None) and not dry:
            request = replace(request, clustering=self._own_clustering(arm))
        return request

    def base(self) -> SelectionRequest:
        """Return what the reference selects: as many for all arms, of the same clusters."""
        if self._base is None:
            config = self.config
            request = wish_of(config)
            if "scorers" not in config.run.model_fields_set:
                request = replace(request, scorers=None, weights=dict(config.select.weights))
            if config.ablate.size is not None:
                request = replace(request, size=config.ablate.size, fraction=None)
            selector = cast("Selector", self.session.configured(request.selector).component)
            request = replace(request, clustering=self._clustering(needed=selector.needs_clusters))
            table = candidate_table(
                self.session, self.dataset, request, clusters_needed=selector.needs_clusters
            )
            size = resolve_size(request, len(table.sample_ids))
            self._base = replace(request, size=size, fraction=None, scorers=table.names)
        return self._base

    def known(self) -> Inventory:
        """Return what arms can be made of here."""
        config = self.config
        if "scorers" in config.run.model_fields_set:
            names = config.run.scorers
        else:
            with self.session.store.reading() as connection:
                names = tuple(scores.bindings(connection, self.dataset.id))
        choice = config.choice("selector", config.select.selector)
        selector = cast("Selector", self.session.host.build(choice))
        clusterers = [one.component.name for one in self.session.host.components("clusterer")]
        with self.session.store.reading() as connection:
            found = clusters.find(connection, self.dataset.id, name=config.cluster.clusterer)
            found = found or clusters.find(connection, self.dataset.id)
        return Inventory(
            scorers=names,
            clusterer=config.cluster.clusterer if found is None else found.name,
            clusterers=tuple(dict.fromkeys(clusterers)),
            clustered=selector.needs_clusters,
        )

    def _clustering(self, *, needed: bool) -> int | None:
        """Return the clusters that the reference uses: by the configured name, or the newest."""
        if not needed:
            return None
        name = self.config.cluster.clusterer
        with self.session.store.reading() as connection:
            found = clusters.find(connection, self.dataset.id, name=name)
            found = found or clusters.find(connection, self.dataset.id)
        if found is not None:
            return found.id
        if name == NO_CLUSTERS:
            raise UsageError(
                f"selector {self.config.select.selector} needs clusters, and there are none: run "
                "`ig4 cluster`, or choose another selector"
            )
        return self._cluster(name, self.config.cluster.k, aside=False)

    def _own_clustering(self, arm: Arm) -> int:
        name = arm.clusterer
        if name is None:
            with self.session.store.reading() as connection:
                base = clusters.find(connection, self.dataset.id, clustering_id=self._number())
            name = self.config.cluster.clusterer if base is None else base.name
        elif arm.k is None:
            with self.session.store.reading() as connection:
                found = clusters.find(connection, self.dataset.id, name=name)
            if found is not None and found.imported:
                return found.id
        return self._cluster(name, arm.k or self._k(), aside=True)

    def _k(self) -> int:
        """Return how many clusters the reference has, so that clusterers differ in nothing else."""
        with self.session.store.reading() as connection:
            base = clusters.find(connection, self.dataset.id, clustering_id=self._number())
        return self.config.cluster.k if base is None or base.k is None else base.k

    def _number(self) -> int:
        number = self.base().clustering
        return number if isinstance(number, int) else -1

    def _cluster(self, name: str, k: int, *, aside: bool) -> int:
        made = cluster(
            self.session,
            self.dataset,
            self.config.choice("clusterer", name),
            embedder_of(self.config),
            k=k,
            seed=self.config.run.seed,
            aside=aside,
        )
        return made.id

    def _chosen(
        self, arm: Arm, seed: int, made: Mapping[tuple[str, int], tuple[int | None, list[int]]]
    ) -> tuple[int | None, list[int]]:
        """Return the selection an arm trains on with a seed, and the contents in its order."""
        if arm.take == "none":
            return None, []
        if arm.take == "all":
            return None, self._all()
        first = (arm.name, self.seeds[0])
        if arm.take != "random" and first in made:
            return made[first]
        request = self.request(arm, seed)
        result = select(self.session, self.dataset, request, latest=arm.name == REFERENCE)
        with self.session.store.reading() as connection:
            picked = selections.samples(connection, result.id)
        return result.id, [one.content_id for one in picked]

    def _all(self) -> list[int]:
        with self.session.store.reading() as connection:
            _, contents = samples.ordered_ids(connection, self.dataset.id)
        return cast("list[int]", contents.tolist())

    def _task(
        self,
        arm: Arm,
        seed: int,
        selection: int | None,
        contents: list[int],
        marks: Mapping[str, str],
    ) -> AblationTask:
        section = self.config.ablate
        trainer = self.trainer_of(arm, len(contents))
        fingerprint = self.session.configured(trainer).fingerprint.value
        missing = self.config.train.missing
        untrained = arm.take == "none"
        key = digest_of(
            [fingerprint, seed, "untrained"]
            if untrained
            else [fingerprint, contents, seed, missing]
        )
        how = asdict(decoding(seed, section.batch_size))
        del how["batch_size"]
        root = None if section.image_root is None else str(section.image_root)
        keys = {
            name: digest_of([key, mark, cast("JSON", how), section.limit, root])
            for name, mark in marks.items()
        }
        job = CellJob(
            dataset_id=self.dataset.id,
            dataset=self.dataset.name,
            label=f"{arm.name}, seed {seed}",
            take="none" if untrained else "all" if selection is None else str(selection),
            trainer=trainer,
            seed=seed,
            output=str((section.output / folder_name(self.dataset.name) / key[:16]).absolute()),
            missing=missing,
            benchmarks=tuple(self.benchmarks),
            limit=section.limit,
            batch_size=section.batch_size,
            image_root=root,
            retry_failed=section.retry_failed,
        )
        return AblationTask(key, job, (CellKey(arm.name, seed, selection),), len(contents), keys)
