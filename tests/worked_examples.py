"""The worked examples of PROTOCOL.md, read from its text: what the specification prints is what is tested.

An example is a fenced block that opens with three backticks and `example <name>`. Most have lines of
`key = value`, where indented lines continue the one above.
"""

from pathlib import Path

PROTOCOL_TEXT = (Path(__file__).resolve().parent.parent / "PROTOCOL.md").read_text(encoding="utf-8")


def worked_text(name: str) -> str:
    return PROTOCOL_TEXT.split(f"```example {name}\n")[1].split("```")[0]


def worked_example(name: str) -> dict[str, str]:
    lines = worked_text(name).replace("\n  ", "").splitlines()
    pairs = (line.partition(" =") for line in lines)
    return {key: value.strip() for key, _, value in pairs}


def worked_bytes(name: str) -> dict[str, bytes]:
    return {key: bytes.fromhex(value) for key, value in worked_example(name).items()}


def worked_lines(name: str) -> list[list[str]]:
    """The lines of an example whose lines are columns separated by `|`."""
    return [[column.strip() for column in line.split("|")] for line in worked_text(name).splitlines()]
