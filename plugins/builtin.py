"""Declares the built-in components; importing it loads none of their libraries."""

from __future__ import annotations

from ig4.core.hookspecs import hookimpl
from ig4.core.records import Component

_AT = "ig4.plugins"
_TRAIN = ("torch", "transformers", "accelerate", "peft", "safetensors", "sentencepiece")
_TORCH = ("torch", "open_clip", "safetensors")

COMPONENTS = (
    Component(
        "scorer",
        "length",
        f"{_AT}.scorers.length:Length",
        "Length of the answer in characters, words or tokens.",
    ),
    Component(
        "scorer",
        "clip",
        f"{_AT}.scorers.clip:Clip",
        "CLIP score: 100 x cosine of image and answer.",
        _TORCH,
        "clip",
    ),
    Component(
        "scorer",
        "reward",
        f"{_AT}.scorers.reward:Reward",
        "Logit of a reward model for instruction and answer.",
        ("torch", "transformers"),
        "reward",
    ),
    Component(
        "scorer",
        "gpt",
        f"{_AT}.scorers.gpt:Gpt",
        "GPT Score: a rating from 0 to 100 by OpenAI's models or compatible servers.",
        ("openai",),
        "gpt",
    ),
    Component(
        "scorer",
        "claude",
        f"{_AT}.scorers.claude:Claude",
        "The same rating by Anthropic's Claude.",
        ("anthropic",),
        "claude",
    ),
    Component(
        "embedder",
        "clip",
        f"{_AT}.embedders.clip:ClipEmbedder",
        "CLIP embeddings of images or texts through open_clip.",
        _TORCH,
        "clip",
        api=2,
        docs="spaces",
    ),
    Component(
        "embedder",
        "text",
        f"{_AT}.embedders.text:Text",
        "Hashed TF-IDF of texts with an SVD, fitted to the data set; needs no model.",
        api=2,
        docs="spaces",
    ),
    Component(
        "embedder",
        "sentence",
        f"{_AT}.embedders.sentence:Sentence",
        "Texts by any sentence encoder through transformers: MiniLM, E5, BGE.",
        ("torch", "transformers"),
        "spaces",
        api=2,
        docs="spaces",
    ),
    Component(
        "embedder",
        "vision",
        f"{_AT}.embedders.vision:Vision",
        "Images by any vision encoder through transformers: DINOv2, SigLIP, ViT.",
        ("torch", "transformers"),
        "spaces",
        api=2,
        docs="spaces",
    ),
    Component(
        "clusterer",
        "kmeans",
        f"{_AT}.clusterers.kmeans:KMeans",
        "k-means with the k-means++ start; mini-batches for large sets.",
        ("sklearn",),
        "clip",
    ),
    Component(
        "clusterer",
        "spectral",
        f"{_AT}.clusterers.spectral:Spectral",
        "Spectral clustering on a nearest-neighbour graph, as in the paper.",
        ("sklearn",),
        "clip",
    ),
    Component(
        "selector",
        "quota",
        f"{_AT}.selectors.quota:Quota",
        "The paper's: each cluster gives its best, in proportion to its size.",
    ),
    Component(
        "selector", "topk", f"{_AT}.selectors.topk:TopK", "The best of all, without clusters."
    ),
    Component(
        "selector",
        "random",
        f"{_AT}.selectors.random:Random",
        "A random choice, the baseline to beat.",
    ),
    Component(
        "trainer",
        "minigpt4",
        f"{_AT}.trainers.minigpt4.trainer:MiniGPT4Trainer",
        "MiniGPT-4's second stage: only the projection learns.",
        _TRAIN,
        "train",
    ),
    Component(
        "trainer",
        "llava",
        f"{_AT}.trainers.llava.trainer:LlavaTrainer",
        "LLaVA-1.5: stage 1, full, or LoRA.",
        _TRAIN,
        "train",
    ),
    Component(
        "trainer",
        "hf",
        f"{_AT}.trainers.hf.trainer:HuggingFaceTrainer",
        "Any image-text-to-text model of transformers: projector, LoRA, or full.",
        _TRAIN,
        "train",
    ),
    Component(
        "judge",
        "gpt",
        f"{_AT}.judges.gpt:GptJudge",
        "Compares two answers with OpenAI's models or compatible servers.",
        ("openai",),
        "gpt",
    ),
    Component(
        "judge",
        "claude",
        f"{_AT}.judges.claude:ClaudeJudge",
        "Compares two answers with Anthropic's Claude.",
        ("anthropic",),
        "claude",
    ),
    Component(
        "judge",
        "reference",
        f"{_AT}.judges.reference:Reference",
        "Compares two answers by their overlap with a reference, without any service.",
    ),
    Component(
        "benchmark",
        "scienceqa",
        f"{_AT}.benchmarks.scienceqa:ScienceQa",
        "ScienceQA: test questions with an image, as LVLM-eHub scores them.",
    ),
    Component(
        "benchmark",
        "okvqa",
        f"{_AT}.benchmarks.okvqa:Okvqa",
        "OK-VQA: 5,046 questions that need knowledge, as LVLM-eHub scores them.",
    ),
    Component(
        "benchmark",
        "vsr",
        f"{_AT}.benchmarks.vsr:VisualSpatialReasoning",
        "VSR: is this caption of a spatial relation right?",
    ),
    Component(
        "benchmark",
        "vcr-oc",
        f"{_AT}.benchmarks.vcr:ObjectCounting",
        "VCR-OC of GVT-bench: how many are there? 10,000 questions.",
    ),
    Component(
        "benchmark",
        "vcr-mci",
        f"{_AT}.benchmarks.vcr:MultiClassIdentification",
        "VCR-MCI of GVT-bench: is there one? 10,000 questions.",
    ),
    Component(
        "benchmark",
        "flickr30k",
        f"{_AT}.benchmarks.flickr30k:Flickr30k",
        "Flickr30k: CIDEr-D of captions of 1,000 images.",
    ),
    Component(
        "benchmark",
        "nocaps",
        f"{_AT}.benchmarks.nocaps:NoCaps",
        "NoCaps: CIDEr-D of captions of 4,500 images.",
    ),
    Component(
        "benchmark",
        "llava-bench",
        f"{_AT}.benchmarks.llavabench:LlavaBench",
        "LLaVA-Bench: 60 open questions, for `ig4 judge`.",
    ),
    Component(
        "benchmark",
        "vqa",
        f"{_AT}.benchmarks.vqa:Vqa",
        "Questions of your own with their right answers.",
    ),
    Component(
        "benchmark",
        "caption",
        f"{_AT}.benchmarks.caption:Caption",
        "Captions of your own images: CIDEr-D, ROUGE-L, BLEU.",
    ),
    Component(
        "format",
        "minigpt4",
        f"{_AT}.formats.minigpt4:MiniGPT4",
        "MiniGPT-4: filter_cap.json beside image/<id>.jpg.",
    ),
    Component(
        "format",
        "llava",
        f"{_AT}.formats.llava:Llava",
        "LLaVA JSON: conversations with <image> tokens.",
    ),
    Component(
        "format",
        "sharegpt",
        f"{_AT}.formats.sharegpt:ShareGPT",
        "ShareGPT / LLaMA-Factory: messages and images.",
    ),
    Component(
        "format", "jsonl", f"{_AT}.formats.jsonl:JsonLines", "JSON lines with a column mapping."
    ),
    Component("format", "csv", f"{_AT}.formats.csv:Csv", "CSV or TSV with a column mapping."),
    Component(
        "format",
        "parquet",
        f"{_AT}.formats.parquet:Parquet",
        "Parquet files with a column mapping.",
        ("pyarrow",),
        "parquet",
    ),
    Component(
        "format",
        "hf",
        f"{_AT}.formats.hf:HuggingFace",
        "A Hugging Face datasets folder (save_to_disk).",
        ("pyarrow",),
        "parquet",
    ),
    Component("executor", "local", f"{_AT}.executors.local:Local", "Batches run in this process."),
    Component(
        "executor",
        "ray",
        f"{_AT}.executors.ray:Ray",
        "Batches run on a Ray cluster.",
        ("ray",),
        "ray",
    ),
)


@hookimpl
def ig4_components() -> tuple[Component, ...]:
    """Declare everything that ig4 brings itself."""
    return COMPONENTS
