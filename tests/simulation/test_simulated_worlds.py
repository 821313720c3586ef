"""Whole worlds of nodes, harmed and healed: what must hold holds, for these seeds, every time and everywhere."""

import os
import subprocess
import sys

import pytest

from simulation.scenarios import SCENARIOS
from simulation.world import simulate
from tests.house.tree import ROOT

HOURS = {
    "calm": 1,
    "lossy": 1,
    "partition": 1,
    "crashes": 1,
    "liars": 1,
    "restores": 0.5,
    "rotations": 0.25,
    "halves": 0.5,
    "line": 0.5,
}


@pytest.mark.parametrize("name", HOURS)
def test_what_must_hold_holds_through_harm_and_healing(name: str) -> None:
    """No invariant is broken, enough has happened, and all honest nodes agree in the end without an operator."""
    run = simulate(SCENARIOS[name], seed=1, hours=HOURS[name])
    assert run.violations == [], run.command
    assert run.healed_seconds is not None, run.command


@pytest.mark.parametrize(("name", "nodes", "seed"), [("line", 3, 24), ("crashes", 2, 25), ("crashes", 3, 27)])
def test_what_once_failed_holds(name: str, nodes: int, seed: int) -> None:
    """The seeds of the table of bugs found (tests/README)."""
    run = simulate(SCENARIOS[name], nodes=nodes, seed=seed, hours=0.3)
    assert not run.has_broken, run.violations


def test_twenty_thousand_node_hours_pass_without_a_broken_invariant() -> None:
    """Most of them idle, and skipped as such; in between people trade, the power fails, the network parts."""
    run = simulate(SCENARIOS["quiet"], seed=1)
    assert run.violations == [], run.command
    assert run.node_hours > 20_000


def test_every_equivocation_is_proven_everywhere_within_a_minute() -> None:
    """Three cheats with two nodes each, and all their lanes forked: small proofs, and nobody honest accused.

    One of them signs on with a log key that has been replaced: that is proven like the others.
    """
    run = simulate(SCENARIOS["equivocations"], seed=3)
    assert run.violations == [], run.command
    assert len(run.spread_ms) >= 20
    assert run.counts["proven: retired key"] >= 5
    assert max(run.spread_ms) <= 60_000
    assert 0 < run.proof_bytes_max <= 2_048


def test_one_seed_is_one_trace_in_every_process() -> None:
    """Neither the process, nor how it hashes, nor the runs before it change a byte of what happens."""
    command = [sys.executable, "-m", "simulation", "--scenario", "crashes", "--seed", "5", "--nodes", "4"]
    command += ["--hours", "0.3", "--default-latencies"]
    lines = [
        subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'scripts'}", "PYTHONHASHSEED": hashes},
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        for hashes in ("1", "2")
    ]
    run = simulate(SCENARIOS["crashes"], nodes=4, seed=5, hours=0.3)
    other = simulate(SCENARIOS["crashes"], nodes=4, seed=6, hours=0.3)
    assert lines[0] == lines[1]
    assert f"trace {run.digest[:16]}" in lines[0]
    assert run.digest != other.digest


def test_a_run_in_which_too_little_happened_fails() -> None:
    """Half a quiet minute proves nothing, and say so."""
    run = simulate(SCENARIOS["lossy"], nodes=2, seed=1, hours=0.01)
    assert any("too little happened" in violation for violation in run.violations)
