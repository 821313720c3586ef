"""What a recovery wants of its own lanes is what peers show, what notes seal, and what a note on its way will open."""

from node.recovery.shown import sealed_sizes, shown_sizes
from protocol.exchange.heads import state_head
from protocol.identity.genesis import Genesis
from protocol.identity.succession import EpochChain, make_chain
from protocol.identity.successor import EpochKeys
from protocol.lanes import BODY_TYPES
from protocol.lanes.kind import CHARTER
from protocol.log.merkle import leaf_hashes
from protocol.log.origin import Origin
from protocol.log.record import decode_record
from tests.exchange.memory_store import sign_head
from tests.successors import log_key_of, note_of
from tests.village import Village


def chain_of(village: Village, *notes: bytes) -> EpochChain:
    genesis = decode_record(village.entries_in(0)[CHARTER][0], BODY_TYPES).body
    assert isinstance(genesis, Genesis)
    first = EpochKeys.of_genesis(village.community, genesis)
    return make_chain(first, {epoch: [raw] for epoch, raw in enumerate(notes)})


def test_a_lane_whose_note_has_not_come_is_wanted_all_the_same() -> None:
    """Else the epoch that this note closed would be closed a second time, over less than it came to."""
    village = Village("shop")
    leaves = leaf_hashes(village.entries_in(0)[CHARTER])
    later = state_head(sign_head(Origin(village.community, CHARTER, 1), leaves, log_key_of(village, 1)).note)
    assert shown_sizes([later], chain_of(village)) == {Origin(village.community, CHARTER, 1): len(leaves)}


def test_a_head_that_another_key_signed_and_another_community_are_passed_over() -> None:
    """A liar among the peers makes nobody wait for what is not there."""
    village, other = Village("shop"), Village("other")
    leaves = leaf_hashes(village.entries_in(0)[CHARTER])
    forged = state_head(sign_head(Origin(village.community, CHARTER, 0), leaves, log_key_of(village, 1)).note)
    foreign = state_head(sign_head(Origin(other.community, CHARTER, 3), leaves, log_key_of(other, 1)).note)
    assert shown_sizes([forged, foreign], chain_of(village)) == {}


def test_what_is_sealed_is_wanted_and_nothing_beyond_it() -> None:
    """Also where no peer shows it: without it nothing of a later epoch could ever be folded."""
    village = Village("shop")
    entries = village.entries_in(0)[CHARTER]
    chain = chain_of(village, note_of(village))
    beyond = leaf_hashes([*entries, b"beyond the seal"])
    shown = state_head(sign_head(Origin(village.community, CHARTER, 0), beyond, village.log).note)
    wanted = {Origin(village.community, CHARTER, 0): len(entries)}
    assert sealed_sizes(chain)[Origin(village.community, CHARTER, 0)] == len(entries)
    assert shown_sizes([shown], chain) == wanted
