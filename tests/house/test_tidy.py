"""The style of the house where a program can see it: names, sizes, leftovers, ignores, what a test does."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.house.tree import (
    ROOMS,
    ROOT,
    committed_paths,
    functions,
    imported_names,
    place,
    python_files,
    syntax,
)

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 100
MODULE_DOCSTRING_LINES_MAX = 10
# Past the bounds, with the reason why splitting would read worse: "file.py" or "file.py function": reason.
LONGER_FOR_A_REASON: dict[str, str] = {}
# Files that catch everything and go on, "file.py": reason. Only for the outermost loop of a task.
CATCHES_ALL_FOR_A_REASON: dict[str, str] = {
    "node/api/frame.py": "the outermost loop of a request: whatever it was, the next one is served",
    "node/automation/__init__.py": "the outermost loop of a task: what is left to do goes on",
    "tests/identity/test_sealing.py": "any failure of the library is the verdict that is compared",
}

TOP_LEVEL = {
    *ROOMS,
    *("scripts", "tests", "pyproject.toml", "PROTOCOL.md"),
    *("README.md", "LICENSE", "requirements.lock", "requirements-test.lock"),
    *(".ci", ".gitignore", ".dockerignore"),
}
# With brackets, so that this file does not find itself.
LEFTOVERS = re.compile(r"\b(T[O]DO|F[I]XME|H[A]CK|N[o]tImplementedError)\b")
MACHINE_PATHS = re.compile(
    r"/w[o]rk/(main|shared|\.lib)|/r[o]ot/|p[y]pi\.o|pythonh[o]sted|n[p]mjs\.|d[e]b\.debian|proxy\.g[o]lang"
)
IGNORE = re.compile(r"#\s*(n[o]qa|type:\s*ignore)(.*)")
NOQA_REASON = re.compile(r": [A-Z]+[0-9]+(, [A-Z]+[0-9]+)*  \S+")
TYPE_REASON = re.compile(r"\[[a-z-]+(, [a-z-]+)*\]  # \S+")
ASSERTING_CALLS = {"raises", "warns", "fail", "suppress", "run_state_machine_as_test"}
CODE = ("node", "protocol", "storage", "scripts", "tests")


def test_no_package_marker_stands_below_tests() -> None:
    """An `__init__.py` there would shadow the real package of the same name."""
    assert [place(path) for path in (ROOT / "tests").rglob("__init__.py")] == []


def test_every_test_file_has_a_name_of_its_own() -> None:
    """Two `test_story.py` in two folders cannot be told apart in a report."""
    names = Counter(path.name for path in python_files("tests") if path.name.startswith("test_"))
    assert [name for name, count in names.items() if count > 1] == []


def test_nothing_has_grown_past_the_hard_bounds() -> None:
    """Files think again past 400 lines and functions past 70; these bounds are where they must be split."""
    found = [
        f"{where} has {lines} lines"
        for path in python_files(*CODE)
        for where, lines, lines_max in _sizes(path)
        if lines > lines_max and where not in LONGER_FOR_A_REASON
    ]
    assert not found, "\n".join(found)


def test_every_module_opens_by_saying_what_lives_here() -> None:
    """A docstring of one to ten lines, in tests too."""
    found = []
    for path in python_files(*CODE):
        if path.stat().st_size:
            lines = (ast.get_docstring(syntax(path)) or "").splitlines()
            if not 1 <= len(lines) <= MODULE_DOCSTRING_LINES_MAX:
                found.append(f"{place(path)} opens with {len(lines)} lines")
    assert not found, "\n".join(found)


def test_nothing_is_left_for_later() -> None:
    """What is not built is an issue, not a word in the code."""
    found = _lines_matching(LEFTOVERS, python_files(*ROOMS, "scripts"))
    assert not found, "\n".join(found)


def test_no_file_names_a_machine_or_a_package_index() -> None:
    """What is committed works wherever it is cloned to."""
    found = _lines_matching(MACHINE_PATHS, _committed_texts())
    assert not found, "\n".join(found)


def test_who_catches_everything_raises_it_again() -> None:
    """A broad handler hides bugs, except where it cleans up and passes the exception on."""
    found = [
        place(path, handler.lineno)
        for path in python_files(*CODE)
        for handler in ast.walk(syntax(path))
        if isinstance(handler, ast.ExceptHandler)
        and _catches_all(handler)
        and not _raises_again(handler)
        and place(path) not in CATCHES_ALL_FOR_A_REASON
    ]
    assert not found, "\n".join(found)


def test_every_allowance_is_still_needed() -> None:
    """A reason that outlived its cause is taken out."""
    sizes = {where: lines > bound for path in python_files(*CODE) for where, lines, bound in _sizes(path)}
    assert [where for where in LONGER_FOR_A_REASON if not sizes.get(where)] == []
    assert [name for name in CATCHES_ALL_FOR_A_REASON if not (ROOT / name).is_file()] == []


def test_every_ignore_carries_its_code_and_a_reason() -> None:
    """The two spaces and the words behind the code are the reason."""
    found = []
    for path in python_files(*CODE):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            ignore = IGNORE.search(line)
            if ignore and not _has_reason(ignore):
                found.append(f"{place(path, number)}: {ignore[0]}")
    assert not found, "\n".join(found)


def test_real_objects_stand_in_tests() -> None:
    """No mocks: the core is pure, the storage is real, network and clock have one fake each."""
    found = [
        place(path, line)
        for path in python_files(*CODE)
        for name, line in imported_names(syntax(path))
        if name.startswith("unittest") or name == "mock"
    ]
    assert not found, "\n".join(found)


def test_every_test_asserts_something_and_says_what_must_hold() -> None:
    """A test without an assertion passes for ever; a test without a sentence cannot be judged."""
    found = []
    for path in python_files("tests"):
        for test in functions(syntax(path)):
            if path.name.startswith("test_") and test.name.startswith("test_"):
                found += [f"{place(path, test.lineno)} {test.name} {fault}" for fault in _faults(test)]
    assert not found, "\n".join(found)


def test_the_top_level_is_what_the_owner_fixed() -> None:
    """New rooms open inside the three packages, not beside them."""
    names = {path.parts[0] for path in committed_paths()}
    assert names - TOP_LEVEL == set()


def _sizes(path: Path) -> Iterator[tuple[str, int, int]]:
    """Name, lines and bound of the file and of each of its functions."""
    yield place(path), len(path.read_text(encoding="utf-8").splitlines()), FILE_LINES_MAX
    for function in functions(syntax(path)):
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        yield f"{place(path)} {function.name}", lines, FUNCTION_LINES_MAX


def _lines_matching(pattern: re.Pattern[str], paths: tuple[Path, ...]) -> list[str]:
    found = []
    for path in paths:
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
        ):
            if pattern.search(line):
                found.append(f"{place(path, number)}: {line.strip()[:100]}")
    return found


def _committed_texts() -> tuple[Path, ...]:
    """Tracked files without a NUL byte, apart from this one, which names what it looks for."""
    paths = [ROOT / path for path in committed_paths() if path.name != Path(__file__).name]
    return tuple(path for path in paths if path.is_file() and b"\0" not in path.read_bytes())


def _catches_all(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or getattr(kind, "id", "") in ("Exception", "BaseException") for kind in caught)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _has_reason(ignore: re.Match[str]) -> bool:
    wanted = NOQA_REASON if ignore[1] == "noqa" else TYPE_REASON
    return bool(wanted.match(ignore[2]))


def _faults(test: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    if not ast.get_docstring(test):
        yield "says nothing"
    if not _asserts(test, ASSERTING_CALLS | _asserting_helpers()):
        yield "asserts nothing"


@cache
def _asserting_helpers() -> set[str]:
    """Names of the functions below tests/ that assert for others."""
    helpers = [helper for path in python_files("tests") for helper in functions(syntax(path))]
    return {helper.name for helper in helpers if _asserts(helper, ASSERTING_CALLS)}


def _asserts(function: ast.AST, asserting: set[str]) -> bool:
    return any(isinstance(part, ast.Assert) or _is_call_of(part, asserting) for part in ast.walk(function))


def _is_call_of(part: ast.AST, asserting: set[str]) -> bool:
    """A call by one of these names, or of a process that must end well."""
    if not isinstance(part, ast.Call):
        return False
    must_end_well = any(word.arg == "check" and getattr(word.value, "value", False) for word in part.keywords)
    return must_end_well or (getattr(part.func, "id", None) or getattr(part.func, "attr", "")) in asserting
