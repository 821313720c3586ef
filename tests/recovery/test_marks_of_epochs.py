"""What is shown of a community that forked, before and after a successor note has settled which branch goes on."""

from pathlib import Path

from node.epochs import learn_successor
from node.forks import FORK
from node.marks import marks_of
from protocol.identity.keys import SigningKey
from protocol.lanes.kind import CHARTER
from storage.engine import open_store
from storage.evidence import add_evidence
from storage.peers import Peer, save_peer
from storage.views.reading import StateReader
from tests.successors import note_of
from tests.village import Village


def test_a_note_turns_a_fork_into_a_retired_key_misused_and_two_notes_contest(tmp_path: Path) -> None:
    """Forked while its epoch is open; settled by a note; contested where a second quorum says otherwise."""
    village = Village("home")
    notes = [note_of(village, by="recovery", log=SigningKey(word * 32)) for word in (b"1", b"2")]
    with open_store(tmp_path) as store, store.write() as connection:
        read = StateReader(connection)
        genesis = village.entries[CHARTER][0]
        save_peer(connection, Peer(village.community, "", (), "followed", genesis=genesis))
        assert marks_of(read, village.community) == []
        add_evidence(connection, village.community, 0, FORK, b"two histories")
        assert marks_of(read, village.community) == ["FORKED"]
        learn_successor(read, notes[0])
        assert marks_of(read, village.community) == ["RETIRED-KEY-MISUSED"]
        learn_successor(read, notes[1])
        assert marks_of(read, village.community) == ["CONTESTED", "FORKED"]
