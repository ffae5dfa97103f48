"""`ig4.toml`: what it may say, and how flags and recipes lie over it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from ig4.core.calls.prices import Price
from ig4.core.calls.settings import CallSettings
from ig4.core.errors import ConfigError
from ig4.core.filekeys import refuse_keys
from ig4.core.files.opening import open_file, read_bounded
from ig4.core.files.remote.addresses import is_address
from ig4.core.files.remote.credentials import place_of
from ig4.core.limits import SEED
from ig4.core.records import JSON, Choice, Kind
from ig4.core.suggest import did_you_mean

FILE = "ig4.toml"
NO_FILE = "none"
"""What stands for no file at all, where one may be named."""

Named = dict[str, dict[str, Any]]
"""Components by the name the user gives them; `use` says which component it is."""

Layers = dict[str | None, Mapping[str, Any]]
"""What lies over what, the nearest last, by what an error calls it; None are flags."""


Location = Annotated[Path | str, BeforeValidator(place_of)]
"""A path, or an address without its credentials."""


class Section(BaseModel):
    """A table of `ig4.toml`; a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DatasetSection(Section):
    """Which data set, and how to read it."""

    path: Location | None = None
    name: str | None = None
    """Several, as in `a,b` or `["a", "b"]`, are the mixture of these data sets."""
    format: str | None = None
    encoding: str | None = None
    instruction: str | None = None
    image_root: Location | None = None
    fetch_images: Literal["none", "public", "any"] = "none"
    """From which hosts images are fetched that records name by an address of the web."""
    duplicate_ids: Literal["number", "error"] = "number"
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("name", mode="before")
    @classmethod
    def _join(cls, value: object) -> object:
        names = isinstance(value, list) and all(isinstance(one, str) for one in value)
        return ",".join(cast("list[str]", value)) if names else value


class RunSection(Section):
    """What `ig4 run` does; with `check`, scores that were computed are checked at once.

    With `report`, it writes a page about each selection beside what it exports.
    """

    scorers: tuple[str, ...] = ("clip", "length")
    spaces: tuple[str, ...] = ()
    embedder: str = "clip"
    index: str = "auto"
    executor: str = "local"
    check: bool = True
    report: bool = True
    seed: Annotated[int, Field(ge=SEED.least, le=SEED.most)] = 42
    """What NumPy takes as a seed everywhere, and every database holds."""


class ClusterSection(Section):
    """How samples are grouped: by the vectors of a space, by default of their images.

    `clusterer = "none"` leaves them ungrouped.
    """

    space: str | None = None
    clusterer: str = "spectral"
    k: Annotated[int, Field(ge=1)] = 10


class StageSection(Section):
    """A stage of a funnel: it leaves samples out, or takes some.

    `reject`: `tails` are the percentiles that a sample may have, by scorer, `within` groups or
    among all. `dedup`: of samples with equal texts and images, or alike in all `spaces` (a cosine
    above `alike`; of hashes, at most `bits` that differ, 6 unless told), the first stays. With
    `bits` and without `spaces`, those are phash and text. `take`: a selector takes `size` or a
    `fraction` of what is left.
    """

    do: Literal["reject", "dedup", "take"]
    tails: dict[str, tuple[float, float]] = Field(default_factory=dict)
    within: str | None = None
    spaces: tuple[str, ...] = ()
    alike: Annotated[float, Field(gt=0, le=1)] = 0.95
    bits: Annotated[int, Field(ge=0, le=1024)] | None = None
    selector: str | None = None
    size: Annotated[int, Field(ge=1)] | None = None
    fraction: Annotated[float, Field(gt=0, le=1)] | None = None


class SelectSection(Section):
    """How samples are chosen.

    `groups` is the grouper by which the mix of a selection is told, `within` one in whose groups
    scores are scaled. `keep` are samples that are selected whatever they score, `drop` such as are
    not: a file of ids, or a list; `keep_sql` and `drop_sql` are queries that give ids. With `pins`
    those count that are stored in the database.
    """

    selector: str = "quota"
    size: Annotated[int, Field(ge=1)] | None = None
    fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    scale: Literal["paper", "minmax", "percentile", "zscore"] = "paper"
    within: str | None = None
    combine: Literal["sum", "product", "mean-rank", "vote", "min"] = "sum"
    groups: str = "auto"
    missing: Literal["skip", "error"] = "skip"
    weights: dict[str, float] = Field(default_factory=dict)
    stages: tuple[StageSection, ...] = ()
    keep: Path | tuple[str, ...] | None = None
    drop: Path | tuple[str, ...] | None = None
    keep_sql: str | None = None
    drop_sql: str | None = None
    pins: bool = False

    @field_validator("keep", "drop", mode="before")
    @classmethod
    def _texts(cls, value: object) -> object:
        """Let whole numbers be ids, too."""
        if not isinstance(value, (list, tuple)):
            return value
        return [str(one) if type(one) is int else one for one in value]


class ExportSection(Section):
    """Where the selection goes."""

    path: Path | None = None
    format: str | None = None
    images: Literal["link", "copy", "none"] = "link"
    problems: Literal["leave", "keep"] = "leave"
    overwrite: bool = False
    options: dict[str, Any] = Field(default_factory=dict)


class TrainSection(Section):
    """What `ig4 train` does; the model is an option of the trainer."""

    trainer: str = "minigpt4"
    selection: str = "last"
    path: Path | None = None
    missing: Literal["error", "skip"] = "error"


class ArmSection(Section):
    """An arm that you define; a key that is missing is taken from the other tables."""

    selection: Literal["selected", "random", "all", "none"] = "selected"
    recipe: str | None = None
    selector: str | None = None
    scorers: tuple[str, ...] | None = None
    weights: dict[str, float] | None = None
    scale: Literal["paper", "minmax", "percentile", "zscore"] | None = None
    clusterer: str | None = None
    k: Annotated[int, Field(ge=1)] | None = None
    size: Annotated[int, Field(ge=1)] | None = None
    fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    options: dict[str, Any] = Field(default_factory=dict)


class AblateSection(Section):
    """What `ig4 ablate` compares; `compare` lists arms, `arms` defines more of them.

    `steps` trains every arm for so many steps of the optimiser, however large it is. `factors`
    are what the tables show a benchmark's values times. `retry_failed` asks questions again that
    have no answer.
    """

    compare: tuple[str, ...] | None = None
    arms: dict[str, ArmSection] = Field(default_factory=dict)
    seeds: Annotated[int, Field(ge=1)] = 5
    size: Annotated[int, Field(ge=1)] | None = None
    trainer: str | None = None
    benchmarks: tuple[str, ...] = ()
    jobs: Annotated[int, Field(ge=1)] | None = None
    output: Path = Path("ablations")
    steps: Annotated[int, Field(ge=1)] | None = None
    limit: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] = 8
    image_root: Path | None = None
    keep_checkpoints: bool = False
    retry_failed: bool = False
    factors: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        default_factory=dict
    )


class LearnSection(Section):
    """What `ig4 learn-weights` does; trainings and questions are else as in `[ablate]`.

    `subsets` are by default ten for each of the `indicators`, which are by default the scorers of
    `[run]`, or all with scores. `size` is by default that of `[ablate]` or `[select]`. `benchmarks`
    are development questions, `metric` is one of theirs ("dev.accuracy"), by default the headline.
    Subsets keep the mix of the groups of a grouper, `within`: by default that by which the mix of a
    selection is told; "none" keeps no mix. Each indicator has so many `bins`, the shares of which
    are drawn with a `concentration`: less of it makes subsets more different. Each subset is
    trained with so many `seeds`. `keep = "clear"` leaves out the indicators that may as well have
    no effect.
    """

    subsets: Annotated[int, Field(ge=3)] | None = None
    size: Annotated[int, Field(ge=2)] | None = None
    fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    indicators: tuple[str, ...] | None = None
    benchmarks: tuple[str, ...] = ()
    metric: str | None = None
    lower_is_better: bool = False
    within: str = "auto"
    bins: Annotated[int, Field(ge=2, le=100)] = 5
    concentration: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 0.5
    seeds: Annotated[int, Field(ge=1)] = 1
    keep: Literal["all", "clear"] = "all"
    trainer: str | None = None
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")] = "learned"
    out: Path | None = None


class CallsSection(Section):
    """How services are asked: how fast, how often, for how much (US dollars, for the whole run).

    `stop_after` failures in a row stop any component, also one that asks no service.
    """

    concurrency: Annotated[int, Field(ge=1)] = 16
    requests_per_minute: Annotated[float, Field(gt=0)] | None = None
    tokens_per_minute: Annotated[float, Field(gt=0)] | None = None
    attempts: Annotated[int, Field(ge=1)] = 10
    max_cost: Annotated[float, Field(ge=0)] | None = None
    max_calls: Annotated[int, Field(ge=0)] | None = None
    batch: bool = False
    wait: bool = True
    poll_seconds: Annotated[float, Field(gt=0)] = 30.0
    stop_after: Annotated[int, Field(ge=0)] = 50


class PriceSection(Section):
    """What a model's tokens cost, in US dollars a million; `batch` is a share of that."""

    input: Annotated[float, Field(ge=0)]
    output: Annotated[float, Field(ge=0)]
    cached: Annotated[float, Field(ge=0)] | None = None
    batch: Annotated[float, Field(ge=0, le=1)] = 0.5


class Config(Section):
    """All of `ig4.toml`."""

    db: str | None = None
    dataset: DatasetSection = DatasetSection()
    run: RunSection = RunSection()
    cluster: ClusterSection = ClusterSection()
    select: SelectSection = SelectSection()
    export: ExportSection = ExportSection()
    train: TrainSection = TrainSection()
    ablate: AblateSection = AblateSection()
    learn: LearnSection = LearnSection()
    calls: CallsSection = CallsSection()
    prices: dict[str, PriceSection] = Field(default_factory=dict)
    scorers: Named = Field(default_factory=dict)
    embedders: Named = Field(default_factory=dict)
    groupers: Named = Field(default_factory=dict)
    indexes: Named = Field(default_factory=dict)
    clusterers: Named = Field(default_factory=dict)
    selectors: Named = Field(default_factory=dict)
    executors: Named = Field(default_factory=dict)
    trainers: Named = Field(default_factory=dict)
    judges: Named = Field(default_factory=dict)
    benchmarks: Named = Field(default_factory=dict)

    def choice(self, kind: Kind, label: str) -> Choice:
        """Return the component that a name stands for, with its options."""
        named: Named = getattr(self, "indexes" if kind == "index" else f"{kind}s")
        options = dict(named.get(label, {}))
        use = str(options.pop("use", label))
        return Choice(kind, use, options, label)

    @property
    def call_settings(self) -> CallSettings:
        """How services are asked, with the prices that are known."""
        prices = {name: Price(**price.model_dump()) for name, price in self.prices.items()}
        return CallSettings(**self.calls.model_dump(), prices=prices)


def load(
    path: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    *,
    recipe: str | None = None,
) -> Config:
    """Return the configuration: flags over `ig4.toml` over the recipe over the defaults.

    Without `path`, `ig4.toml` of the working directory is read if there is one; of a `path` called
    "none", no file. Flags are nested mappings like the file's tables; None values are left out.

    Raises:
        ConfigError: the file cannot be read, a name or value is wrong, or it holds a secret; names
            where.
    """
    file = path or Path(FILE)
    layers: Layers = {f"the recipe {recipe}": recipe_values(recipe)}
    try:
        if str(file) != NO_FILE and (path is not None or file.is_file()):
            values = _read(file)
            refuse_keys(values, str(file), _component_tables())
            layers[str(file)] = _rebased(values, file.parent)
        layers[None] = flags or {}
        return _build(layers)
    except RecursionError:
        raise ConfigError(
            f"{file} nests tables or lists too deeply: its tables are one or two levels deep "
            "(`ig4 init` writes an example)"
        ) from None


def recipe_values(name: str | None) -> Mapping[str, JSON]:
    """Return what a recipe sets, given by its name or as a file; None sets nothing.

    Raises:
        ConfigError: there is no such recipe, or the file is none.
    """
    if name is None:
        return {}
    from ig4.core.host.recipes import is_recipe_file, recipe_settings

    return recipe_file(Path(name)).settings if is_recipe_file(name) else recipe_settings(name)


class RecipeFile(NamedTuple):
    """A recipe in a file: tables of `ig4.toml`, and how they came about, if they were learned."""

    settings: Mapping[str, Any]
    learned: Mapping[str, Any]


def recipe_file(path: Path) -> RecipeFile:
    """Return what a file sets as a recipe; its relative paths start at its own folder.

    Raises:
        ConfigError: there is no such file, it is not valid, or sets what is not a recipe's.
    """
    from ig4.core.host.recipes import TABLES

    path = path.expanduser()
    try:
        values = _read(path, "`ig4 recipes` lists those that have a name")
        refuse_keys(values, str(path), _component_tables())
        learned = values.pop(LEARNED, {})
        others = sorted(set(values) - set(TABLES))
        if others or not values:
            what = f"sets {', '.join(others)}" if others else "sets nothing"
            raise ConfigError(f"the recipe {path} {what}: it may set {', '.join(TABLES)}")
        _rebased(values, path.parent)
        build(values, source=f"the recipe {path}")
    except RecursionError:
        raise ConfigError(f"{path} nests tables or lists too deeply") from None
    return RecipeFile(values, learned if isinstance(learned, dict) else {})


LEARNED = "learned"
"""The table of a recipe file that tells what its weights were learned from; it sets nothing."""


def build(*layers: Mapping[str, Any], source: str | None = None) -> Config:
    """Return the configuration that nested mappings make, each over the ones before it.

    Raises:
        ConfigError: a key or value is wrong.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        _merge(merged, layer)
    return _build({source or "the configuration": merged})


def _build(layers: Layers) -> Config:
    """Return the configuration of layers by their source; None are flags.

    Raises:
        ConfigError: a key or value is wrong; names the layer that it came from.
    """
    merged: dict[str, Any] = {}
    for layer in layers.values():
        _merge(merged, layer)
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_message(error, _source(layers, error.errors()[0]["loc"]))) from None


def _source(layers: Layers, path: tuple[int | str, ...]) -> str | None:
    """Return the layer that the value at a path came from, or that of the table that lacks it."""
    for length in range(len(path), 0, -1):
        for source, layer in reversed(layers.items()):
            if _has(layer, path[:length]):
                return source
    return next(iter(layers))


def _has(layer: Any, path: tuple[int | str, ...]) -> bool:
    """Tell whether a layer sets what stands at a path, or what lies above it."""
    for key in path:
        if not isinstance(layer, Mapping):
            break
        layer = layer.get(str(key))
    return layer is not None


_FLAGS = {
    ("dataset", "path"): "DATASET",
    ("export", "path"): "--out",
    ("export", "format"): "--out-format",
    ("calls", "requests_per_minute"): "--rpm",
    ("calls", "tokens_per_minute"): "--tpm",
}
"""Flags that are not called as the key that they set."""


def _flag(path: tuple[int | str, ...]) -> str:
    table, key = (*map(str, path), "", "")[:2]
    return _FLAGS.get((table, key), f"--{key.replace('_', '-')}")


def _read(file: Path, hint: str = "`ig4 init` writes one") -> dict[str, Any]:
    try:
        with open_file(file) as opened:
            text = read_bounded(opened, _MAX_BYTES).decode("utf-8-sig")  # editors may set a mark
        return tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigError(f"there is no {file}: {hint}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from None


def _rebased(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Let relative paths of the file start at the file's own folder."""
    for table, keys in {
        "dataset": ("path", "image_root"),
        "select": ("keep", "drop"),
        "export": ("path",),
        "train": ("path",),
        "ablate": ("output", "image_root"),
        "learn": ("out",),
    }.items():
        section = values.get(table)
        for key in keys:
            if isinstance(section, dict) and isinstance(section.get(key), str):
                if table == "dataset" and _is_elsewhere(section[key]):
                    section[key] = place_of(section[key])
                    continue
                section[key] = str(folder / Path(section[key]).expanduser())
    arms = values.get("ablate", {}).get("arms") if isinstance(values.get("ablate"), dict) else None
    for arm in arms.values() if isinstance(arms, dict) else ():
        if isinstance(arm, dict) and isinstance(arm.get("recipe"), str):
            arm["recipe"] = _found(arm["recipe"], folder)
    for table in _component_tables():
        named = values.get(table)
        for options in named.values() if isinstance(named, dict) else ():
            if isinstance(options, dict):
                options.update({k: _found(v, folder) for k, v in options.items() if k != "use"})
    if isinstance(values.get("db"), str) and "://" not in values["db"]:
        values["db"] = str(folder / Path(values["db"]).expanduser())
    return values


def _is_elsewhere(text: str) -> bool:
    return is_address(text) or text[:7].lower() == "file://"


def _component_tables() -> list[str]:
    return [name for name, field in Config.model_fields.items() if field.annotation == Named]


def _found(value: Any, folder: Path) -> Any:
    """Return an option's value; a file or folder that it names is taken from the file's folder.

    Only a component knows which of its options are paths, and many take a name or a path.
    """
    if not isinstance(value, str) or not value or "\0" in value:
        return value
    path = folder / value
    is_path = path.is_file() or ("/" in value and path.is_dir())
    return str(path) if is_path else value


_MAX_BYTES = 1 << 24  # of a configuration file

_WHOLE = frozenset({("select", "weights")})
"""Tables that a nearer layer replaces as a whole: what it names is all."""

_ONE_OF: Mapping[tuple[str, ...], tuple[str, str]] = {
    ("select",): ("size", "fraction"),
    ("learn",): ("size", "fraction"),
}
"""Keys of a table of which the nearer layer's one counts: --size over a file's fraction."""


def _merge(below: dict[str, Any], above: Mapping[str, Any], path: tuple[str, ...] = ()) -> None:
    if len(path) == 2 and path[0] in _component_tables():
        model = above.get("model")
        if model is not None and below.get("model") not in (None, model):
            below.pop("pretrained", None)  # weights of the other model
    pair = _ONE_OF.get(path)
    for first, second in (pair, pair[::-1]) if pair else ():
        if above.get(first) is not None and above.get(second) is None:
            below.pop(second, None)
    for key, value in above.items():
        here = (*path, key)
        if isinstance(value, Mapping) and here in _WHOLE:
            if value:
                below[key] = dict(value)
            continue
        if isinstance(value, Mapping):
            table = below.setdefault(key, {})
            if isinstance(table, dict):
                _merge(table, value, here)
                continue
        if value is not None:
            below[key] = value


def _message(error: ValidationError, source: str | None) -> str:
    """Return what is wrong; without a source, a flag is."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = list(Config.model_fields)
        section = getattr(Config(), str(first["loc"][0]), None)
        if len(first["loc"]) == 2 and isinstance(section, BaseModel):
            known = list(type(section).model_fields)
        elif first["loc"][0] == "prices":
            known = list(PriceSection.model_fields)
        guess = did_you_mean(str(first["loc"][-1]), known)
        return f"{source or 'the flags'}: unknown key {where}{guess}"
    if source is None:
        return f"{_flag(first['loc'])}: {first['msg']}"
    return f"{source}: {where}: {first['msg']}"
