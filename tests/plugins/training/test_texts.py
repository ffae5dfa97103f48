"""Tokens, placeholders and conversations as trainers see them."""

from __future__ import annotations

import pytest
import torch

from ig4.core.errors import PrerequisiteError
from ig4.core.records import Turn
from ig4.plugins.models.tokenizer import SentencePieceTokenizer, load_tokenizer, stop_sequences
from ig4.plugins.training.conversations import question_answer_pairs
from ig4.plugins.training.placeholders import IGNORED, IMAGE, embed, pad_rows, padding_mask

from ...tiny_models import fast_tokenizer, make_llama


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


def test_images_stand_where_their_places_are():
    table = torch.arange(12.0).reshape(6, 2)
    ids = torch.tensor([[1, IMAGE, IMAGE, 2], [IMAGE, IMAGE, 3, 0]])
    images = -torch.arange(1.0, 9.0).reshape(2, 2, 2)
    made = embed(lambda one: table[one], ids, images)
    assert made[0].tolist() == [[2, 3], [-1, -2], [-3, -4], [4, 5]]
    assert made[1].tolist() == [[-5, -6], [-7, -8], [6, 7], [0, 1]]


@pytest.mark.parametrize("images", [None, torch.zeros(2, 2, 2)])
def test_places_without_images_or_too_many_images_are_refused(images):
    table = torch.zeros(6, 2)
    with pytest.raises(ValueError, match="placeholders for"):
        embed(lambda one: table[one], torch.tensor([[1, IMAGE, IMAGE]]), images)


def test_rows_are_filled_up_right_or_left():
    rows = [[1, 2, 3], [4]]
    assert pad_rows(rows, 0).tolist() == [[1, 2, 3], [4, 0, 0]]
    assert pad_rows(rows, IGNORED, left=True).tolist() == [[1, 2, 3], [IGNORED, IGNORED, 4]]
    assert padding_mask(rows).tolist() == [[1, 1, 1], [1, 0, 0]]
    assert padding_mask(rows, left=True).tolist() == [[1, 1, 1], [0, 0, 1]]


def test_a_conversation_is_questions_and_answers_in_turn():
    turns = [
        Turn("system", "Be kind."), Turn("user", "Who?"), Turn("assistant", "I."),
        Turn("assistant", "Me."), Turn("user", "Why?"), Turn("tool", "42"),
    ]  # fmt: skip
    assert question_answer_pairs(turns) == [("Be kind.\nWho?", "I.\nMe."), ("Why?\n42", "")]
    assert question_answer_pairs([]) == []
