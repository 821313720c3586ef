"""`wildgrass` as processes: one command to its end, or one node until it is told to stop.

Each is a session of its own, so that Ctrl-C in the terminal reaches the demo alone, and the demo stops them in
order. Nothing of the user's own settings reaches them: they never touch the real node's folder or database.

    done = await run_command("policy", "list", "--folder", str(folder), "--json", cwd=folder)
    done.answer["policies"]
"""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any

import node
from node.errors import ApiRefusal, NodeError, Report
from node.operations.lifecycle import RunningNode, running_node

COMMAND_SECONDS_MAX = 120
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 6  # a node stops in under three; one that does not is killed
LAST_LINES = 12

_POLL_SECONDS = 0.02
_KEPT = frozenset({"WILDGRASS_LANGUAGE"})


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended. `output` is its standard output, `said` what it told a person."""

    exit_code: int
    output: str
    said: str

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON object on the last line, or `node_answer_malformed`."""
        try:
            answer = json.loads(self.output.rstrip("\n").rpartition("\n")[2])
        except ValueError as error:
            raise NodeError("node_answer_malformed", self.said[-500:]) from error
        assert isinstance(answer, dict), "commands answer with objects"
        return answer


def environment() -> dict[str, str]:
    """Return this process's environment without the user's settings, with this code in front of any other."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("WILDGRASS_") or name in _KEPT
    }
    here = str(Path(node.__file__).parent.parent)
    paths = [here, *filter(None, kept.get("PYTHONPATH", "").split(os.pathsep))]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}


async def run_command(*arguments: str, cwd: Path, exit_codes: frozenset[int] = frozenset({0})) -> Done:
    """Run one `wildgrass` command to its end; an exit code outside `exit_codes` raises what it refused."""
    process = await asyncio.create_subprocess_exec(
        *_command_line(arguments),
        cwd=cwd,
        env=environment(),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(COMMAND_SECONDS_MAX):
            output, said = await process.communicate()
    except TimeoutError as error:
        raise NodeError("demo_stalled", "wildgrass " + " ".join(arguments)) from error
    finally:
        if process.returncode is None:
            _signal_group(process.pid, signal.SIGKILL)
            await process.wait()
    assert process.returncode is not None
    done = Done(process.returncode, output.decode(errors="replace"), said.decode(errors="replace"))
    if done.exit_code not in exit_codes:
        raise ApiRefusal(_refusal(done, arguments))
    return done


class NodeProcess:
    """One `wildgrass up`, with its log beside its folder."""

    def __init__(self, folder: Path, *settings: str) -> None:
        """Take the folder of a founded community and the flags of `wildgrass up`."""
        self.folder = folder
        self.log = folder.with_name(folder.name + ".log")
        self._settings = settings
        self._process: Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process, or None where none runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def has_died(self) -> bool:
        """Whether it ended although nobody told it to stop."""
        return self._process is not None and self._process.poll() is not None

    def start(self) -> None:
        """Start it; `ready` waits until it answers."""
        arguments = ("up", "--folder", str(self.folder), *self._settings, "--no-qr", "--json")
        with self.log.open("ab") as log:
            # Not asyncio's: the end of its loop would end the node too, and a kept one lives on.
            self._process = Popen(
                _command_line(arguments),
                cwd=self.folder.parent,
                env=environment(),
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                start_new_session=True,
            )

    async def ready(self) -> RunningNode:
        """Return where it listens, as soon as it does; raises `demo_node_died` where it ends before."""
        deadline = asyncio.get_running_loop().time() + START_SECONDS_MAX
        while (running := running_node(self.folder)) is None or running.pid != self.pid:
            if self.has_died:
                raise self.died()
            if asyncio.get_running_loop().time() > deadline:
                raise NodeError("demo_stalled", f"{self.folder.name}: {self.last_words()}")
            await asyncio.sleep(_POLL_SECONDS)
        return running

    async def stop(self) -> None:
        """Ask it to stop and wait until it is no more; kill it where it does not in time."""
        process, self._process = self._process, None
        if process is None:
            return
        _signal_group(process.pid, signal.SIGTERM)
        try:
            with suppress(TimeoutExpired):
                await asyncio.to_thread(process.wait, STOP_SECONDS_MAX)
        finally:
            if process.poll() is None:
                _signal_group(process.pid, signal.SIGKILL)
                process.wait()

    def let_run(self) -> None:
        """Leave it to itself: it goes on when this process is no more."""
        self._process = None

    def died(self) -> NodeError:
        """Return the refusal that says how it ended."""
        exit_code = self._process.poll() if self._process else None
        return NodeError("demo_node_died", f"{self.folder.name}, exit code {exit_code}\n{self.last_words()}")

    def last_words(self) -> str:
        """Return the last lines of its log."""
        try:
            lines = self.log.read_text("utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return "\n".join("    " + line for line in lines[-LAST_LINES:])


def _command_line(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-P", "-m", "node.cli", *arguments]


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def _refusal(done: Done, arguments: tuple[str, ...]) -> Report:
    """What the command refused, as it said it; else its last words."""
    try:
        error = json.loads(done.output.rstrip("\n").rpartition("\n")[2])["error"]
        said = {name: str(error[name]) for name in ("code", "sentence", "detail", "next_step")}
    except (ValueError, KeyError, TypeError) as error:
        detail = f"wildgrass {arguments[0]}: {done.exit_code}\n{done.said[-2_000:]}"
        raise NodeError("demo_command_failed", detail) from error
    return Report(**said, status=0, exit_code=done.exit_code)
