"""The plugin host: discovery, isolation, names, loading, options, events, commands."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import click
import pytest

from ig4.core.contracts import CONTRACTS, Clusterer, Scorer
from ig4.core.errors import MissingExtraError, PluginError, UsageError
from ig4.core.events import Notice
from ig4.core.host.host import KINDS, Host, import_failure
from ig4.core.records import Choice

DECLARE = """
from ig4.core.hookspecs import hookimpl
from ig4.core.records import Component

@hookimpl
def ig4_components():
    return [{components}]
"""

SCORER = """
from pydantic import Field
from ig4.core.contracts import Options, Scorer
from ig4.core.records import Score

class GoodOptions(Options):
    size: int = Field(3, ge=1)
    strict: bool = False
    limit: int | None = 7
    tag: str | None = "x"
    names: tuple[str, ...] = ()
    table: dict[str, float] = {}

class Good(Scorer):
    Options = GoodOptions
    def score(self, batch):
        return [Score(1.0) for _ in batch]

class NoParent:
    pass

class Abstract(Scorer):
    pass

class Lax(Good):
    class Options(GoodOptions, extra="allow"):
        pass

class Thawed(Good):
    class Options(GoodOptions, frozen=False):
        pass

class Forward(Good):
    Options = dict

class Unversioned(Good):
    version = 2

class Busy(Good):
    def __init__(self, options):
        raise OSError("no model here")

not_a_class = 3
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a distribution where Python finds it: metadata, entry points and modules."""
    monkeypatch.syspath_prepend(tmp_path)

    def _install(dist: str, modules: dict[str, str], entry: str | None = None) -> None:
        info = tmp_path / f"{dist.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.2\n")
        names = [entry] if entry else [next(iter(modules))]
        lines = [f"{name.replace('.', '-').replace(':', '-')} = {name}" for name in names]
        (info / "entry_points.txt").write_text("\n".join(["[ig4]", *lines, ""]))
        for name, text in modules.items():
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
            monkeypatch.delitem(sys.modules, name, raising=False)

    return _install


def declaring(*components: str) -> str:
    return DECLARE.format(components=", ".join(f"Component({c})" for c in components))


def reason(host: Host, dist: str) -> str:
    (broken,) = [plugin for plugin in host.broken if plugin.dist == dist]
    return broken.reason


# -- discovery ------------------------------------------------------------------------------


def test_built_in_components_come_through_the_entry_point_of_the_ig4_distribution():
    host = Host.discover()
    assert {r.dist for r in host.components()} == {"ig4"}
    assert host.find("scorer", "clip").qualified == "ig4/clip"
    assert host.broken == []


def test_discovery_imports_no_heavy_library():
    code = (
        "import sys; from ig4.core.host.host import Host; Host.discover();"
        "print([m for m in ('numpy', 'pydantic', 'torch', 'sqlalchemy', 'rich', 'PIL',"
        " 'sklearn', 'open_clip', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_pip_installed_plugin_is_found_loaded_and_works(plugin_site, monkeypatch):
    monkeypatch.syspath_prepend(plugin_site)
    host = Host.discover()
    assert [r.component.name for r in host.components() if r.dist == "ig4-vowels"] == [
        "vowels",
        "bands",
    ]
    assert host.find("scorer", "vowels").dist_version == "0.3.0"
    assert issubclass(host.load("scorer", "vowels"), Scorer)
    assert issubclass(host.load("clusterer", "bands"), Clusterer)
    assert host.build(Choice("scorer", "vowels", {"vowels": "xy"})).options.vowels == "xy"


@pytest.mark.slow
def test_a_distribution_broken_in_three_ways_disturbs_nobody(plugin_site, broken_site, monkeypatch):
    monkeypatch.syspath_prepend(plugin_site)
    monkeypatch.syspath_prepend(broken_site)
    host = Host.discover()
    assert {b.entry_point: b.dist for b in host.broken} == {
        "absent": "ig4-broken",
        "misspelled": "ig4-broken",
    }
    reasons = {b.entry_point: b.reason for b in host.broken}
    assert "No module named 'a_library_that_nobody_has'" in reasons["absent"]
    assert reasons["misspelled"] == (
        "ig4_component is not a hook of ig4; did you mean ig4_components?"
    )
    with pytest.raises(PluginError, match=r"ig4-broken 0\.0\.1 .* must inherit from .*Scorer"):
        host.load("scorer", "shout")
    assert host.load("scorer", "vowels")
    assert host.load("selector", "topk")


@pytest.mark.slow
def test_components_are_listed_in_the_same_order_every_time(plugin_site, monkeypatch):
    monkeypatch.syspath_prepend(plugin_site)
    first = [(r.component.kind, r.qualified) for r in Host.discover().components()]
    assert first == [(r.component.kind, r.qualified) for r in Host.discover().components()]
    assert {r.component.kind for r in Host.discover().components("selector")} == {"selector"}


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("raise SystemExit(3)", "cannot import badmod (SystemExit: 3)"),
        ("1 / 0", "cannot import badmod (ZeroDivisionError: division by zero)"),
        ("def broken(:", "cannot import badmod (SyntaxError: invalid syntax"),
        (declaring("'scorrer', 'x', 'a:B'"), "unknown kind 'scorrer'; did you mean scorer?"),
        (declaring("'scorer', 'Bad Name', 'a:B'"), "a name is made of a-z"),
        (declaring("'scorer', 'x', 'a.B'"), "the target 'a.B' is not 'package.module:Class'"),
        (declaring("'scorer', 'x', 'a:B', api='2'"), "api is '2', not 1 or 2"),
        (declaring("'scorer', 'x', 'a:B', requires='torch'"), "not a tuple of module names"),
        (declaring("'scorer', 'x', 'a:B'", "'scorer', 'x', 'a:C'"), "'x' is declared twice"),
        (DECLARE.format(components="'clip'"), "returned 'str', not a Component"),
        (DECLARE.format(components="1 / 0"), "ig4_components failed (ZeroDivisionError"),
        (DECLARE.replace("@hookimpl", "").format(components=""), "not marked with @hookimpl"),
        (
            DECLARE.replace("ig4_components", "ig_components").format(components=""),
            "ig_components is not a hook of ig4; did you mean ig4_components?",
        ),
        (
            DECLARE.replace("ig4_components()", "ig4_components(config)").format(components=""),
            "a hook does not fit",
        ),
    ],
)
def test_a_bad_plugin_is_listed_with_its_reason_and_its_distribution(install, module, expected):
    install("ig4-bad", {"badmod": module})
    host = Host.discover()
    assert expected in reason(host, "ig4-bad")
    assert {r.dist for r in host.components()} == {"ig4"}
    assert host.load("selector", "quota")


def test_a_component_for_a_later_ig4_is_refused_alone(install):
    module = declaring(
        "'scorer', 'good', 'mod:Good'",
        "'selector', 'later', 'mod:Later', api=3",
        "'oracle', 'unheard', 'mod:Later', api=3",
    )
    install("ig4-mixed", {"mod": SCORER + module})
    host = Host.discover()
    assert "ig4-mixed" not in {b.dist for b in host.broken}
    assert host.load("scorer", "good")
    assert [one.registered.component.name for one in host.refused] == ["later", "unheard"]
    with pytest.raises(
        UsageError, match=r"selector 'later' of ig4-mixed .* version 3 .*versions 1 to 2: upgrade"
    ):
        host.load("selector", "later")


@pytest.mark.parametrize(
    ("body", "works"),
    [
        ("def select(self, percent, labels, size, weights, seed): return labels[:size]", True),
        ("def choose(self, pool): return pool.rng().permutation(pool.n)[: pool.size]", True),
        ("def choice(self, pool): return 1", False),
    ],
)
def test_a_selector_of_either_api_is_one(install, body, works):
    code = f"from ig4.core.contracts import Selector\nclass Mine(Selector):\n    {body}\n"
    install("ig4-mine", {"mine": code + declaring("'selector', 'mine', 'mine:Mine'")})
    host = Host.discover()
    if works:
        assert host.load("selector", "mine")
        return
    with pytest.raises(PluginError, match="does not implement choose"):
        host.load("selector", "mine")


@pytest.mark.parametrize("contract", ["Scorer", "PoolScorer"])
def test_a_scorer_may_rate_samples_or_pools(install, contract):
    code = (
        f"from ig4.core.contracts import Needs, {contract}\n"
        f"class Mine({contract}):\n"
        "    def needs(self): return Needs()\n"
        "    def score(self, batch): return []\n"
        "    def score_pool(self, pool): return None\n"
    )
    install("ig4-mine", {"mine": code + declaring("'scorer', 'mine', 'mine:Mine', api=2")})
    assert Host.discover().load("scorer", "mine")


def test_nothing_of_a_plugin_with_a_misspelled_hook_is_used(install):
    good = declaring("'scorer', 'fine', 'a:B'")
    install("ig4-half", {"half": good + "\n@hookimpl\ndef ig4_events(event): 1 / 0\n"})
    host = Host.discover()
    assert reason(host, "ig4-half").endswith("did you mean ig4_event?")
    assert "fine" not in [r.component.name for r in host.components()]
    host.emit(Notice("hello"))
    assert len(host.broken) == 1


def test_a_hook_of_a_newer_ig4_can_be_marked_optional(install):
    later = "\n@hookimpl(optionalhook=True)\ndef ig4_tomorrow(): pass\n"
    install("ig4-later", {"later": declaring("'scorer', 'x', 'a:B'") + later})
    assert Host.discover().broken == []


def test_a_distribution_with_unreadable_metadata_spoils_nothing_for_the_others(install, tmp_path):
    install("ig4-good", {"goodplug": declaring("'scorer', 'fine', 'a:B'")})
    torn = tmp_path / "torn-1.0.dist-info"
    torn.mkdir()
    (torn / "METADATA").write_text("Metadata-Version: 2.1\nName: torn\nVersion: 1.0\n")
    (torn / "entry_points.txt").write_text("[ig4]\nthis line says nothing\n")
    host = Host.discover()
    assert "entry points cannot be read" in reason(host, "torn")
    assert host.find("scorer", "fine").dist == "ig4-good"
    assert host.find("scorer", "clip").dist == "ig4"


def test_a_distribution_without_a_name_is_still_taken_in(install, tmp_path):
    install("ig4-good", {"goodplug": declaring("'scorer', 'fine', 'a:B'")})
    (tmp_path / "ig4_good-1.2.dist-info" / "METADATA").unlink()
    assert Host.discover().find("scorer", "fine").dist == "unknown"


def test_what_a_plugin_prints_at_import_stays_out_of_the_results(install, capsys):
    install("ig4-chatty", {"chatty": "print('welcome!')\n" + declaring("'scorer', 'x', 'a:B'")})
    Host.discover()
    assert capsys.readouterr() == ("", "welcome!\n")


# -- names ----------------------------------------------------------------------------------


def test_an_unknown_name_is_answered_with_the_nearest_and_with_all_known_ones():
    with pytest.raises(UsageError) as caught:
        Host.discover().find("selector", "topc")
    message = str(caught.value)
    assert "unknown selector 'topc'; did you mean topk?" in message
    assert "known: quota, topk, random" in message


def test_a_name_of_another_kind_is_recognised():
    with pytest.raises(UsageError, match="'kmeans' is the name of a clusterer"):
        Host.discover().find("scorer", "kmeans")


def test_an_unknown_kind_is_a_usage_error():
    with pytest.raises(UsageError, match="did you mean scorer"):
        Host.discover().find("scorers", "clip")


def test_an_unknown_name_may_belong_to_a_broken_plugin(install):
    install("ig4-bad", {"badmod": "1 / 0"})
    with pytest.raises(UsageError, match=r"may belong to a broken plugin \(ig4-bad\)"):
        Host.discover().find("scorer", "mystery")


def test_two_distributions_with_one_name_are_told_apart_by_the_distribution(install):
    install("My.Other_Dist", {"other": declaring("'selector', 'topk', 'good:Good'")})
    host = Host.discover()
    with pytest.raises(UsageError, match="'ig4/topk' or 'my-other-dist/topk'") as caught:
        host.find("selector", "topk")
    assert "declared by ig4 and my-other-dist" in str(caught.value)
    assert host.find("selector", "my-other-dist/topk").component.target == "good:Good"
    assert host.find("selector", "My.Other_Dist/topk").dist == "my-other-dist"
    assert host.load("selector", "ig4/topk").__name__ == "TopK"


# -- loading --------------------------------------------------------------------------------


@pytest.fixture
def host_of(install):
    """A host with one scorer `x` with the given target, requirements and extra."""

    def _host_of(target: str, **fields: object) -> Host:
        extra = "".join(f", {key}={value!r}" for key, value in fields.items())
        install(
            "ig4-one",
            {"one": declaring(f"'scorer', 'x', {target!r}{extra}"), "goodmod": SCORER},
        )
        return Host.discover()

    return _host_of


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("NoParent", "must inherit from ig4.core.contracts.Scorer"),
        ("Abstract", "does not implement score"),
        ("Lax", "Options must forbid options it does not know"),
        ("Thawed", "Options must be frozen"),
        ("Forward", "Options must inherit from ig4.core.contracts.Options"),
        ("Unversioned", "version must be a text"),
        ("not_a_class", "is not a class"),
        ("Goood", "goodmod has no 'Goood'; did you mean Good?"),
    ],
)
def test_a_class_that_breaks_the_contract_is_an_error_when_used(host_of, name, expected):
    host = host_of(f"goodmod:{name}")
    assert host.broken == []
    with pytest.raises(PluginError) as caught:
        host.load("scorer", "x")
    assert expected in str(caught.value)
    assert str(caught.value).startswith("scorer 'x' of ig4-one 1.2")


def test_a_missing_library_names_the_extra_that_brings_it(host_of):
    host = host_of("goodmod:Good", requires=("numpy", "no_such_lib"), extra="fast")
    with pytest.raises(MissingExtraError) as caught:
        host.load("scorer", "x")
    assert str(caught.value) == (
        "scorer 'x' of ig4-one 1.2 needs no_such_lib, not installed here: "
        'pip install "ig4-one[fast]"'
    )


def test_a_missing_library_without_an_extra_points_to_the_distribution(host_of):
    host = host_of("goodmod:Good", requires=("no_such_lib",))
    with pytest.raises(MissingExtraError, match="see the documentation of ig4-one"):
        host.load("scorer", "x")


def test_what_does_not_run_here_can_still_be_looked_at(host_of):
    host = host_of("goodmod:Good", requires=("no_such_lib",), extra="fast")
    assert host.load("scorer", "x", runnable=False).__name__ == "Good"
    assert host.build(Choice("scorer", "x", {"size": 4}), runnable=False).options.size == 4


def test_a_library_that_is_installed_but_broken_is_not_called_missing(install, tmp_path):
    install(
        "ig4-one",
        {
            "one": declaring("'scorer', 'x', 'needy:X', requires=('crooked',), extra='fast'"),
            "needy": "import crooked",
            "crooked": "raise ImportError('libcrooked.so.9: cannot open shared object file')",
        },
    )
    with pytest.raises(
        PluginError, match=r"installed but cannot be imported: libcrooked\.so\.9"
    ) as e:
        Host.discover().load("scorer", "x")
    assert not isinstance(e.value, MissingExtraError)
    assert "pip install" not in str(e.value)


def test_a_folder_in_the_working_directory_is_no_installed_library(host_of, tmp_path, monkeypatch):
    (tmp_path / "no_such_lib").mkdir()
    with pytest.raises(MissingExtraError):
        host_of("goodmod:Good", requires=("no_such_lib",)).load("scorer", "x")


def test_an_import_error_in_open_is_told_the_same_way(host_of):
    host = host_of("goodmod:Good", requires=("numpy",), extra="fast")
    error = import_failure(host.find("scorer", "x"), ImportError("numpy is in pieces"))
    assert "installed but cannot be imported: numpy is in pieces" in str(error)


def test_a_target_that_crashes_at_import_names_its_distribution(install):
    install(
        "ig4-one",
        {"one": declaring("'scorer', 'x', 'crash:X'"), "crash": "{}['key']"},
    )
    with pytest.raises(PluginError, match=r"of ig4-one 1\.2 cannot be imported \(KeyError: 'key'"):
        Host.discover().load("scorer", "x")


def test_a_constructor_that_does_more_than_store_is_blamed_on_its_plugin(host_of):
    with pytest.raises(PluginError, match=r"ig4-one 1\.2 cannot be constructed .*no model here"):
        host_of("goodmod:Busy").build(Choice("scorer", "x"))


def test_every_kind_has_a_contract():
    assert set(CONTRACTS) == set(KINDS)


# -- options --------------------------------------------------------------------------------


@pytest.fixture
def good(host_of):
    host = host_of("goodmod:Good")
    return lambda **options: host.build(Choice("scorer", "x", options, name="mine")).options


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"size": "12"}, {"size": 12}),
        ({"strict": "true"}, {"strict": True}),
        ({"limit": "null"}, {"limit": None}),
        ({"limit": None}, {"limit": None}),
        ({"tag": "null"}, {"tag": None}),
        ({"tag": "12"}, {"tag": "12"}),
        ({"names": "a, b"}, {"names": ("a", "b")}),
        ({"names": '["a,b"]'}, {"names": ("a,b",)}),
        ({"names": ["a"]}, {"names": ("a",)}),
        ({"table": '{"a": 1}', "size": "2"}, {"table": {"a": 1.0}, "size": 2}),
    ],
)
def test_options_are_read_as_the_command_line_writes_them(good, given, expected):
    assert {key: getattr(good(**given), key) for key in expected} == expected


def test_every_wrong_option_gets_a_line_of_its_own(good):
    with pytest.raises(UsageError) as caught:
        good(siez="1", strict="so", size="0")
    assert sorted(str(caught.value).splitlines()) == [
        "mine.siez: unknown option; did you mean size?",
        "mine.size: input should be greater than or equal to 1 (given: '0')",
        "mine.strict: input should be a valid boolean, unable to interpret input (given: 'so')",
    ]


def test_only_what_is_wrong_is_told_as_the_user_wrote_it(good):
    with pytest.raises(UsageError) as caught:
        good(names="a,b", size="-1", strict="true")
    assert str(caught.value) == (
        "mine.size: input should be greater than or equal to 1 (given: '-1')"
    )


def test_an_option_unlike_any_other_is_answered_with_all_of_them(good):
    with pytest.raises(UsageError, match="options are size, strict, limit, tag, names, table"):
        good(zzz="1")


def test_validate_finds_the_same_problems_as_build(host_of):
    host = host_of("goodmod:Good")
    host.validate(Choice("scorer", "x", {"size": 5}))
    with pytest.raises(UsageError, match=r"x\.size"):
        host.validate(Choice("scorer", "x", {"size": "five"}))


# -- events and commands --------------------------------------------------------------------

OBSERVER = """
from ig4.core.hookspecs import hookimpl

seen = []

@hookimpl
def ig4_event(event):
    seen.append(event.text)
    {action}
"""


def test_an_observer_that_raises_is_reported_once_and_the_others_still_hear(install):
    install("ig4-loud", {"loud": OBSERVER.format(action="1 / 0")})
    install("ig4-mild", {"mild": OBSERVER.format(action="pass")})
    host = Host.discover()
    for text in ("one", "two", "three"):
        host.emit(Notice(text))
    assert sys.modules["mild"].seen == ["one", "two", "three"]
    assert sys.modules["loud"].seen == ["one"]
    assert reason(host, "ig4-loud") == "ig4_event failed (ZeroDivisionError: division by zero)"


COMMANDS = """
import click
from ig4.core.hookspecs import hookimpl

@hookimpl
def ig4_commands(group):
    @group.command()
    def {name}():
        click.echo("{name}")
    {action}
"""


def test_plugins_add_commands_and_one_that_fails_leaves_none_behind(install):
    install("ig4-fails", {"fails": COMMANDS.format(name="half", action="1 / 0")})
    install("ig4-works", {"works": COMMANDS.format(name="whole", action="pass")})
    group = click.Group("ig4")
    host = Host.discover()
    host.add_commands(group)
    assert sorted(group.commands) == ["whole"]
    assert "ig4_commands failed" in reason(host, "ig4-fails")


def test_discovery_loads_nothing_that_is_slow_to_import():
    # How long it takes is for benchmarks/bench_start.py to say.
    code = (
        "import sys; from ig4.core.host.host import Host; host = Host.discover();"
        "assert host.components(); print(*sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    slow = {"torch", "transformers", "sklearn", "numpy", "pydantic", "sqlalchemy", "rich", "click"}
    components = {name for name in done.stdout.split() if name.startswith("ig4.plugins.")}
    assert not slow & set(done.stdout.split())
    assert components == {"ig4.plugins.builtin"}
