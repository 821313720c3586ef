"""Orders at the desk: accepted, declined, handed over, released, refunded; refused moves and double submits."""

import json
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.actions.buying import (
    CancellationDraft,
    DetailsDraft,
    LineDraft,
    OrderDraft,
    OwnOrderName,
    confirm_receipt,
    place_order,
    request_cancellation,
)
from node.actions.order_book import show_order
from node.actions.selling import OrderName
from node.actions.shapes import new_id
from node.pages.desk_orders import refunded_totals
from node.pages.visit import Seals
from protocol.amounts.split import TaxTotal
from protocol.identity.keys import to_base32
from protocol.lanes.kind import TRADE
from tests.pages.desk_site import Community, Visitor, community, publish


@pytest.fixture
async def spring(tmp_path):
    async with community(tmp_path / "spring") as spring:
        yield spring


async def order_of(spring: Community, address: str):
    buyer, order_id = address.split("/")[-2:]
    return await show_order(spring.node, OrderName(buyer=buyer, order_id=order_id))


async def wish(spring: Community, address: str) -> None:
    """The buyer asks to be released."""
    await request_cancellation(spring.node, CancellationDraft(order_id=address.rsplit("/", maxsplit=1)[-1]))


async def move(keeper: Visitor, address: str, word: str, **typed: str):
    """Open the order and use one of its buttons."""
    return await keeper.send(await keeper.get(address), f"{address}/{word}", **typed)


def words_of(shown, address: str) -> set[str]:
    """Return the moves that a page has buttons for."""
    return {action.removeprefix(f"{address}/") for action in shown.forms if action.startswith(f"{address}/")}


async def test_an_order_goes_over_the_desk_to_its_refund(spring: Community) -> None:
    """Accepted on the desk, handed over, completed by the receipt, refunded in part, then in full."""
    keeper = await spring.person("Mei")
    listing = (await publish(keeper)).path
    address = await spring.order(listing)
    desk = await keeper.get("/desk")
    for words in (
        "李雷",
        "Kitten food",
        "€107.00",
        "left to answer",
        'http-equiv="refresh"',
        "data-live",
        "live.js",
    ):
        assert words in desk.text, words
    await keeper.send(desk, f"{address}/acceptance")
    desk = await keeper.get("/desk")
    assert f"{address}/acceptance" not in desk.forms
    await keeper.send(desk, f"{address}/fulfilment")
    assert address not in (await keeper.get("/desk")).text
    await confirm_receipt(spring.node, OwnOrderName(order_id=address.rsplit("/", maxsplit=1)[-1]))
    await spring.do_chores()
    shown = await move(keeper, address, "refund", amount="7,00", refund_code="damaged")
    assert (shown.status, (await order_of(spring, address)).total_minor) == (200, 10_000)
    shown = await move(keeper, address, "refund", whole="yes")
    assert (await order_of(spring, address)).total_minor == 0
    assert words_of(shown, address) == set()


async def test_the_page_of_an_order_has_all_that_the_shop_needs(spring: Community) -> None:
    """Lines, buyer, note, timeline and shares with names; hashes stand behind a fold only."""
    keeper = await spring.person("Mei")
    address = await spring.order((await publish(keeper)).path)
    shown = await keeper.get(address)
    for words in (
        "李雷",
        "138 0000 0000",
        "周六来取",
        "Pickup",
        "Ordered",
        "Commons fund",
        "Paws",
        '<svg class="split"',
    ):
        assert words in shown.text, words
    folded = shown.text.partition("For auditors")[2]
    order = await order_of(spring, address)
    assert order.policy_id in folded
    assert shown.text.count(order.policy_id) == 1


async def test_an_order_is_declined_with_a_reason(spring: Community) -> None:
    """A reason of the list is told to the buyer; one that is not in it is refused at its field."""
    keeper = await spring.person("Mei")
    address = await spring.order((await publish(keeper)).path)
    refused = await move(keeper, address, "rejection", code="because")
    assert (refused.status, 'id="fault-code"' in refused.text) == (422, True)
    shown = await move(keeper, address, "rejection", code="sold_out")
    assert "It is sold out." in shown.text
    assert words_of(shown, address) == set()
    assert "Nobody gets anything" in shown.text
    assert '<svg class="split"' not in shown.text
    buyer = Visitor(spring.client, None, "zh-CN")
    order_id = address.rsplit("/", maxsplit=1)[-1]
    mark = Seals(spring.node.vault.transport_seed).mark("order", order_id)
    told = await buyer.get(f"/o/{order_id}.{mark}")
    assert "商家已拒绝。已售罄。" in told.text
    assert (await order_of(spring, address)).status == "rejected"


async def test_only_open_moves_have_buttons(spring: Community) -> None:
    """Which buttons there are follows the state; a move that is not open is refused and changes nothing."""
    keeper = await spring.person("Mei")
    listing = (await publish(keeper)).path
    address = await spring.order(listing)
    page = await keeper.get(address)
    assert words_of(page, address) == {"acceptance", "rejection"}
    key = page.forms[f"{address}/acceptance"]["form_key"]
    early = await keeper.post(f"{address}/fulfilment", {"form_key": key})
    assert early.status >= 400
    await wish(spring, address)
    assert words_of(await keeper.get(address), address) == {"acceptance", "rejection", "cancellation"}
    await move(keeper, address, "acceptance")
    with_wish = await keeper.get(address)
    assert words_of(with_wish, address) == {"fulfilment", "cancellation", "cancellation-refusal", "refund"}
    desk = await keeper.get("/desk")
    assert "The buyer asks to cancel" in desk.text
    stands = await move(keeper, address, "cancellation-refusal")
    assert "did not agree" in stands.text
    assert words_of(stands, address) == {"fulfilment", "cancellation", "refund"}
    unknown = await keeper.post(f"{address}/theft", {"form_key": key})
    assert unknown.status == 404


async def test_a_buyer_is_released_and_the_stock_comes_back(spring: Community) -> None:
    """Agreeing to the wish ends the order; what was promised may be sold again."""
    keeper = await spring.person("Mei")
    listing = (await publish(keeper, stock="2")).path
    address = await spring.order(listing)
    await move(keeper, address, "acceptance")
    await wish(spring, address)
    await move(keeper, address, "cancellation")
    order = await order_of(spring, address)
    assert (order.status, order.code) == ("cancelled", "by_buyer")
    second = await spring.order(listing)
    await move(keeper, second, "acceptance")
    assert (await order_of(spring, second)).status == "accepted"


async def test_a_move_that_is_sent_twice_is_made_once(spring: Community) -> None:
    """The second submit leads to the same page; another desk's different move is refused with the state."""
    mei, lei = await spring.person("Mei"), await spring.person("Lei")
    address = await spring.order((await publish(mei)).path)
    page = await lei.get(address)
    hers = await mei.get(address)
    for _ in range(2):
        shown = await mei.send(hers, f"{address}/acceptance")
        assert (shown.status, shown.path) == (200, address)
    late = await lei.send(page, f"{address}/rejection", code="closed")
    assert late.status >= 400
    assert "Accepted" in late.text
    await move(mei, address, "fulfilment")
    refund = await mei.get(address)
    for status in (200, 422):
        assert (await mei.send(refund, f"{address}/refund", amount="10")).status == status
    assert (await order_of(spring, address)).total_minor == 9_700


async def test_a_buyers_word_that_is_sent_twice_is_said_once(spring: Community) -> None:
    """The second click on cancelling, or on the receipt, shows the order again and writes nothing."""

    async def trade() -> object:
        return await spring.node.read(lambda read: read.get("lane_clock", (spring.node.community, TRADE)))

    keeper, buyer = await spring.person("Mei"), Visitor(spring.client, None)
    listing = (await publish(keeper)).path
    for word, answer in (("cancellation", "cancellation"), ("receipt", "")):
        address = await spring.order(listing)
        order_id = address.rsplit("/", maxsplit=1)[-1]
        link = f"/o/{order_id}.{Seals(spring.node.vault.transport_seed).mark('order', order_id)}"
        if word == "receipt":
            await move(keeper, address, "acceptance")
            await move(keeper, address, "fulfilment")
        page = await buyer.get(link)
        assert (await buyer.send(page, f"{link}/{word}")).path == link
        said = await trade()
        assert (await buyer.send(page, f"{link}/{word}")).status == 200
        assert await trade() == said
        if answer:
            await move(keeper, address, answer)
        else:
            await spring.do_chores()
        ended = await trade()
        assert ended != said
        late = await buyer.send(page, f"{link}/{word}")
        assert (late.status, late.path) == (200, link)
        assert await trade() == ended


async def test_what_is_not_in_stock_is_not_accepted_and_the_page_says_so(spring: Community) -> None:
    """The stock's own refusal stands on the order's page; the order still waits."""
    keeper = await spring.person("Mei")
    address = await spring.order((await publish(keeper, stock="1")).path)
    shown = await move(keeper, address, "acceptance")
    assert (shown.status, 'role="alert"' in shown.text) == (409, True)
    assert words_of(shown, address) == {"acceptance", "rejection"}


@pytest.mark.parametrize("amount", ["", "0", "-5", "107.01", "1e3", "ten", "1.001"])
async def test_a_refund_that_cannot_be_is_refused_at_its_field(spring: Community, amount: str) -> None:
    """Nothing, less than nothing, more than the total and what is no amount change nothing."""
    keeper = await spring.person("Mei")
    address = await spring.order((await publish(keeper)).path)
    await move(keeper, address, "acceptance")
    shown = await move(keeper, address, "refund", amount=amount)
    assert (shown.status, 'id="fault-amount"' in shown.text) == (422, True)
    assert (await order_of(spring, address)).total_minor == 10_700


async def test_orders_are_listed_by_state(spring: Community) -> None:
    """The filter shows the orders of one state; a state that there is not is 404."""
    keeper = await spring.person("Mei")
    listing = (await publish(keeper)).path
    placed, accepted = await spring.order(listing), await spring.order(listing)
    await move(keeper, accepted, "acceptance")
    everything = (await keeper.get("/desk/orders")).text
    assert placed in everything
    assert accepted in everything
    chosen = (await keeper.get("/desk/orders?status=accepted")).text
    assert (placed in chosen, accepted in chosen) == (False, True)
    assert (await keeper.get("/desk/orders?status=lost")).status == 404
    assert placed not in (await keeper.get("/desk/orders?before=1")).text


async def test_an_order_is_no_strangers_business(spring: Community) -> None:
    """A visitor is led to the login, a member may not, and a form without its key changes nothing."""
    keeper = await spring.person("Mei")
    address = await spring.order((await publish(keeper)).path)
    visitor = Visitor(spring.client, None)
    assert (await visitor.get(address)).path == "/login"
    assert (await visitor.post(f"{address}/acceptance", {})).path == "/login"
    assert (await (await spring.person("Hua", "member")).get(address)).status == 403
    shown = await keeper.post(f"{address}/acceptance", {})
    assert (shown.status, "form_foreign" in shown.text) == (403, True)
    unknown = f"/desk/orders/{to_base32(spring.node.community)}/{to_base32(new_id(0))}"
    assert (await keeper.get(unknown)).status == 404
    assert (await order_of(spring, address)).status == "placed"


async def test_hostile_words_of_a_buyer_are_shown_as_text(spring: Community, shared_data) -> None:
    """Names and notes that would be markup are text, on the desk and on the order's page."""
    keeper = await spring.person("Mei")
    sector, listing_id = (await publish(keeper)).path.split("/")[-2:]
    texts = json.loads(shared_data("hostile/blns.json").read_text(encoding="utf-8"))
    hostile = [text for text in texts if "<" in text and escape(text) != text][:60]
    for text in hostile:
        draft = OrderDraft(
            seller=to_base32(spring.node.community),
            lines=[LineDraft(sector=sector, listing_id=listing_id, steps=1)],
            details=DetailsDraft(fulfilment="pickup", name=text[:300], note=text, contact=text[:300]),
        )
        placed = await place_order(spring.node, draft)
        shown = await keeper.get(f"/desk/orders/{placed.buyer}/{placed.order_id}")
        assert shown.status == 200
        assert text not in shown.text
    desk = (await keeper.get("/desk")).text
    assert not any(text in desk for text in hostile)


async def test_the_desk_speaks_chinese(spring: Community) -> None:
    """With the language's cookie or header, titles are the Chinese ones and the page says so."""
    keeper = await spring.person("Mei")
    address = await spring.order((await publish(keeper)).path)
    for path in ("/desk", address, "/desk/orders", "/desk/listings/new"):
        headers = {**keeper._headers(), "Accept-Language": "zh-CN"}
        text = await (await spring.client.get(path, headers=headers)).text()
        assert '<html lang="zh-Hans">' in text
        assert "毛孩子" in text or path == "/desk/orders"


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=16), st.data())
def test_a_part_refund_lowers_every_class_or_leaves_it(amounts: list[int], data: st.DataObject) -> None:
    """The new totals are what is left, class by class none above before."""
    if not sum(amounts):
        return
    totals = [TaxTotal(tax_class=f"c{n}", rate_bp=n, gross_minor=amount) for n, amount in enumerate(amounts)]
    refund = data.draw(st.integers(1, sum(amounts)))
    after = refunded_totals(totals, refund)
    assert sum(total.gross_minor for total in after) == sum(amounts) - refund
    assert all(new.gross_minor <= old.gross_minor for new, old in zip(after, totals, strict=True))
