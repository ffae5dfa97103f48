"""`ig4 init`: write a commented ig4.toml."""

from __future__ import annotations

from pathlib import Path

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.cli.terminal.template import filled

TEMPLATE = """\
# ig4.toml: the settings of `ig4 run` in this folder. Flags of a command override them;
# commented settings show the default. `ig4 plugins show NAME` lists the options of a component.
# Relative paths start at the folder of this file.

# db = "ig4.db"                    # or postgresql://user@host/name

[dataset]
{path}
# name = "my-data"                 # default: the name of the file or folder
# format = "llava"                 # default: detected (see `ig4 plugins list --kind format`)
# encoding = "utf-8"               # some published files are gb18030
# instruction = "Describe this image in detail."   # for records without one
# image_root = "/mnt/images"       # additional folder, or address, to read images from
# fetch_images = "none"            # public: fetch images that records name by http(s) address
# duplicate_ids = "number"         # repeated ids become a#2, a#3; or "error"
# [dataset.options]                # of the format: see `ig4 plugins show llava`
# split = "train"

[run]
scorers = ["clip", "length"]
# spaces = ["text"]                # vectors to compute beside those that are needed anyway
# embedder = "clip"                # clusters are computed from its image embeddings
# index = "auto"                   # exact; for many rows faiss, which may miss a few neighbours
# executor = "local"               # or "ray"
# check = true                     # false: computed scores are not checked (docs/checking.md)
# report = true                    # false: no page about the selection is written (docs/report.md)
# seed = 42

[scorers.clip]
model = "ViT-B-32"
pretrained = "laion2b_s34b_b79k"
# precision = "auto"               # bf16 or fp16 where the hardware is fast at it, else fp32

# One component can be used under several names:
# [scorers.clip-l]
# use = "clip"
# model = "ViT-L-14"
# pretrained = "laion2b_s32b_b82k"

# [scorers.gpt]                    # set its key in OPENAI_API_KEY, not here
# model = "gpt-4o-mini"
# base_url = "http://localhost:8000/v1"   # vLLM, Ollama, llama.cpp, a proxy
# prompt = "prompt.txt"            # another prompt, with {{instruction}} and {{answer}}

# [calls]                          # limits of calls to language models
# concurrency = 16
# requests_per_minute = 500
# tokens_per_minute = 200000
# attempts = 10                    # of one request, if the service is busy or fails
# stop_after = 50                  # failures in a row; 0: never
# max_cost = 5.00                  # US dollars per run
# max_calls = 1000                 # requests per run
# batch = true                     # half the price, replies within a day
# wait = true                      # for batches; false: the next run collects them
# poll_seconds = 30.0              # between two looks at a batch

# [prices."my-model"]              # US dollars per million tokens, if ig4 knows none
# input = 0.15
# output = 0.60
# cached = 0.075                   # of tokens that the service has in its cache
# batch = 0.5                      # share of the price that a batch costs

[cluster]
clusterer = "spectral"             # kmeans, spectral, or none
k = 10
# space = "text"                   # default: the images, by the embedder of [run]

[select]
# selector = "quota"               # `ig4 plugins list --kind selector` lists all
# groups = "auto"                  # by which the mix of a selection is told: source, form, clusters
# within = "form"                  # scale scores within these groups
# combine = "sum"                  # or product, mean-rank, vote, min
# A funnel before the selector, of stages that reject, dedup or take (docs/selection.md):
# stages = [{{ do = "dedup" }}, {{ do = "reject", tails = {{ clip = [25, 100] }} }}]
# Samples that are selected whatever they score, and such as never are (docs/selections.md):
# keep = "good.txt"                # ids in a file, or a list of them
# drop = ["12", "34"]
# keep_sql = "SELECT external_id FROM selections_wide WHERE selection = 'best'"
# drop_sql = "SELECT external_id FROM scores_wide WHERE clip < 20"
# pins = false                     # true: also what is pinned in the database
fraction = 0.06                    # or size = 200
scale = "paper"                    # paper, minmax, percentile or zscore
# missing = "skip"                 # or "error": for samples without a score

[select.weights]                   # F(x) = sum of weight x percent
clip = 0.53
length = 0.10

[export]
# path = "selected/llava.json"
# format = "llava"                 # default: that of the data set
# images = "link"                  # or copy, none
# problems = "leave"               # or "keep": samples with a problem, in the data set's own format
# overwrite = false                # true: also files that ig4 did not write
# [export.options]                 # of the format: see `ig4 plugins show csv`
# encoding = "utf-8"

# [train]                          # `ig4 train`: fine-tune on the selection
# trainer = "minigpt4"             # or llava, hf
# selection = "last"               # or its number, or "all"
# path = "trained/mine"            # default: a folder in trained/
# missing = "error"                # or "skip": samples that cannot be trained on
# [trainers.minigpt4]              # see `ig4 plugins show minigpt4`
# llm = "/models/vicuna-7b"
# vit = "/models/eva_vit_g.pth"
# qformer = "/models/blip2_pretrained_flant5xxl.pth"
# checkpoint = "/models/pretrained_minigpt4_7b_stage1.pth"

# [ablate]                         # `ig4 ablate`: compare selections (docs/ablations.md)
# compare = ["all", "random", "ig4", "no-clusters", "single"]
# benchmarks = ["vqa"]
# seeds = 5
# size = 200                       # samples of each arm; default: as [select] says
# trainer = "hf"                   # default: that of [train]
# steps = 100                      # of each training, however many samples it has
# limit = 500                      # questions of each benchmark
# batch_size = 8                   # questions that are answered at once
# jobs = 2                         # trainings at once; default: one for each device
# output = "ablations"             # folder of the trainings
# image_root = "/mnt/images"       # folder of the benchmarks' images
# keep_checkpoints = false         # true: also of arms that are evaluated
# retry_failed = false             # true: ask questions again that have no answer
# [ablate.factors]                 # what the tables show a benchmark's values times
# vqa = 100.0
# [ablate.arms.longest]            # an arm of your own; the rest is as in the tables above
# selection = "selected"           # or random, all, none
# recipe = "balanced"              # lies under the arm's own settings
# selector = "topk"
# scorers = ["length"]
# weights = {{ length = 1.0 }}
# scale = "paper"
# clusterer = "none"
# k = 10
# size = 200
# fraction = 0.06                  # in the place of size
# options = {{}}                     # of the trainer

# [learn]                          # `ig4 learn-weights`: weights from trainings on subsets
# benchmarks = ["dev"]             # development questions: never those that you test on
# metric = "dev.accuracy"          # default: the headline
# lower_is_better = false          # true: of a loss
# indicators = ["clip", "length"]  # default: the scorers of [run], or all with scores
# subsets = 40                     # default: ten for each indicator
# size = 200                       # samples of a subset; default: as [ablate] and [select] say
# fraction = 0.06                  # in the place of size
# within = "auto"                  # grouper whose mix all subsets keep, or "none"
# bins = 5                         # of an indicator, with shares that differ between subsets
# concentration = 0.5              # of these shares: less makes subsets more different
# seeds = 1                        # trainings of each subset
# keep = "all"                     # "clear": only indicators that have an effect beyond doubt
# trainer = "hf"                   # default: that of [ablate] or [train]
# name = "learned"                 # of the recipe
# out = "learned.toml"             # the recipe's file; default: its name

# [benchmarks.vqa]                 # see `ig4 plugins show vqa`
# questions = "test.jsonl"

# [benchmarks.okvqa]               # `ig4 eval`: see `ig4 plugins show okvqa`
# questions = "/data/okvqa/OpenEnded_mscoco_val2014_questions.json"
# annotations = "/data/okvqa/mscoco_val2014_annotations.json"
# images = "/data/coco/val2014"
"""


@click.command(
    epilog="""\b
Examples:
  ig4 init data/cc_sbu_align
  ig4 init llava.json --recipe balanced
"""
)
@click.argument("dataset", required=False)
@click.option("--recipe", metavar="NAME", help="Write the settings of a method; see `ig4 recipes`.")
@click.option("--force", is_flag=True, help="Overwrite an existing ig4.toml.")
@opt.as_json
def init(dataset: str | None, recipe: str | None, force: bool, as_json: bool) -> None:
    """Write a commented ig4.toml."""
    from ig4.core import config as configuration

    target = Path(configuration.FILE)
    settings = configuration.recipe_values(recipe)
    configuration.build(settings)
    text = TEMPLATE.format(**_values(dataset))
    text = text if recipe is None else filled(text, settings)
    _write(target, text, force=force)
    if as_json:
        render.print_json({"written": str(target.absolute())})
    else:
        click.echo(f"{target} written; edit it, then: ig4 run")


def _write(target: Path, text: str, *, force: bool) -> None:
    """Write a new file; an existing one, or a link, is replaced only with `force`.

    Raises:
        UsageError: there is one already.
        DatasetError: it cannot be written.
    """
    from ig4.core.errors import DatasetError, UsageError
    from ig4.core.files.writing.atomic import replacing

    if force:
        with replacing(target) as partial:
            partial.write_text(text, encoding="utf-8")
        return
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"there is an {target} here already; --force overwrites it") from None
    except OSError as error:
        raise DatasetError(f"{target} cannot be written: {error.strerror or error}") from None


def _values(dataset: str | None) -> dict[str, str]:
    # TOML strings are JSON strings, except for surrogate pairs.
    path = render.json_text(dataset) if dataset else '"path/to/data"'
    return {"path": f"path = {path}" if dataset else f"# path = {path}"}
