"""How far peers show a community its own lanes, as a recovery has to fetch them (PROTOCOL.md section 25).

sizes = shown_sizes(stated, chain)              # of one peer
"""

from collections.abc import Iterable

from protocol.errors import ProtocolError
from protocol.exchange.frames import StatedHead
from protocol.exchange.heads import read_offer
from protocol.identity.succession import EpochChain
from protocol.log.origin import Origin


def shown_sizes(stated: Iterable[StatedHead], chain: EpochChain) -> dict[Origin, int]:
    """Return how far a peer's heads show our lanes, under signatures that hold; of closed epochs as far as they count.

    Who shows a lane of an epoch that is not known here has the note that opens it: until that note has come,
    the lane counts as wanted, or a second note would be made for one epoch.
    """
    sizes: dict[Origin, int] = {}
    for head in stated:
        try:
            offer = read_offer(head)
            origin, size = offer.origin, offer.checkpoint.size
            if origin.community != chain.newest.community or (origin.epoch > chain.epoch and chain.contested):
                continue
            if origin.epoch <= chain.epoch:
                size = offer.open(chain.keys[origin.epoch].log_key).size
        except ProtocolError:
            continue
        sealed = chain.seal(origin.lane, origin.epoch)
        if chain.is_closed(origin.epoch):
            size = min(size, sealed.size if sealed else 0)
        sizes[origin] = size
    return sizes


def sealed_sizes(chain: EpochChain) -> dict[Origin, int]:
    """Return how far the lanes of closed epochs count, whether anybody shows them or not."""
    return {
        Origin(chain.newest.community, lane, closing.epoch): sealed.size
        for closing in chain.closings
        for lane, sealed in closing.lanes.items()
    }
