"""Gathers what `ig4 doctor` reports; every part is a plain JSON-able value."""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "HF_TOKEN")
"""Environment variables that hold keys; whether they are set is told, never their text."""

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+).*;.*extra\s*==\s*['\"](?P<extra>[\w-]+)['\"]")


def python() -> dict[str, Any]:
    """Return the interpreter and the system it runs on."""
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
    }


def extras() -> dict[str, dict[str, str | None]]:
    """Return, for each extra of ig4, its distributions with their versions (None: missing).

    Nothing is imported. `all` and `dev` are left out.
    """
    found: dict[str, dict[str, str | None]] = {}
    for requirement in requires("ig4") or []:
        match = _REQUIREMENT.match(requirement)
        if match is None or match["extra"] in ("all", "dev") or match["name"] == "ig4":
            continue
        found.setdefault(match["extra"], {})[match["name"]] = _version(match["name"])
    return found


def device() -> dict[str, Any]:
    """Return the device that models run on and the precisions it is fast at; no torch needed."""
    from ig4.plugins.models import hardware

    on = hardware.device()
    best = hardware.precision("auto", on)
    return {
        "device": on,
        "precision": best,
        "fast_precisions": sorted({best, *(("fp16",) if on != "cpu" else ("fp32",))}),
        "gpus": hardware.cuda_devices(),
        "cpu_bf16": sorted(hardware.cpu_flags() & set(hardware.CPU_BF16)),
        "torch": hardware.torch_build(),
    }


def caches() -> list[dict[str, Any]]:
    """Return the folders where model weights are kept, with their size in bytes."""
    return [
        {"name": name, "path": str(path), "exists": path.is_dir(), "bytes": _size(path)}
        for name, path in _cache_folders().items()
    ]


def environment() -> dict[str, dict[str, bool]]:
    """Return which keys, proxies and offline switches are set; never what they are set to."""

    def is_set(name: str) -> bool:
        return bool(os.environ.get(name) or os.environ.get(name.lower()))

    return {
        "keys": {name: bool(os.environ.get(name)) for name in KEYS},
        "proxies": {name: is_set(name) for name in PROXIES},
        "offline": {name: bool(os.environ.get(name)) for name in OFFLINE},
    }


def database(location: str | None) -> dict[str, Any]:
    """Return where the score database is, its schema version, and a problem if there is one."""
    from ig4.storage.admin import describe_database
    from ig4.storage.connect import DEFAULT
    from ig4.storage.errors import StorageError

    location = location or DEFAULT
    try:
        facts = dict(describe_database(location))
    except StorageError as error:
        return {"location": _without_password(location), "problem": str(error)}
    problem, where = None, facts["location"]
    if facts["exists"] and facts["version"] is None:
        problem = f"{where} holds no ig4 tables: name another one with --db"
    elif facts["exists"] and facts["version"] != facts["known_version"]:
        problem = (
            f"{where}: its schema is version {facts['version']}, this ig4 knows "
            f"{facts['known_version']}: run `ig4 db upgrade`, or upgrade ig4 if that is older"
        )
    return facts | {"problem": problem}


def broken_plugins() -> list[dict[str, str]]:
    """Return plugins that cannot be taken in and components that cannot be loaded."""
    from ig4.core.errors import MissingExtraError, PluginError
    from ig4.core.host.host import Host

    host = Host.discover()
    found = [
        {
            "distribution": broken.dist,
            "plugin": broken.entry_point,
            "reason": f"plugin {broken.entry_point!r} of {broken.dist}: {broken.reason}",
        }
        for broken in host.broken
    ]
    for registered in host.components():
        component = registered.component
        try:
            host.load(component.kind, registered.qualified, runnable=False)
        except MissingExtraError:
            continue  # that is what `extras` tells
        except PluginError as error:
            name = f"{component.kind}/{component.name}"
            found.append({"distribution": registered.dist, "plugin": name, "reason": str(error)})
    return found


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _cache_folders() -> dict[str, Path]:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    hugging_face = Path(os.environ.get("HF_HOME") or home / "huggingface")
    return {
        "Hugging Face": Path(os.environ.get("HF_HUB_CACHE") or hugging_face / "hub"),
        "PyTorch": Path(os.environ.get("TORCH_HOME") or home / "torch"),
        "OpenAI CLIP": home / "clip",
    }


def _size(folder: Path) -> int:
    """Return the bytes below a folder; links are not followed, they would count twice."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - many files
            except OSError:
                continue
    return total


def _without_password(location: str) -> str:
    hidden = re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", location)
    return re.sub(r"(?i)(password=)[^&]*", r"\1***", hidden)
