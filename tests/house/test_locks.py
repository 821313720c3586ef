"""The locks hold what pyproject.toml asks for, every wheel by its hash, and name no index."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.house.tree import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ("requirements.lock", "requirements-test.lock")
PIN = re.compile(r"([a-z0-9-]+)==(\S+)(?: ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_pins_and_hashes_and_nothing_else(lock: str) -> None:
    """No address, no option but the one that refuses to compile, and no pin without a hash."""
    lines = [line for line in _read(lock).splitlines() if line and not line.startswith("#")]
    assert lines.pop(0) == "--only-binary :all:"
    strange = [line for line in lines if not PIN.fullmatch(line) and not HASH.fullmatch(line)]
    naked = [
        line
        for line, following in zip(lines, [*lines[1:], ""], strict=True)
        if PIN.match(line) and not HASH.match(following)
    ]
    assert not strange + naked, "\n".join(strange + naked)


def test_the_run_lock_holds_every_dependency_the_extra_and_the_build_backend() -> None:
    """An installation without a network, from a folder of these wheels, is complete."""
    project = PYPROJECT["project"]
    wanted = [
        *project["dependencies"],
        *project["optional-dependencies"]["postgres"],
        *PYPROJECT["build-system"]["requires"],
    ]
    assert not _unmet(wanted, _pins(LOCKS[0]))


def test_the_test_lock_adds_the_test_group_and_repeats_nothing() -> None:
    """Both locks are installed together, so that each package stands in one of them."""
    run, more = _pins(LOCKS[0]), _pins(LOCKS[1])
    assert not _unmet(PYPROJECT["dependency-groups"]["test"], run | more)
    assert set(run) & set(more) == set()


def _read(lock: str) -> str:
    return (ROOT / lock).read_text(encoding="utf-8")


def _pins(lock: str) -> dict[str, set[str]]:
    """Versions by name; there are two where an old system needs an older one."""
    pins: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", _read(lock), re.MULTILINE):
        pins.setdefault(name, set()).add(version)
    return pins


def _unmet(wanted: list[str], pins: dict[str, set[str]]) -> list[str]:
    """Requirements that some pinned version does not meet, or that no pin is for."""
    unmet = []
    for requirement in map(Requirement, wanted):
        versions = pins.get(requirement.name.lower().replace("_", "-"), set())
        if not versions or not all(requirement.specifier.contains(Version(version)) for version in versions):
            unmet.append(str(requirement))
    return unmet
