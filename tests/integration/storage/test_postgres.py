"""The server that tests start ends with them, however they end."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.storage.postgres import binaries

RUN = """
import sys
from tests.integration.storage.postgres import PostgresServer, binaries
server = PostgresServer.start(binaries())
pid = (server.folder / "data" / "postmaster.pid").read_text().split()[0]
print(pid, server.watch.pid, server.folder, flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for processes that are not its own as Linux can")
def test_a_killed_test_run_leaves_no_server_behind(repository):
    if binaries() is None:
        pytest.skip("needs the server programs of PostgreSQL (Debian: postgresql)")
    command = [sys.executable, "-c", RUN]
    with subprocess.Popen(command, cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        pid, watch, folder = run.stdout.readline().split()
        handles = [os.pidfd_open(int(number)) for number in (pid, watch)]
        run.kill()
    for handle in handles:
        assert select.select([handle], [], [], 60.0)[0], "it still runs"
        os.close(handle)
    assert not Path(folder).exists()
