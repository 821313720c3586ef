"""The source tree as the house tests read it: files, syntax trees, imports."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("node", "protocol", "storage")


@cache
def python_files(*folders: str) -> tuple[Path, ...]:
    """Every Python file below these folders of the project, those of `scripts` without an ending included."""
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    if "scripts" in folders:
        found += [path for path in (ROOT / "scripts").iterdir() if path.is_file() and _is_python_script(path)]
    return tuple(sorted(found))


def committed_paths(*folders: str) -> list[Path]:
    """What git tracks below these folders (none: everything), relative to the project; skips without git."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so nothing tells the project's files from a visitor's")
    command = ["git", "ls-files", "-z", *folders]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(name) for name in listed.stdout.split("\0") if name]


@cache
def syntax(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def place(path: Path, line: int = 0) -> str:
    """How a finding names its place."""
    name = path.relative_to(ROOT).as_posix()
    return f"{name}:{line}" if line else name


def imported_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Dotted names of everything imported anywhere in the file, inside functions too, with their lines."""
    for part in ast.walk(tree):
        if isinstance(part, ast.Import):
            for alias in part.names:
                yield alias.name, part.lineno
        elif isinstance(part, ast.ImportFrom):
            yield "." * part.level + (part.module or ""), part.lineno


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method, at any depth."""
    for part in ast.walk(tree):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            yield part


def shell_scripts() -> list[Path]:
    """Every script that says it is one for sh, and the part that they share."""
    below = [ROOT / ".ci" / "run", *(ROOT / "scripts").iterdir()]
    return sorted(
        path for path in below if path.is_file() and _first_line(path) in ("#!/bin/sh", "# Sourced")
    )


def _first_line(path: Path) -> str:
    with path.open("rb") as file:
        line = file.readline(80).decode("utf-8", errors="replace").rstrip("\n")
    return "# Sourced" if line.startswith("# Sourced ") else line


def _is_python_script(path: Path) -> bool:
    return "python" in _first_line(path)
