"""Tokenizers turn texts into tokens and back as the original models do."""

from __future__ import annotations

import pytest

from ig4.core.errors import PrerequisiteError
from ig4.plugins.models.tokenizer import SentencePieceTokenizer, load_tokenizer, stop_sequences
from ig4.plugins.training.placeholders import IMAGE

from ...tiny_models import fast_tokenizer, make_llama

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    return load_tokenizer(str(make_llama(tmp_path_factory.mktemp("llama"))))


def test_each_text_gets_its_own_prefix_space(tokens):
    assert tokens.encode(" cat")[0] == tokens.model.piece_to_id("\u2581")
    assert tokens.decode(tokens.encode("a small red boat")) == "a small red boat"


def test_special_tokens_are_split_out_with_the_space_around_them(tokens):
    assert tokens.encode("a </s> b") == [*tokens.encode("a"), tokens.eos_id, *tokens.encode("b")]
    assert tokens.encode("</s>") == [tokens.eos_id]
    assert tokens.encode("") == []


def test_decoding_leaves_out_control_tokens_and_rows_beyond_the_vocabulary(tokens):
    ids = [tokens.bos_id, *tokens.encode("a boat"), tokens.eos_id, 10_000, IMAGE]
    assert tokens.decode(ids) == "a boat"


def test_a_turn_ends_by_the_mark_on_its_own_or_after_text(tokens):
    alone, after = stop_sequences(tokens, "###")
    assert tokens.encode("###") == alone
    assert tokens.encode("a###") == tokens.encode("a") + after


def test_a_model_without_tokenizer_model_is_read_by_its_own_tokenizer(tmp_path):
    fast_tokenizer([]).save_pretrained(tmp_path)
    found = load_tokenizer(str(tmp_path))
    assert not isinstance(found, SentencePieceTokenizer)
    assert found.decode(found.encode("a small red boat")) == "a small red boat"
    assert found.eos_id == found.tokenizer.eos_token_id


def test_a_folder_without_any_tokenizer_is_an_error(tmp_path):
    with pytest.raises(PrerequisiteError, match=r"the tokenizer of .* cannot be loaded"):
        load_tokenizer(str(tmp_path))
