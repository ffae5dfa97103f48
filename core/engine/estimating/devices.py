"""What a component computes on, in words that tell speeds of one machine from those of another."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ig4.core.contracts import Configurable


def device_of(component: Configurable) -> str:
    """Return what a component works on: "cuda (NVIDIA H200)", or "cpu (16 cores)".

    Components that choose a device say which in their options' `resolved_device`.
    """
    device = str(getattr(component.options, "resolved_device", None) or "cpu")
    if device.startswith("cuda"):
        return _gpu(device)
    return f"cpu ({_cores()} cores)" if device == "cpu" else device


def _gpu(device: str) -> str:
    torch = sys.modules.get("torch")  # loaded by who uses the device; nobody loads it for a name
    if torch is None:
        return device
    name = ""
    with suppress(Exception):  # a driver may answer in many ways, and a name is not worth an error
        name = torch.cuda.get_device_name(device)
    return f"cuda ({name})" if name else device


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
