"""Starts the server as a process, tells it how to behave, and asks it what it has seen."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

SERVER = Path(__file__).with_name("server.py")


class LlmServer:
    """A running server; use it in a `with` block."""

    def __enter__(self) -> LlmServer:
        self.process = subprocess.Popen(
            [sys.executable, str(SERVER)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def anthropic_url(self) -> str:
        """What ANTHROPIC_BASE_URL is to be."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def openai_url(self) -> str:
        """What OPENAI_BASE_URL is to be."""
        return f"{self.anthropic_url}/v1"

    def configure(self, **changes: Any) -> None:
        """Change how it behaves; see world.DEFAULTS."""
        self._ask("configure", changes)

    def rule(self, fault: str, match: str = "", times: int | None = None, **more: Any) -> None:
        """Let requests whose body holds `match` suffer a fault, `times` times or always."""
        self.configure(rules=[{"fault": fault, "match": match, "times": times, **more}])

    def reset(self) -> None:
        """Let it forget everything."""
        self._ask("reset")

    def calls(self) -> list[dict[str, Any]]:
        """Every request for a rating so far, with its outcome."""
        return list(self._ask("calls")["calls"])

    @property
    def most(self) -> int:
        """The most requests that were on their way at a time."""
        return int(self._ask("calls")["most"])

    @property
    def held(self) -> int:
        """How many requests hang, by the faults hold, late and mute."""
        return int(self._ask("calls")["held"])

    def batches(self) -> dict[str, Any]:
        """Every batch so far."""
        return dict(self._ask("batches"))

    def repeats(self) -> int:
        """How many requests were answered although the same had been answered before."""
        answered = Counter(c["body"] for c in self.calls() if c["outcome"].startswith("ok"))
        return sum(count - 1 for count in answered.values())

    def _ask(self, what: str, body: Any = None) -> Any:
        data = json.dumps(body or {}).encode()
        url = f"{self.anthropic_url}/_control/{what}"
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=30) as response:
            return json.loads(response.read())
