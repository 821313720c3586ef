"""What is proven against a community, by its proofs alone (PROTOCOL.md section 23.5).

marks_by(open_epoch=1, fork_epochs=[0], is_contested=False) == ["RETIRED-KEY-MISUSED"]
"""

from collections.abc import Collection
from typing import Literal

Mark = Literal["CONTESTED", "FORKED", "RETIRED-KEY-MISUSED"]


def marks_by(*, open_epoch: int, fork_epochs: Collection[int], is_contested: bool) -> list[Mark]:
    """Return the marks, sorted; `fork_epochs` are the epochs of the lanes that are proven to have forked."""
    marks: list[Mark] = []
    if is_contested:
        marks.append("CONTESTED")
    if any(epoch >= open_epoch for epoch in fork_epochs):
        marks.append("FORKED")
    if any(epoch < open_epoch for epoch in fork_epochs):
        marks.append("RETIRED-KEY-MISUSED")
    return marks
