"""`make quick` runs the tests of the folders that were changed."""

from __future__ import annotations

import pytest

from .touched import ALWAYS, mirrored


@pytest.fixture
def root(tmp_path):
    for name in (
        "core/files/remote/test_web.py", "core/files/test_paths.py", "storage/test_store.py",
        "storage/test_runs.py", "cli/test_run.py", "core/test_errors.py",
    ):  # fmt: skip
        path = tmp_path / "tests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ("core/files/remote/web.py", ["tests/core/files/remote"]),
        ("core/files/images/decode.py", ["tests/core/files"]),
        ("storage/runs.py", ["tests/storage/test_runs.py"]),
        ("core/errors.py", ["tests/core/test_errors.py"]),
        ("cli/run.py", ["tests/cli/test_run.py"]),
        ("storage/other.py", ["tests/storage/test_runs.py", "tests/storage/test_store.py"]),
        (
            "tests/storage/conftest.py",
            ["tests/storage/test_runs.py", "tests/storage/test_store.py"],
        ),
        ("plugins/new/part.py", []),
        ("docs/page.md", []),
        ("tests/core/files/test_paths.py", ["tests/core/files/test_paths.py"]),
        ("tests/core/files/remote/conftest.py", ["tests/core/files/remote"]),
        ("tests/core/files/test_gone.py", ["tests/core/files"]),
    ],
)
def test_tests_are_those_of_the_folder_or_of_the_nearest_above(root, changed, named):
    assert mirrored([changed], root) == sorted([*ALWAYS, *named])


def test_what_is_in_a_folder_that_is_named_is_not_named_twice(root):
    changed = ["core/files/a.py", "core/files/remote/web.py", "tests/core/files/test_paths.py"]
    assert mirrored(changed, root) == sorted([*ALWAYS, "tests/core/files"])


def test_nothing_but_the_architecture_where_nothing_was_changed(root):
    assert mirrored([], root) == [*ALWAYS]
