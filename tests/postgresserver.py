"""A PostgreSQL server of a test's own, which it may stop and start."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, if it is installed."""
    named = shutil.which("initdb")
    if named:
        return Path(named).parent
    for place in _PLACES:
        for folder in sorted(Path("/").glob(place.lstrip("/")), reverse=True):
            if (folder / "initdb").exists():
                return folder
    return None


class PostgresServer:
    """A server on a socket in a folder; its data outlives a stop."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs = programs
        self.folder = folder
        self.url = f"postgresql+psycopg://ig4@/postgres?host={folder}"

    def create(self) -> None:
        options = ["-U", "ig4", "-A", "trust", "-E", "UTF8", "--locale=C"]
        self._run("initdb", "-D", self.folder / "data", *options)

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off"
        log = self.folder / "log"
        self._run("pg_ctl", "-D", self.folder / "data", "-l", log, "-w", "start", "-o", options)

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", self.folder / "data", "-m", mode, "-w", "stop")

    def _run(self, program: str, *arguments: object) -> None:
        # The server refuses to run as root.
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*user, str(self.programs / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=60)


@contextmanager
def running(programs: Path) -> Iterator[PostgresServer]:
    """Yield a new server, in memory where there is room; it is gone in the end."""
    memory = Path("/dev/shm")
    parent = memory if os.access(memory, os.W_OK) and "TMPDIR" not in os.environ else None
    folder = Path(tempfile.mkdtemp(prefix="ig4-server.", dir=parent))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    server = PostgresServer(programs, folder)
    try:
        server.create()
        server.start()
        yield server
    finally:
        with suppress(subprocess.CalledProcessError):  # the test may have stopped it
            server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)
