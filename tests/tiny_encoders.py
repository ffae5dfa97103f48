"""Tiny encoders of texts and images with random weights, saved as transformers saves them."""

from __future__ import annotations

import json

from .tiny_reward import sizes, tokenizer_of

SIDE = 16
_VISION = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": SIDE, "patch_size": 8, "initializer_range": 0.5,
}  # fmt: skip


def _seeded(make):
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def make_sentence(folder, *, pooling="mean_tokens", normalize=True, **settings):
    """A BERT with the files of sentence-transformers; `settings` are those of its prompts."""
    import transformers

    tokenizer = tokenizer_of(
        folder, {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    )
    own = {name: value for name, value in sizes(tokenizer).items() if name != "num_labels"}
    config = transformers.BertConfig(**own, pad_token_id=tokenizer.pad_token_id)
    _seeded(lambda: transformers.BertModel(config)).save_pretrained(folder)
    kinds = ["Transformer", "Pooling", *(["Normalize"] if normalize else [])]
    paths = ["", "1_Pooling", "2_Normalize"]
    modules = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, (kind, path) in enumerate(zip(kinds, paths, strict=False))
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{pooling}": True}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 24}))
    if settings:
        (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    return folder


def _processor(folder):
    import transformers

    size = {"height": SIDE, "width": SIDE}
    transformers.ViTImageProcessor(size=size).save_pretrained(folder)
    return folder


def make_dinov2(folder):
    """A DINOv2, whose vector is its normalised first token."""
    import transformers

    settings = {k: v for k, v in _VISION.items() if k != "intermediate_size"}
    config = transformers.Dinov2Config(**settings, mlp_ratio=2)
    _seeded(lambda: transformers.Dinov2Model(config)).save_pretrained(folder)
    return _processor(folder)


def make_siglip(folder):
    """A SigLIP of two towers, of which the embedder takes the one of images."""
    import transformers

    vision = {k: v for k, v in _VISION.items() if k != "initializer_range"}
    text = {
        "vocab_size": 50, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": 16,
    }  # fmt: skip
    config = transformers.SiglipConfig(vision_config=vision, text_config=text)
    _seeded(lambda: transformers.SiglipModel(config)).save_pretrained(folder)
    return _processor(folder)


def make_vit(folder, *, pooler=True):
    """A ViT, with or without the weights of its pooler."""
    import transformers

    config = transformers.ViTConfig(**_VISION)
    model = _seeded(lambda: transformers.ViTModel(config, add_pooling_layer=pooler))
    model.save_pretrained(folder)
    return _processor(folder)


def make_convnext(folder):
    """A ConvNeXt, which has no tokens."""
    import transformers

    config = transformers.ConvNextConfig(
        hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, patch_size=4, image_size=SIDE
    )
    _seeded(lambda: transformers.ConvNextModel(config)).save_pretrained(folder)
    return _processor(folder)
