"""How a mistake is planted for the length of a run: a few words of one function are others.

with planted(Mistake("...", "protocol.exchange.fetch:LaneFetch._left", "pop(event.peer, None)", "get(event.peer)")):
    simulate(...)
"""

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from protocol.lanes import KINDS

_ROOMS = ("node", "protocol", "simulation", "storage")


@dataclass(frozen=True, slots=True)
class Mistake:
    """A believable mistake: in the function at `where`, the words `right` were written as `wrong`.

    `scenarios` are tried in this order until one of them finds it.
    """

    says: str
    where: str
    right: str
    wrong: str
    scenarios: tuple[str, ...]


class Stale(Exception):
    """The words of a planted mistake do not stand in the code any more."""


@contextmanager
def planted(mistake: Mistake) -> Iterator[None]:
    """Let the mistake be in the code, wherever the function is known; raises `Stale`."""
    owner, name, original = _find(mistake.where)
    function = original.fget if isinstance(original, property) else original
    wrong = _rewritten(function, mistake)
    if isinstance(original, property):
        wrong = property(wrong)
    undo = [
        *_in_owner(owner, name, original, wrong),
        *_in_modules(original, wrong),
        *_in_kinds(original, wrong),
    ]
    try:
        yield
    finally:
        for act in undo:
            act()


def _find(where: str) -> tuple[Any, str, Any]:
    module_name, _, path = where.partition(":")
    owner: Any = import_module(module_name)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    return owner, name, vars(owner)[name]


def _rewritten(function: Any, mistake: Mistake) -> Any:
    source = textwrap.dedent(inspect.getsource(function))
    if source.count(mistake.right) != 1:
        raise Stale(f"{mistake.where}: {source.count(mistake.right)} times {mistake.right!r}")
    source = source.replace(mistake.right, mistake.wrong).removeprefix("@property\n")
    made: dict[str, Any] = {}
    exec(compile(source, f"<planted in {mistake.where}>", "exec"), function.__globals__, made)
    return made[function.__name__]


def _in_owner(owner: Any, name: str, original: Any, wrong: Any) -> Iterator[Callable[[], None]]:
    """The class or module itself, and the tables of moves of a class."""
    setattr(owner, name, wrong)
    yield lambda: setattr(owner, name, original)
    for table in [value for value in vars(owner).values() if isinstance(value, dict)]:
        for key in [key for key, value in table.items() if value is original]:
            table[key] = wrong
            yield _putting_back(table, key, original)


def _in_modules(original: Any, wrong: Any) -> Iterator[Callable[[], None]]:
    """Whoever has imported it."""
    for module in list(sys.modules.values()):
        if module.__name__.split(".")[0] in _ROOMS:
            for name in [name for name, value in vars(module).items() if value is original]:
                setattr(module, name, wrong)
                yield _setting_back(module, name, original)


def _in_kinds(original: Any, wrong: Any) -> Iterator[Callable[[], None]]:
    """The record kinds that have it as their step."""
    for kind in KINDS.values():
        if kind.step is original:
            object.__setattr__(kind, "step", wrong)
            yield _stepping_back(kind, original)


def _putting_back(table: dict[Any, Any], key: Any, original: Any) -> Callable[[], None]:
    return lambda: table.__setitem__(key, original)


def _setting_back(module: Any, name: str, original: Any) -> Callable[[], None]:
    return lambda: setattr(module, name, original)


def _stepping_back(kind: Any, original: Any) -> Callable[[], None]:
    return lambda: object.__setattr__(kind, "step", original)
