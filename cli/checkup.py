"""Collects the parts of the report of `ig4 doctor`, as JSON-able values."""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "HF_TOKEN")
"""Environment variables with keys; the report says whether they are set, never their values."""

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+).*;.*extra\s*==\s*['\"](?P<extra>[\w-]+)['\"]")


def python() -> dict[str, Any]:
    """Return the Python interpreter and the system it runs on."""
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
    }


def extras() -> dict[str, dict[str, str | None]]:
    """Return the distributions of each extra of ig4 with their versions (None: missing).

    Imports nothing. `all` and `dev` are left out.
    """
    result: dict[str, dict[str, str | None]] = {}
    for requirement in requires("ig4") or []:
        match = _REQUIREMENT.match(requirement)
        if match is None or match["extra"] in ("all", "dev") or match["name"] == "ig4":
            continue
        result.setdefault(match["extra"], {})[match["name"]] = _version(match["name"])
    return result


def device() -> dict[str, Any]:
    """Return the device that models run on and its fast precisions; works without torch."""
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
    """Return the cache folders of model weights, with their size in bytes."""
    return [
        {"name": name, "path": str(path), "exists": path.is_dir(), "bytes": _size(path)}
        for name, path in _cache_folders().items()
    ]


def environment() -> dict[str, dict[str, bool]]:
    """Return which keys, proxies and offline switches are set, never their values."""

    def is_set(name: str) -> bool:
        return bool(os.environ.get(name) or os.environ.get(name.lower()))

    return {
        "keys": {name: bool(os.environ.get(name)) for name in KEYS},
        "proxies": {name: is_set(name) for name in PROXIES},
        "offline": {name: bool(os.environ.get(name)) for name in OFFLINE},
    }


def database(location: str | None) -> dict[str, Any]:
    """Return the location and schema version of the score database, and its problem, if any."""
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
        problem = f"{where} has no ig4 tables: name another database with --db"
    elif facts["exists"] and facts["version"] != facts["known_version"]:
        problem = (
            f"{where}: its schema is version {facts['version']}, this ig4 supports "
            f"{facts['known_version']}: run `ig4 db upgrade --db {where}`, or upgrade "
            "ig4 if ig4 is older"
        )
    return facts | {"problem": problem}


def broken_plugins() -> list[dict[str, str]]:
    """Return plugins that cannot be registered and components that cannot be loaded."""
    from ig4.core.errors import MissingExtraError, PluginError
    from ig4.core.host.host import Host

    host = Host.discover()
    problems = [
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
            continue  # `extras` reports these
        except PluginError as error:
            name = f"{component.kind}/{component.name}"
            problems.append({"distribution": registered.dist, "plugin": name, "reason": str(error)})
    return problems


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
    """Return the bytes below a folder; links are not followed, so no file counts twice."""
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
