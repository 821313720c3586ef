"""Stewards see what each of several notes says that contradict each other, and choose one by a button."""

from pathlib import Path

from node.epochs import epoch_chain, learn_successor
from node.recovery.succession import make_note
from node.vault import Kit, entropy_of_words
from node.writer.transaction import Transaction
from protocol.identity.keys import to_base32
from protocol.identity.successor import SealedLane
from protocol.lanes.kind import CHARTER
from tests.pages.neighbour_nodes import opened_community


async def test_stewards_see_what_each_note_says_and_choose_one(tmp_path: Path) -> None:
    """Time, signers and sizes of both are on the page; after the choice nothing is contested any more."""
    kits: list[Kit] = []
    async with opened_community(tmp_path / "home", "Orchard", keep_kit=kits.append) as orchard:
        node = orchard.node
        chain = await node.read(lambda read: epoch_chain(read, node.community))
        assert chain is not None
        entropy = entropy_of_words(kits[0].words)
        sealed: list[dict[str, SealedLane]] = [{}, {CHARTER: SealedLane(7, bytes(32))}]
        notes = [make_note(chain, entropy, lanes=lanes, now_ms=1_700_000_000_000) for lanes in sealed]

        def learn(transaction: Transaction) -> None:
            for made in notes:
                learn_successor(transaction, made.note)
            transaction.note_succession(node.community)

        await node.write(learn)
        steward = await orchard.browser("steward")
        assert "See what each note says" in (await steward.get("/keys")).words
        page = await steward.get(f"/keys/choice?community={orchard.id}")
        for words in ("Note 2", "enough recovery sheets", "7 records", "It keeps none of this epoch."):
            assert words in page.words
        assert (await steward.get("/keys/choice?community=nobody")).status == 404
        found = await node.read(lambda read: epoch_chain(read, node.community))
        assert found is not None
        chosen = {"note": to_base32(found.contested[0].name), "community": orchard.id}
        assert (await steward.post("/keys/choice", **chosen)).location == "/keys?said=chosen"
        assert "No notes of this community contradict" in (await steward.get("/keys/choice")).words
