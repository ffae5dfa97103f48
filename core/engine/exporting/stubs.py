"""What other trainers need beside the data: a configuration that trains on it as it is.

Keys were checked against LLaMA-Factory 0.9.5, ms-swift 4.6 and TRL 1.16.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ig4.core.errors import UsageError
from ig4.core.files.writing.atomic import replacing
from ig4.core.records import JSON

Entry = Mapping[str, JSON]
MODEL = "Qwen/Qwen2.5-VL-3B-Instruct"

LLAMA_FACTORY = """\
# pip install llamafactory; cd into this folder, then: llamafactory-cli train train.yaml
model_name_or_path: {model}
template: qwen2_vl            # the one of your model: see the list in LLaMA-Factory's README
image_max_pixels: 262144

stage: sft
do_train: true
finetuning_type: lora
lora_rank: 16
lora_target: all

dataset_dir: .
media_dir: .
dataset: ig4
cutoff_len: 4096

output_dir: output
num_train_epochs: 3.0
per_device_train_batch_size: 1
gradient_accumulation_steps: 16
learning_rate: 1.0e-4
lr_scheduler_type: cosine
bf16: true
logging_steps: 1
save_steps: 200
report_to: none
"""

SWIFT = """\
# pip install ms-swift; cd into this folder, then: swift sft train.yaml
model: {model}
use_hf: true
dataset: [data.jsonl]
split_dataset_ratio: 0

tuner_type: lora
lora_rank: 16
lora_alpha: 32
target_modules: all-linear
max_length: 4096

output_dir: output
num_train_epochs: 3
per_device_train_batch_size: 1
gradient_accumulation_steps: 16
learning_rate: 1.0e-4
lr_scheduler_type: cosine
torch_dtype: bfloat16
logging_steps: 1
save_steps: 200
report_to: none

ENV:
  MAX_PIXELS: 262144
"""

TRL = '''\
"""Trains with TRL on the samples beside this file.

pip install trl peft, then: python train.py [MODEL]
"""

import json
import sys
from pathlib import Path

import torch
from datasets import Dataset, Features, Image, List, Value
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

HERE = Path(__file__).resolve().parent
MODEL = sys.argv[1] if len(sys.argv) > 1 else {model}


def example(line):
    """The last answer is learned; everything before it is the prompt."""
    record = json.loads(line)
    turns = [
        {{"role": turn["role"], "content": turn["content"].replace("<image>", "")}}
        for turn in record["messages"]
    ]
    last = max(i for i, turn in enumerate(turns) if turn["role"] == "assistant")
    images = [str(HERE / name) for name in record.get("images", [])]
    return {{"prompt": turns[:last], "completion": [turns[last]], "images": images}}


if __name__ == "__main__":
    messages = List({{"role": Value("string"), "content": Value("string")}})
    rows = [example(line) for line in (HERE / "data.jsonl").open(encoding="utf-8")]
    SFTTrainer(
        model=MODEL,
        train_dataset=Dataset.from_list(
            rows,
            features=Features(
                {{"prompt": messages, "completion": messages, "images": List(Image())}}
            ),
        ),
        peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear"),
        args=SFTConfig(
            output_dir=str(HERE / "output"),
            num_train_epochs=3,
            per_device_train_batch_size=1,
            gradient_accumulation_steps=16,
            learning_rate=1e-4,
            lr_scheduler_type="cosine",
            bf16=torch.cuda.is_available(),
            max_length=None,
            logging_steps=1,
            report_to="none",
        ),
    ).train()
'''


_ENTRY: Mapping[str, JSON] = {
    "file_name": "data.json",
    "formatting": "sharegpt",
    "columns": {"messages": "messages", "images": "images"},
    "tags": {
        "role_tag": "role", "content_tag": "content", "user_tag": "user",
        "assistant_tag": "assistant", "observation_tag": "tool", "system_tag": "system",
    },
}  # fmt: skip


def _llama_factory(folder: Path, model: str, images: bool, entry: Entry | None) -> list[Path]:
    described = dict(entry or _ENTRY)
    columns: Any = described["columns"]
    if not images:
        described["columns"] = {key: name for key, name in columns.items() if key != "images"}
    info = json.dumps({"ig4": described}, indent=2) + "\n"
    return [
        _written(folder / "dataset_info.json", info),
        _written(folder / "train.yaml", LLAMA_FACTORY.format(model=json.dumps(model))),
    ]


def _swift(folder: Path, model: str, _: bool, entry: Entry | None) -> list[Path]:
    _refuse_names("swift", entry)
    return [_written(folder / "train.yaml", SWIFT.format(model=json.dumps(model)))]


def _trl(folder: Path, model: str, _: bool, entry: Entry | None) -> list[Path]:
    _refuse_names("trl", entry)
    return [_written(folder / "train.py", TRL.format(model=json.dumps(model)))]


def _refuse_names(trainer: str, entry: Entry | None) -> None:
    if entry is not None:
        raise UsageError(
            f"--for {trainer} reads messages by their usual names: leave the options of the "
            "export that name keys and speakers away"
        )


DATA: Mapping[str, str] = {
    "llamafactory": "data.json",
    "swift": "data.jsonl",
    "trl": "data.jsonl",
}
"""The trainers that a data set can be written for, and what its file is then called."""

_STUBS: Mapping[str, Callable[[Path, str, bool, Entry | None], list[Path]]] = {
    "llamafactory": _llama_factory,
    "swift": _swift,
    "trl": _trl,
}


def write_stub(
    trainer: str,
    folder: Path,
    model: str | None = None,
    *,
    images: bool = True,
    entry: Entry | None = None,
) -> list[Path]:
    """Write what a trainer needs beside the data in `folder`; returns the files.

    `images` tells whether any record has some: LLaMA-Factory stops at a column that no record has.
    `entry` says what keys and speakers are called where that is not usual; see `Format.describe`.

    Raises:
        DatasetError: it cannot be written.
        UsageError: this trainer cannot be told what keys are called.
    """
    return _STUBS[trainer](folder, model or MODEL, images, entry)


def _written(path: Path, text: str) -> Path:
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path
