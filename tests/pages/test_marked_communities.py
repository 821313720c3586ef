"""A community that is proven to have forked is marked wherever it is shown, until a successor note ends it."""

from pathlib import Path

from node.actions.listings import ListingDraft, ListingsQuery, list_listings, publish_listing
from node.actions.peers import PeerAddress, PeersQuery, add_peer, list_peers
from node.actions.shops import ShopDraft, publish_shop
from node.marks import marks_of
from node.statements import Verdict, keep_statement
from node.vault.kit import Kit
from protocol.identity.keys import to_base32
from protocol.lanes.market.listings import FixedPrice, Tax
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.fork import make_fork
from protocol.log.origin import Origin
from tests.federation.test_statements_between_nodes import successor_note
from tests.pages.desk_site import community, publish
from tests.pages.neighbour_nodes import Community, opened_community


def fork_of(community: Community) -> bytes:
    """What a thief with the log key could sign."""
    log = community.node.vault.log_keys[0]
    origin = Origin(community.node.community, "trade", 0)
    older, newer = (
        make_checkpoint_note(Checkpoint(origin.text, 3, root), log) for root in (b"a" * 32, b"b" * 32)
    )
    return make_fork(older, newer, log.public)


async def keep(at: Community, text: bytes) -> None:
    assert await at.node.write(lambda transaction: keep_statement(transaction, text)) == Verdict()


async def offer_cider(node) -> None:
    shop = await publish_shop(node, ShopDraft(sector="food", name={"en": "Press"}))
    await publish_listing(
        node,
        ListingDraft(
            sector="food",
            shop_id=shop.shop_id,
            title={"en": "Cider"},
            price=FixedPrice(currency="EUR", amount_minor=450),
            unit_code="LTR",
            tax=Tax(tax_class="rate_700", rate_bp=700),
            fulfilment=["pickup"],
        ),
    )


async def test_a_fork_is_shown_in_every_list_of_orders(tmp_path: Path) -> None:
    """Of the seller to the member who ordered, of the buyer at the desk, on its cards and in its list."""
    async with community(tmp_path) as spring:
        keeper, member = await spring.person("Wang Mei"), await spring.person("Li Lei", "member")
        listing = await keeper.get((await publish(keeper)).path)
        shown = await member.get(
            f"/listings/{to_base32(spring.node.community)}/pets/{listing.path.rpartition('/')[2]}"
        )
        (form,) = (path for path in shown.forms if path.endswith("/order"))
        assert (
            await member.send(shown, form, quantity="1", name="Li Lei", contact="138", consent="yes")
        ).status == 200
        lists = [(member, "/orders"), (keeper, "/desk"), (keeper, "/desk/orders")]
        for visitor, path in lists:
            assert "Forked" not in (await visitor.get(path)).text, path
        await keep(spring, fork_of(spring))
        for visitor, path in lists:
            assert "Forked: it signed two histories" in (await visitor.get(path)).text, path


async def test_a_fork_is_shown_on_cards_and_in_answers_and_ends_with_a_note(tmp_path: Path) -> None:
    """Before the proof nothing is said; after it the card, the listing and both answers say FORKED."""
    kits: list[Kit] = []
    async with (
        opened_community(tmp_path / "a", "Orchard", keep_kit=kits.append) as orchard,
        opened_community(tmp_path / "b", "Ferry") as ferry,
    ):
        await offer_cider(orchard.node)
        await add_peer(ferry.node, PeerAddress(address=orchard.address, community=orchard.id))
        wanted = ListingsQuery(community=orchard.id, sector="food")

        async def is_listed() -> bool:
            return len((await list_listings(ferry.node, wanted)).listings) == 1

        await ferry.until(is_listed)

        async def marks() -> list[list[str]]:
            listings = (await list_listings(ferry.node, wanted)).listings
            peers = (await list_peers(ferry.node, PeersQuery())).peers
            return [listings[0].marks, next(peer.marks for peer in peers if peer.community == orchard.id)]

        visitor = await ferry.browser("member")
        assert await marks() == [[], []]
        assert "Forked" not in (await visitor.get("/neighbours")).words
        await keep(ferry, fork_of(orchard))
        assert await marks() == [["FORKED"], ["FORKED"]]
        assert "Forked: it signed two histories" in (await visitor.get("/neighbours")).words
        await keep(ferry, successor_note(kits[0]))

        async def has_ended() -> bool:
            marks = await ferry.node.read(lambda read: marks_of(read, orchard.node.community))
            return marks == ["RETIRED-KEY-MISUSED"]

        await ferry.until(has_ended)
