"""A rotated community is audited like any other: keys from genesis and notes, every epoch against its seal."""

from pathlib import Path

from node.actions.buying import OrderDraft, place_order
from node.actions.keys import RotationDraft, rotate_keys
from node.actions.selling import CodedAnswer, OrderName, accept_order, cancel_order
from node.audit import audit_sources, open_source
from node.audit.writer import write_bundle
from node.auditing.store_source import StoreSource
from protocol.identity.keys import to_base32
from storage.engine import open_store
from tests.actions.test_keys import House, publish
from tests.actions.test_one_community import DETAILS, open_shop


async def test_store_and_bundle_of_three_epochs_are_clean(tmp_path: Path) -> None:
    """An order runs through two rotations; the store and the bundle that is made of it have no finding."""
    house = House(tmp_path / "home")
    async with house.open() as node:
        community = node.community
        line = await open_shop(node)
        draft = OrderDraft(seller=to_base32(community), lines=[line], details=DETAILS)
        placed = await place_order(node, draft)
        name = OrderName(buyer=to_base32(community), order_id=placed.order_id)
        await rotate_keys(node, RotationDraft(words=house.words))
        await accept_order(node, name)
        await rotate_keys(node, RotationDraft(words=house.words))
        await cancel_order(node, CodedAnswer(buyer=name.buyer, order_id=name.order_id, code="out_of_stock"))
        assert await publish(node, "third epoch") == 2
    with open_store(tmp_path / "home", writer=False) as store:
        source = StoreSource(store, {community})
        report = audit_sources([source])
        assert (report.exit_code, report.by_code) == (0, {})
        write_bundle(source, tmp_path / "bundle", communities=[community])
    with open_source(str(tmp_path / "bundle")) as bundle:
        again = audit_sources([bundle])
        assert (again.exit_code, again.by_code) == (0, {})
        assert again.records == report.records
        assert {entry.epoch for entry in again.cut} == {0, 1, 2}
