"""The command behind `make run`."""

import os
import socket
import sys
from pathlib import Path

from infra.local.options import PYTHON_PATH
from infra.local.servers.supervisor import Program
from tests.support import eventually


def test_a_taken_port_is_named_with_the_variable_to_change(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        program = Program(
            "stack",
            [sys.executable, "-m", "infra.local", "run"],
            {
                **os.environ,
                "PYTHONPATH": PYTHON_PATH,
                "CHURN_STATE_DIR": str(tmp_path),
                "PORT": str(port),
                "WS_PORT": "0",
            },
            tmp_path / "log",
        )
        program.start()
        eventually(lambda: not program.alive)
    said = (tmp_path / "log").read_text()
    assert f"port {port} is taken" in said
    assert "set PORT to a free port" in said
    assert program.code == 1
