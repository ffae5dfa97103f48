"""Tiny models of several families, with processors and chat templates of their ways of talking."""

from __future__ import annotations

from pathlib import Path

from .tiny_models import CHATML, fast_tokenizer, make_hf, make_qwen, seeded

SIDE, PATCH = 16, 8
VISION = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": SIDE, "patch_size": PATCH,
}  # fmt: skip
TEXT = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 1024,
}  # fmt: skip

SMOL = (
    "<|im_start|>{% for m in messages %}{{ m['role'] | capitalize }}:"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>"
    "{% else %} {{ c['text'] }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""Speakers by name, one mark at the beginning of it all, which the tokenizer would put again."""

GEMMA = (
    "{{ bos_token }}{% for m in messages %}"
    "{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate, beginning with the user') }}{% endif %}"
    "<start_of_turn>{{ role }}\n{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<start_of_image>{% else %}{{ c['text'] | trim }}{% endif %}"
    "{% endfor %}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
"""Texts without the space around them, roles of other names, BOS written by the template."""

THINKING = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['role'] == 'assistant' and not loop.last %}<past>{% endif %}"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
"""Writes earlier answers otherwise than the last, and begins an answer with a thought."""


def _saved(folder: Path, model, processor) -> Path:
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def make_smol(folder: Path) -> Path:
    """An Idefics3, as SmolVLM is one: images cut into tiles, each with marks of its row."""
    import transformers

    marks = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>",
             *(f"<row_{i}_col_{j}>" for i in range(1, 7) for j in range(1, 7))]  # fmt: skip
    tokenizer = fast_tokenizer(marks)
    tokenizer.bos_token = "<|im_start|>"
    config = transformers.Idefics3Config(
        vision_config=VISION,
        text_config={"model_type": "llama", **TEXT, "vocab_size": len(tokenizer),
                     "pad_token_id": tokenizer.pad_token_id},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"), scale_factor=2,
        pad_token_id=tokenizer.pad_token_id, tie_word_embeddings=False,
    )  # fmt: skip
    images = transformers.Idefics3ImageProcessor(
        size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}
    )
    processor = transformers.Idefics3Processor(
        images, tokenizer, image_seq_len=1, chat_template=SMOL
    )
    model = seeded(lambda: transformers.Idefics3ForConditionalGeneration(config))
    return _saved(folder, model, processor)


def make_gemma(folder: Path) -> Path:
    """A Gemma 3, whose image tokens see each other."""
    import transformers

    marks = ["<bos>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>",
             "<image_soft_token>"]  # fmt: skip
    made = fast_tokenizer(marks)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=_beginning(made), eos_token="<end_of_turn>", pad_token="<|endoftext|>",
        bos_token="<bos>",
        extra_special_tokens={"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>",
                              "image_token": "<image_soft_token>"},
    )  # fmt: skip
    config = transformers.Gemma3Config(
        vision_config={"model_type": "siglip_vision_model", **VISION},
        text_config={**TEXT, "vocab_size": len(tokenizer), "sliding_window": 512},
        image_token_index=tokenizer.convert_tokens_to_ids("<image_soft_token>"),
        boi_token_index=tokenizer.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=tokenizer.convert_tokens_to_ids("<end_of_image>"), mm_tokens_per_image=4,
    )  # fmt: skip
    images = transformers.Gemma3ImageProcessor(size={"height": SIDE, "width": SIDE})
    processor = transformers.Gemma3Processor(
        images, tokenizer, chat_template=GEMMA, image_seq_length=4
    )
    model = seeded(lambda: transformers.Gemma3ForConditionalGeneration(config))
    return _saved(folder, model, processor)


def _beginning(tokenizer):
    """Let a tokenizer put <bos> in front of every text, as Gemma's does."""
    import tokenizers

    inside = tokenizer.backend_tokenizer
    inside.post_processor = tokenizers.processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", inside.token_to_id("<bos>"))]
    )
    return inside


def make_intern(folder: Path) -> Path:
    """An InternVL, whose images stand as many context tokens between two marks."""
    import transformers

    marks = ["<img>", "</img>", "<IMG_CONTEXT>", "<video>"]
    names = ("start_image_token", "end_image_token", "context_image_token", "video_token")
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=fast_tokenizer(marks).backend_tokenizer, eos_token="<|im_end|>",
        pad_token="<|endoftext|>", extra_special_tokens=dict(zip(names, marks, strict=True)),
    )  # fmt: skip
    config = transformers.InternVLConfig(
        vision_config={**VISION, "image_size": [SIDE, SIDE], "patch_size": [PATCH, PATCH]},
        text_config={"model_type": "qwen2", **TEXT, "vocab_size": len(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"), downsample_ratio=0.5,
    )  # fmt: skip
    images = transformers.GotOcr2ImageProcessor(
        size={"height": SIDE, "width": SIDE}, crop_to_patches=True, max_patches=4
    )
    processor = transformers.InternVLProcessor(
        images, tokenizer, transformers.InternVLVideoProcessor(), image_seq_length=1,
        chat_template=CHATML.replace("IMAGE_MARK", "<IMG_CONTEXT>\n"),
    )  # fmt: skip
    model = seeded(lambda: transformers.InternVLForConditionalGeneration(config))
    return _saved(folder, model, processor)


FAMILIES = {
    "llava": make_hf,
    "qwen2.5-vl": make_qwen,
    "smolvlm": make_smol,
    "gemma3": make_gemma,
    "internvl": make_intern,
}
