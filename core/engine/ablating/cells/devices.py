"""Finds out how many trainings this machine can run in parallel, and what each of them gets."""

from __future__ import annotations

import os
import shutil
import subprocess

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def gpus() -> list[str]:
    """Return CUDA's names of the GPUs that this process may use, without loading CUDA."""
    visible = os.environ.get(_VISIBLE)
    if visible is not None:
        names = [name.strip() for name in visible.split(",") if name.strip()]
        return [] if "-1" in names else names
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        process = subprocess.run(  # noqa: S603 - the driver's own tool, fixed arguments
            [tool, "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in process.stdout.splitlines() if line.strip().isdigit()]


def cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def environment(worker: int, jobs: int, devices: list[str]) -> dict[str, str]:
    """Return the environment variables of a worker: a GPU of its own, or its share of the cores.

    Numbers of threads that the user has set stay.
    """
    if devices:
        return {_VISIBLE: devices[worker % len(devices)]}
    share = str(max(1, cores() // jobs))
    return {name: share for name in _THREADS if name not in os.environ}
