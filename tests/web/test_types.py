"""The modules of `web/` hold to their types (JSDoc, checked by TypeScript), where npm has it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parents[2] / "web"


@pytest.mark.slow
def test_types_are_right():
    compiler = WEB / "node_modules" / "typescript" / "bin" / "tsc"
    node = shutil.which("node")
    if node is None or not compiler.is_file():
        pytest.skip("no TypeScript in web/node_modules: `make web` installs it, where npm is there")
    done = subprocess.run(
        [node, compiler, "-p", WEB / "tsconfig.json"], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
    assert done.returncode == 0


def test_node_is_for_developers_alone():
    package = json.loads((WEB / "package.json").read_text(encoding="utf-8"))
    assert "dependencies" not in package
    assert set(package["devDependencies"]) == {"typescript"}
    lock = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))
    assert all(one.get("dev") for name, one in lock["packages"].items() if name)
    settings = json.loads((WEB / "tsconfig.json").read_text(encoding="utf-8"))
    assert settings["compilerOptions"]["strict"]
    assert settings["compilerOptions"]["checkJs"]
