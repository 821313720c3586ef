"""Going on alone: a steward decides that this node signs though its neighbours were not reached (section 24)."""

from node.actions.shapes import Request, Said, said
from node.core import Node
from node.errors import NodeError
from protocol.lanes.charter.writers import WriterResumed
from protocol.lanes.kind import CHARTER

WAITING = "waiting_for_neighbours"


class AloneDraft(Request, frozen=True, kw_only=True):
    """Nothing to say: it is only asked for where this node waits for its neighbours."""


async def continue_alone(node: Node, request: AloneDraft) -> Said:
    """Sign without waiting for the neighbours any longer; the charter records it."""
    refusal = node.writer.refuses_because
    if refusal is None or refusal.code != WAITING:
        raise NodeError("alone_refused", "" if refusal is None else refusal.code)
    answered, asked = node.federation_service.start_answers
    node.federation_service.go_on_alone()
    body = WriterResumed(asked=asked, answered=answered)
    return await node.write(lambda transaction: said(transaction.say(CHARTER, body)))
