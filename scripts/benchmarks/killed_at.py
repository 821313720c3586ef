"""Runs a command of `wildgrass` whose process is killed by SIGKILL at one step: before a function is called.

    python killed_at.py node.recovery.recovering:learn_successor recover --folder ...

Only the process knows: no hook stands in the product for it. Without that call the command runs to its end.
"""

import os
import runpy
import signal
import sys
from importlib import import_module


def main() -> None:
    """Put the kill where the call would be, and run the command."""
    place, *arguments = sys.argv[1:]
    module, _, path = place.partition(":")
    owner: object = import_module(module)
    *holders, name = path.split(".")
    for holder in holders:
        owner = getattr(owner, holder)
    assert callable(getattr(owner, name)), f"{place} is no step"
    setattr(owner, name, _die)
    sys.argv = ["wildgrass", *arguments]
    runpy.run_module("node.cli", run_name="__main__")


def _die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
