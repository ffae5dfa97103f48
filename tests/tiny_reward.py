"""Tiny reward models with random weights, saved as transformers saves them."""

from __future__ import annotations

WORDS = "the a dog cat runs sits on red blue grass house old big with and sky is what shown"
TEMPLATE = "{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }} </s>{% endfor %}"


def tokenizer_of(folder, specials):
    """Train a word-level tokenizer and save it."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    made = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    names = ["[UNK]", *specials.values()]
    made.train_from_iterator([WORDS], trainers.WordLevelTrainer(special_tokens=names))
    if "cls_token" in specials:
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
        )
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="[UNK]", model_max_length=48, **specials
    )
    fast.save_pretrained(folder)
    return fast


def sizes(tokenizer):
    """What both architectures are as small as."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 48,
        "initializer_range": 0.5,  # so that texts get logits that differ
        "num_labels": 1,
    }


def make_deberta(folder):
    """A DeBERTa-v2 that takes pairs of texts."""
    import torch
    import transformers

    specials = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = tokenizer_of(folder, specials)
    config = transformers.DebertaV2Config(
        **sizes(tokenizer),
        type_vocab_size=2,
        relative_attention=True,
        pos_att_type=["p2c", "c2p"],
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.DebertaV2ForSequenceClassification(config).save_pretrained(folder)
    return folder


def make_llama(folder):
    """A decoder with a chat template and no padding token."""
    import torch
    import transformers

    tokenizer = tokenizer_of(folder, {"bos_token": "<s>", "eos_token": "</s>"})
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    config = transformers.LlamaConfig(**sizes(tokenizer), num_key_value_heads=2, pad_token_id=None)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.LlamaForSequenceClassification(config).save_pretrained(folder)
    return folder
