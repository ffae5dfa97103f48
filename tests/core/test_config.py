"""ig4.toml: what it may say, and what lies over what."""

from __future__ import annotations

import os

import pytest

from ig4.core.calls.prices import Price
from ig4.core.config import build, load
from ig4.core.errors import ConfigError


@pytest.fixture
def file(tmp_path):
    def write(text):
        (tmp_path / "ig4.toml").write_text(text, encoding="utf-8")
        return tmp_path / "ig4.toml"

    return write


def test_without_a_file_there_are_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load()
    assert config.run.scorers == ("clip", "length")
    assert (config.cluster.clusterer, config.cluster.k) == ("spectral", 10)


def test_the_file_of_the_working_directory_is_read(file, monkeypatch):
    monkeypatch.chdir(file("[cluster]\nk = 7\n").parent)
    assert load().cluster.k == 7


def test_flags_lie_over_the_file_over_the_recipe(file):
    path = file("[cluster]\nk = 7\n[select]\nsize = 50\n")
    config = load(path, {"cluster": {"k": 3, "clusterer": None}}, recipe="paper")
    assert config.cluster.k == 3
    assert config.select.size == 50
    assert config.select.weights["gpt"] == 0.27


def test_the_paper_recipe_has_the_papers_values():
    config = load(recipe="paper", flags={})
    assert config.select.size == 200
    assert config.cluster.k == 10
    assert config.select.weights == {"clip": 0.53, "length": 0.1, "reward": 0.1, "gpt": 0.27}
    clip = config.choice("scorer", "clip").options
    assert clip == {"model": "ViT-bigG-14", "pretrained": "laion2b_s39b_b160k"}


def test_a_size_puts_aside_the_files_fraction_and_the_other_way_round(file):
    path = file("[select]\nfraction = 0.5\n")
    assert load(path, {"select": {"size": 9}}).select.fraction is None
    path = file("[select]\nsize = 5\n")
    assert load(path, {"select": {"fraction": 0.1}}).select.size is None


def test_named_weights_are_all_of_a_layer(file):
    path = file("[select.weights]\nclip = 0.5\nlength = 0.5\n")
    assert load(path, recipe="paper").select.weights == {"clip": 0.5, "length": 0.5}
    flags = {"select": {"weights": {"clip": 1.0}}}
    assert load(path, flags, recipe="paper").select.weights == {"clip": 1.0}
    assert load(path, {"select": {"weights": {}}}).select.weights == {"clip": 0.5, "length": 0.5}


def test_only_a_selection_has_either_a_size_or_a_fraction():
    below = {
        "scorers": {"crop": {"fraction": 0.5}},
        "dataset": {"options": {"fraction": 0.1}},
        "select": {"fraction": 0.5},
    }
    above = {
        "scorers": {"crop": {"size": 8}},
        "dataset": {"options": {"size": 9}},
        "select": {"size": 3},
    }
    config = build(below, above)
    assert config.scorers["crop"] == {"fraction": 0.5, "size": 8}
    assert config.dataset.options == {"fraction": 0.1, "size": 9}
    assert (config.select.size, config.select.fraction) == (3, None)


def test_one_component_under_another_name(file):
    path = file('[scorers.clip-l]\nuse = "clip"\nmodel = "ViT-L-14"\n')
    choice = load(path).choice("scorer", "clip-l")
    assert (choice.use, choice.label, choice.options) == ("clip", "clip-l", {"model": "ViT-L-14"})


def test_relative_paths_start_at_the_file(file):
    path = file('db = "scores.db"\n[dataset]\npath = "data/set.json"\n')
    config = load(path)
    assert config.dataset.path == path.parent / "data/set.json"
    assert config.db == str(path.parent / "scores.db")


def test_files_that_options_name_are_looked_for_beside_the_file(file):
    path = file('[scorers.clip]\nmodel = "ViT-B-32"\npretrained = "w/a.pt"\nmax_sentences = 3\n')
    (path.parent / "w").mkdir()
    assert load(path).scorers["clip"]["pretrained"] == "w/a.pt"
    (path.parent / "w" / "a.pt").write_text("")
    assert load(path).scorers["clip"] == {
        "model": "ViT-B-32", "pretrained": str(path.parent / "w/a.pt"), "max_sentences": 3,
    }  # fmt: skip


def test_a_folder_that_is_called_like_a_model_is_not_taken_for_it(file):
    path = file('[scorers.clip-l]\nuse = "clip"\nmodel = "ViT-B-32"\n')
    (path.parent / "ViT-B-32").mkdir()
    (path.parent / "clip").write_text("")
    assert load(path).scorers["clip-l"] == {"use": "clip", "model": "ViT-B-32"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[clutser]\nk = 3\n", r"unknown key clutser; did you mean cluster\?"),
        ("[cluster]\nkk = 3\n", r"unknown key cluster\.kk"),
        ("[select]\nsize = 0\n", r"select\.size"),
        ("[cluster]\nk = 0\n", r"cluster\.k"),
        ("[run]\nseed = -1\n", r"run\.seed"),
        ("[run]\nseed = 99999999999999999999\n", r"run\.seed"),
        ("[select]\nfraction = 2\n", r"select\.fraction"),
        ("[cluster\n", "not valid TOML"),
        ('[select]\nscale = "metric"\n', r"select\.scale"),
        ("[ablate.factors]\nvqa = inf", "ablate.factors.vqa: Input should be a finite number"),
    ],
)
def test_what_is_wrong_is_named(file, text, told):
    with pytest.raises(ConfigError, match=told):
        load(file(text))


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 3000 + "]" * 3000,
        "a = " + "{a = " * 3000 + "1" + "}" * 3000,
        "scorers." + ".".join("a" * 1200) + " = 1",
    ],
    ids=["lists", "tables", "keys"],
)
def test_a_file_that_nests_without_end_is_one_line(file, text):
    with pytest.raises(ConfigError, match=r"ig4\.toml nests .* too deeply"):
        load(file(text))


def test_a_byte_order_mark_in_front_is_no_key(file):
    assert load(file("\ufeff[select]\nsize = 3\n")).select.size == 3


def test_a_file_that_was_named_must_be_there(tmp_path):
    with pytest.raises(ConfigError, match="ig4 init"):
        load(tmp_path / "none.toml")


def test_an_unknown_recipe_is_named():
    with pytest.raises(ConfigError, match=r"unknown recipe 'papr'; did you mean paper\?"):
        load(recipe="papr")


def test_layers_do_not_change_one_another():
    layer = {"select": {"weights": {"clip": 1.0}}}
    build(layer, {"select": {"weights": {"length": 2.0}}})
    assert layer == {"select": {"weights": {"clip": 1.0}}}


# Calls of language models


def test_terms_of_calls_and_prices_come_from_their_tables(tmp_path):
    path = tmp_path / "ig4.toml"
    path.write_text(
        "[calls]\nconcurrency = 8\nmax_cost = 2.5\nrequests_per_minute = 100\n"
        '[prices."my-model"]\ninput = 0.15\noutput = 0.6\n'
    )
    call_settings = load(path, {"calls": {"concurrency": 32, "max_calls": None}}).call_settings
    assert (
        call_settings.concurrency,
        call_settings.max_cost,
        call_settings.requests_per_minute,
    ) == (32, 2.5, 100)
    assert call_settings.max_calls is None
    assert call_settings.prices == {"my-model": Price(0.15, 0.6)}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[calls]\nconcurency = 8\n", r"unknown key calls\.concurency; did you mean concurrency"),
        ("[calls]\nconcurrency = 0\n", r"calls\.concurrency"),
        ('[prices."m"]\ninput = 1\n', r"prices\.m\.output"),
        ('[prices."m"]\ninput = 1\noutput = 2\ncache = 3\n', r"prices\.m\.cache"),
    ],
)
def test_wrong_terms_are_refused(tmp_path, text, told):
    path = tmp_path / "ig4.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        load(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_no_configuration_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(ConfigError, match="cannot be read: it is a named pipe"):
        load(tmp_path / "pipe.toml")


def test_what_is_wrong_is_blamed_on_the_layer_that_it_came_from(file):
    path = file("[select]\nsize = 5\n[export]\nimages = 'link'\n[prices.mine]\ninput = 1.0\n")
    with pytest.raises(ConfigError, match=r"^--size: Input should be greater"):
        load(path, {"select": {"size": 0}, "prices": {"mine": {"output": 1.0}}})
    with pytest.raises(ConfigError, match=r"^--rpm: Input"):
        load(path, {"calls": {"requests_per_minute": 0.0}, "prices": {"mine": {"output": 1.0}}})
    with pytest.raises(ConfigError, match=r"ig4.toml: prices.mine.output: Field required"):
        load(path)
    own = path.with_name("own.toml")
    own.write_text("[select]\nsize = 3\n")
    wrong = file("[select]\nfraction = 2\n")
    with pytest.raises(ConfigError, match=r"ig4.toml: select.fraction: Input"):
        load(wrong, {"select": {"scale": "minmax"}}, recipe=str(own))


def test_a_model_of_a_nearer_layer_brings_its_own_weights(file):
    assert load(recipe="paper").scorers["clip"]["pretrained"]
    tiny = file('[scorers.clip]\nmodel = "ig4-tiny"\n')
    assert load(tiny, recipe="paper").scorers["clip"] == {"model": "ig4-tiny"}
    flags = {"scorers": {"clip": {"model": "ViT-L-14", "pretrained": "openai"}}}
    assert load(tiny, flags, recipe="paper").scorers["clip"] == flags["scorers"]["clip"]
    same = file('[scorers.clip]\nmodel = "ViT-bigG-14"\nprecision = "fp32"\n')
    assert "pretrained" in load(same, recipe="paper").scorers["clip"]
    weights = file('[scorers.clip]\npretrained = "my.pt"\n')
    named = load(weights, {"scorers": {"clip": {"model": "ViT-L-14"}}}).scorers["clip"]
    assert named == {"model": "ViT-L-14", "pretrained": "my.pt"}
