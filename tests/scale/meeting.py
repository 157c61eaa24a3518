"""How processes on this machine find each other."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from multiprocessing.process import BaseProcess

# Starts the command, by its arguments, in so many processes.
Start = Callable[..., list[BaseProcess]]


def together(count: int) -> dict[str, str]:
    """Variables by which processes on this machine find each other."""
    # Only the loopback interface: there may be no other, or a firewall.
    (loopback, *_) = (name for _, name in socket.if_nameindex() if name[:2] == "lo")
    return {
        "GLOO_SOCKET_IFNAME": loopback,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
    }


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
