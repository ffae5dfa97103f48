"""Time how long commands take to start: the least of several, the whole process.

python benchmarks/bench_start.py
"""

from __future__ import annotations

import subprocess
import sys
import time

COMMANDS = {("--help",): 0.15, ("plugins",): 0.5, ("select", "--help"): None, ("doctor",): None}
RUNS = 7


def seconds(arguments: tuple[str, ...]) -> float:
    command = [sys.executable, "-m", "ig4.cli.main", *arguments]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    for arguments, goal in COMMANDS.items():
        took = sorted(seconds(arguments) for _ in range(RUNS))
        note = f"goal {goal} s" if goal else ""
        print(
            f"ig4 {' '.join(arguments):<16} {took[0]:.3f} s, median {took[RUNS // 2]:.3f} s  {note}"
        )


if __name__ == "__main__":
    main()
