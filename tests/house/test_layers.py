"""Imports go one way, the core does nothing to the world, and an auditor needs three libraries."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOMS, ROOT, imported_names, place, python_files, syntax

MAY_IMPORT = {
    "protocol": {"protocol"},
    "storage": {"protocol", "storage"},
    "node": {"protocol", "storage", "node"},
}
IMPURE = {
    "asyncio",
    "socket",
    "time",
    "random",
    "secrets",
    "os",
    "threading",
    "sqlalchemy",
    "aiohttp",
    "zeroconf",
    "sqlite3",
    "subprocess",
    "pathlib",
    "tempfile",
}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "compile", "breakpoint", "__import__"}
CLOCK_OR_CHANCE = {"now", "utcnow", "today", "urandom", "token_bytes", "uuid1", "uuid4", "generate"}
AUDITOR_LIBRARIES = {"cryptography", "msgpack", "msgspec"}
AUDITOR_ROOMS = [room for room in ("protocol", "node.audit") if (ROOT / room.replace(".", "/")).is_dir()]
CARRIED_ALONG = {"cffi", "_cffi_backend", "pycparser", "typing_extensions"}  # cryptography brings these


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_from_node_to_storage_to_protocol(room: str) -> None:
    """No room imports one that stands above it, or the tests; imports are absolute, so that this shows."""
    forbidden = {*ROOMS, "tests", "scripts"} - MAY_IMPORT[room]
    found = [
        f"{place(path, line)} imports {name or 'a relative name'}"
        for path in python_files(room)
        for name, line in imported_names(syntax(path))
        if name.startswith(".") or name.split(".")[0] in forbidden
    ]
    assert not found, "\n".join(found)


def test_the_core_imports_nothing_that_touches_the_world() -> None:
    """Bytes, times and randomness come into protocol/ as arguments."""
    found = [
        f"{place(path, line)} imports {name}"
        for path in python_files("protocol")
        for name, line in imported_names(syntax(path))
        if name.split(".")[0] in IMPURE
    ]
    assert not found, "\n".join(found)


def test_the_core_calls_no_file_screen_clock_or_chance() -> None:
    """What no import shows: open, print, datetime.now, a key made by a library's own randomness."""
    found = [
        f"{place(path, call.lineno)} calls {name}"
        for path in python_files("protocol")
        for call in ast.walk(syntax(path))
        if isinstance(call, ast.Call)
        for name in [_impure_call(call)]
        if name
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("room", ["protocol", "storage"])
def test_only_the_node_is_async(room: str) -> None:
    """protocol/ and storage/ are plain functions, callable from a thread, an auditor or a simulator."""
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    found = [
        place(path, part.lineno)
        for path in python_files(room)
        for part in ast.walk(syntax(path))
        if isinstance(part, waiting)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("room", AUDITOR_ROOMS)
def test_an_auditor_needs_three_libraries(room: str) -> None:
    """protocol/ loads with cryptography, msgpack and msgspec; the auditor's command adds click alone."""
    more = {"click"} if room.startswith("node") else set()
    assert _libraries_loaded_by(room) <= AUDITOR_LIBRARIES | CARRIED_ALONG | more


def test_the_three_rooms_are_the_only_packages() -> None:
    """What pyproject.toml ships is what stands here."""
    folders = {path.parent.name for path in Path(ROOT).glob("*/__init__.py")}
    assert folders == set(ROOMS)


def _impure_call(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) if name in IMPURE_CALLS:
            return name
        case ast.Attribute(attr=name) if name in CLOCK_OR_CHANCE:
            return name
    return ""


def _libraries_loaded_by(room: str) -> set[str]:
    """Top-level names of what a fresh interpreter took from site-packages when it imported the whole room."""
    done = subprocess.run(
        [sys.executable, "-c", _LOAD_ALL, room], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


_LOAD_ALL = """
import importlib, pkgutil, sys, sysconfig
before = set(sys.modules)
room = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
    importlib.import_module(module.name)
packages = sysconfig.get_path("purelib"), sysconfig.get_path("platlib")
for name, module in list(sys.modules.items()):
    if name not in before and (getattr(module, "__file__", None) or "").startswith(packages):
        print(name.split(".")[0])
"""
