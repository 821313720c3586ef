"""Real nodes for the bench: `wildgrass up` in processes of their own, and what the system counts of them.

async with running(folder) as node:
    await node.api.call("GET", "/status")
    cpu_seconds(node.pid), resident_mib(node.pid), written_mib(node.pid)
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import MIB
from node.api_token import read_token
from node.operations.demo.api_client import ApiClient
from node.operations.demo.processes import NodeProcess
from node.operations.demo.village import free_ports


@dataclass(frozen=True, slots=True)
class Run:
    """One running node: its process, where peers reach it, and a client of its API."""

    folder: Path
    pid: int
    address: str
    http_place: tuple[str, int]
    api: ApiClient


@asynccontextmanager
async def running(folder: Path, *settings: str) -> AsyncIterator[Run]:
    """Run the node of a founded folder on free ports of the loopback, without mDNS, until the block ends."""
    http, federation = free_ports(2)
    process = NodeProcess(
        folder,
        *("--listen-http", f"127.0.0.1:{http}"),
        *("--listen-federation", f"127.0.0.1:{federation}"),
        *("--mdns", "off", "--log-level", "warning"),
        *settings,
    )
    process.start()
    try:
        answering = await process.ready()
        async with ApiClient(answering.http_place, read_token(folder)) as api:
            yield Run(folder, answering.pid, answering.federation, answering.http_place, api)
    finally:
        await process.stop()


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds, own and the system's, that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Return the memory that a process holds resident, in MiB."""
    return _number(f"/proc/{pid}/status", "VmRSS:") / 1_024


def peak_resident_mib(pid: int) -> float:
    """Return the most memory that a process ever held resident, in MiB; 0 where it has just ended."""
    return _number(f"/proc/{pid}/status", "VmHWM:") / 1_024


def written_mib(pid: int) -> float:
    """Return what a process has handed to the disk, in MiB; rewritten pages count each time."""
    return _number(f"/proc/{pid}/io", "write_bytes:") / MIB


def _number(file: str, name: str) -> int:
    lines = Path(file).read_text(encoding="ascii").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)
