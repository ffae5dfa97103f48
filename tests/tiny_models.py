"""Tiny vision-language models with random weights, saved as the real ones are."""

from __future__ import annotations

import io
from pathlib import Path

TEXT = [
    "The image shows a small red boat on a calm lake with green hills behind it.",
    "Two children are playing with a grey cat under an old tree in the snow.",
    "What is the animal doing in this picture? Describe this image in detail.",
    "A chat between a curious user and an artificial intelligence assistant. ASSISTANT: USER:",
    "###Human: <Img></Img> Take a look at this image and describe what you notice. ###Assistant:",
    "The sky is blue with a few white clouds, and the sun is low. No, yes, 0123456789.",
]
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}IMAGE_MARK"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PATCH, SIDE = 8, 16


def seeded(make):
    """Make a model of weights that differ and do not change from run to run."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make()
        for value in model.parameters():
            torch.nn.init.normal_(value, std=0.3)
    return model.eval()


def make_llama(folder: Path) -> Path:
    """A Llama of two layers with a SentencePiece tokenizer trained on a few sentences."""
    import sentencepiece
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT * 4), model_writer=written, vocab_size=400,
        model_type="bpe", byte_fallback=True, character_coverage=1.0, minloglevel=2,
        normalization_rule_name="identity", remove_extra_whitespaces=False, unk_id=0, bos_id=1,
        eos_id=2, pad_id=-1,
    )  # fmt: skip
    (folder / "tokenizer.model").write_bytes(written.getvalue())
    seeded(lambda: transformers.LlamaForCausalLM(llama_config())).save_pretrained(folder)
    return folder


def llama_config(vocabulary=400):
    import transformers

    return transformers.LlamaConfig(
        vocab_size=vocabulary, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=1024,
    )  # fmt: skip


def clip_config():
    import transformers

    return transformers.CLIPVisionConfig(
        hidden_size=24, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2,
        image_size=SIDE, patch_size=PATCH,
    )  # fmt: skip


def make_minigpt4(folder: Path, llama: Path) -> Path:
    """All of MiniGPT-4 but its language model, as ig4 saves it."""
    import transformers

    from ig4.plugins.trainers.minigpt4.build import save_model
    from ig4.plugins.trainers.minigpt4.model import MiniGPT4, Sizes

    sizes = Sizes(
        {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2,
         "num_attention_heads": 2, "image_size": SIDE, "patch_size": PATCH},
        {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 24},
        4,
    )  # fmt: skip
    llm = transformers.LlamaForCausalLM.from_pretrained(llama)
    save_model(seeded(lambda: MiniGPT4(sizes, llm)), folder)
    return folder


def make_llava(folder: Path, llama: Path) -> Path:
    """A LLaVA of a tiny CLIP and the tiny Llama."""
    import shutil

    import transformers

    config = transformers.LlavaConfig(vision_config=clip_config(), text_config=llama_config())
    seeded(lambda: transformers.LlavaForConditionalGeneration(config)).save_pretrained(folder)
    shutil.copyfile(llama / "tokenizer.model", folder / "tokenizer.model")
    return folder


def make_clip(folder: Path) -> Path:
    """The vision tower of a LLaVA, on its own."""
    import transformers

    seeded(lambda: transformers.CLIPVisionModel(clip_config())).save_pretrained(folder)
    return folder


def fast_tokenizer(specials):
    """A byte-level BPE tokenizer trained on a few sentences."""
    import tokenizers
    import transformers

    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>", *specials],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
    )  # fmt: skip
    made.train_from_iterator(TEXT, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )


def make_hf(folder: Path) -> Path:
    """A model of LLaVA's kind with a processor and a chat template, for the trainer `hf`."""
    import transformers

    tokenizer = fast_tokenizer(["<image>"])
    config = transformers.LlavaConfig(
        vision_config=clip_config(), text_config=llama_config(len(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    model = seeded(lambda: transformers.LlavaForConditionalGeneration(config))
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    images = transformers.CLIPImageProcessor(
        size={"height": SIDE, "width": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    transformers.LlavaProcessor(
        images, tokenizer, patch_size=PATCH, vision_feature_select_strategy="default",
        chat_template=CHATML.replace("IMAGE_MARK", "<image>"), image_token="<image>",
        num_additional_image_tokens=1,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def make_qwen(folder: Path) -> Path:
    """A Qwen2.5-VL, whose images have as many tokens as they are large."""
    import transformers

    marks = ["<|vision_start|>", "<|image_pad|>", "<|vision_end|>", "<|video_pad|>"]
    tokenizer = fast_tokenizer(marks)
    ids = dict(zip(marks, tokenizer.convert_tokens_to_ids(marks), strict=True))
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 48,
            "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2,
            "max_position_embeddings": 1024,
            "rope_scaling": {"type": "mrope", "rope_type": "default", "mrope_section": [2, 3, 3]},
        },
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2,
            "patch_size": 8, "spatial_merge_size": 2, "temporal_patch_size": 2,
            "out_hidden_size": 32, "window_size": 32, "fullatt_block_indexes": [1],
        },
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
    )  # fmt: skip
    model = seeded(lambda: transformers.Qwen2_5_VLForConditionalGeneration(config))
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    mark = "".join(marks[:3])
    template = CHATML.replace("IMAGE_MARK", mark)
    images = transformers.Qwen2VLImageProcessor(
        patch_size=8, temporal_patch_size=2, merge_size=2, min_pixels=256, max_pixels=4096
    )
    tokenizer.image_token, tokenizer.video_token = "<|image_pad|>", "<|video_pad|>"
    transformers.Qwen2_5_VLProcessor(
        images, tokenizer, transformers.Qwen2VLVideoProcessor(patch_size=8),
        chat_template=template,
    ).save_pretrained(folder)  # fmt: skip
    return folder
