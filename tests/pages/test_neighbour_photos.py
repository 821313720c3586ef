"""A neighbour's photo: fetched from its community when somebody looks, kept, and no other file is fetched."""

import pytest

from node.actions.listings import ListingDraft, ListingPlace, publish_listing, show_listing
from node.actions.peers import PeerAddress, PeerName, add_peer, follow_peer
from node.actions.photos import PhotoDraft, PhotoName, add_photo, show_photo
from node.actions.shops import ShopDraft, publish_shop
from node.errors import NodeError
from node.lane_exchange import answer_request
from protocol.exchange.frames import Blob, BlobGet, Refused
from protocol.identity.keys import from_base32
from protocol.lanes.market.listings import FixedPrice, Tax
from storage.blobs import remove_blob
from storage.peers import Peer, save_peer
from tests.pages.desk_site import picture
from tests.pages.neighbour_nodes import opened_community


async def test_a_neighbours_photo_comes_when_somebody_looks(tmp_path) -> None:
    """The buyer's node asks the seller's for what the listing names; what no listing names is asked of nobody."""
    async with (
        opened_community(tmp_path / "a", "Orchard") as seller,
        opened_community(tmp_path / "b", "Ferry") as buyer,
    ):
        shown = await add_photo(seller.node, PhotoDraft(content=picture()))
        hidden = await add_photo(seller.node, PhotoDraft(content=picture(size=(64, 48))))
        shop = await publish_shop(seller.node, ShopDraft(sector="food", name={"en": "Press"}))
        draft = ListingDraft(
            sector="food",
            shop_id=shop.shop_id,
            title={"en": "Cider"},
            price=FixedPrice(currency="EUR", amount_minor=450),
            unit_code="LTR",
            tax=Tax(tax_class="rate_700", rate_bp=700),
            fulfilment=["pickup"],
            images=[shown.sha256],
        )
        listing = await publish_listing(seller.node, draft)
        place = ListingPlace(community=seller.id, sector="food", listing_id=listing.listing_id)
        await add_peer(buyer.node, PeerAddress(address=seller.address, community=seller.id))

        async def has_listing() -> bool:
            try:
                return bool((await show_listing(buyer.node, place)).images)
            except NodeError:
                return False

        await buyer.until(has_listing)
        for name in (PhotoName(sha256=shown.sha256), PhotoName(sha256=hidden.sha256, listing=place)):
            with pytest.raises(NodeError) as refused:
                await show_photo(buyer.node, name)
            assert refused.value.code == "not_found"
        found = await show_photo(buyer.node, PhotoName(sha256=shown.sha256, listing=place))
        assert (found.media_type, found.content[:4]) == ("image/webp", b"RIFF")
        assert (await show_photo(buyer.node, PhotoName(sha256=shown.sha256))).content == found.content
        digest = from_base32(shown.sha256, 32)
        await seller.node.write(lambda transaction: remove_blob(transaction.connection, digest))
        lost = PhotoName(sha256=shown.sha256, listing=place)
        with pytest.raises(NodeError):
            await show_photo(seller.node, lost)  # it follows nobody who could be asked
        await follow_peer(seller.node, PeerName(community=buyer.id))
        assert await show_photo(seller.node, lost) == found


async def test_a_peer_hears_what_of_a_photo_is_not_here(tmp_path) -> None:
    """A file that is not held, and one that ends before what was asked for, are told apart (section 17.5)."""
    async with opened_community(tmp_path / "a", "Orchard") as seller:
        photo = await add_photo(seller.node, PhotoDraft(content=picture()))
        digest = from_base32(photo.sha256, 32)

        async def asked(digest: bytes, offset: int) -> object:
            request = BlobGet(1, digest, offset, 1_000_000)
            return await seller.node.read(lambda read: answer_request(read, bytes(32), request))

        whole = await asked(digest, 0)
        assert isinstance(whole, Blob)
        assert len(whole.content) == whole.size
        for wanted, offset, code in ((bytes(32), 0, "blob_not_held"), (digest, whole.size, "range_not_held")):
            refused = await asked(wanted, offset)
            assert isinstance(refused, Refused)
            assert refused.code == code


async def test_a_photo_comes_from_whoever_has_it_while_its_owner_is_away(tmp_path) -> None:
    """Orchard and Mill only dial Hub. Mill gets Orchard's photo from Hub, once somebody has looked at it there."""
    async with (
        opened_community(tmp_path / "h", "Hub") as hub,
        opened_community(tmp_path / "a", "Orchard", reached_at="none") as orchard,
        opened_community(tmp_path / "b", "Mill") as mill,
    ):
        photo = await add_photo(orchard.node, PhotoDraft(content=picture()))
        shop = await publish_shop(orchard.node, ShopDraft(sector="food", name={"en": "Press"}))
        draft = ListingDraft(
            sector="food",
            shop_id=shop.shop_id,
            title={"en": "Cider"},
            price=FixedPrice(currency="EUR", amount_minor=450),
            unit_code="LTR",
            tax=Tax(tax_class="rate_700", rate_bp=700),
            fulfilment=["pickup"],
            images=[photo.sha256],
        )
        listing = await publish_listing(orchard.node, draft)
        place = ListingPlace(community=orchard.id, sector="food", listing_id=listing.listing_id)
        for each in (orchard, mill):
            await add_peer(each.node, PeerAddress(address=hub.address, community=hub.id))
        known = Peer(orchard.node.community, "", (), "found", genesis=orchard.node.vault.genesis_record)
        await mill.node.write(lambda transaction: save_peer(transaction.connection, known))
        await follow_peer(mill.node, PeerName(community=orchard.id))

        async def is_there() -> bool:
            return orchard.node.community in hub.node.federation_service.connected()

        await hub.until(is_there)
        await follow_peer(hub.node, PeerName(community=orchard.id))

        async def has_listing() -> bool:
            try:
                return bool((await show_listing(mill.node, place)).images)
            except NodeError:
                return False

        await mill.until(has_listing)
        wanted = PhotoName(sha256=photo.sha256, listing=place)
        with pytest.raises(NodeError):
            await show_photo(mill.node, wanted)
        looked_at = await show_photo(hub.node, wanted)
        assert (await show_photo(mill.node, wanted)).content == looked_at.content
        assert orchard.node.community not in mill.node.federation_service.connected()
