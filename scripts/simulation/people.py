"""What people do: found, publish, order, answer, receive, post, each by what the node's own fold shows.

Nobody here knows more than a shopkeeper at that node: a record is said where the state makes it sensible, and
what fails is said again another day.
"""

from random import Random
from typing import TYPE_CHECKING, Any

from protocol.amounts.split import TaxTotal, policy_id
from protocol.lanes.charter.identity import LaneDeclared
from protocol.lanes.charter.peers import PeerVouched
from protocol.lanes.charter.policies import PolicyAdopted
from protocol.lanes.kind import CHARTER, LANE_NAMES, LEDGER, TRADE, Reference
from protocol.lanes.ledger.postings import posting_for
from protocol.lanes.market.listings import FixedPrice, ListingPublished, Tax
from protocol.lanes.market.shops import ShopPublished
from protocol.lanes.trade.orders import (
    CancellationRefused,
    CancellationRequested,
    OrderAccepted,
    OrderCancelled,
    OrderCompleted,
    OrderFulfilled,
    OrderKey,
    OrderPlaced,
    OrderReceived,
    OrderRefunded,
    OrderRejected,
)
from protocol.log.record import Body
from simulation.communities import MARKET, POLICY
from simulation.folding import DigestState
from simulation.writer import Job, Writer

if TYPE_CHECKING:
    from simulation.node import Node

Said = tuple[str, Body]
ID_BYTES = 16
_CATALOG = (200, 400)
_TAX = Tax(tax_class="food", rate_bp=700)


def settle_in(node: "Node", vouched: list[bytes]) -> bool:
    """Say what a founder says first; return whether it was said before."""
    state, own = node.views.state, node.community.id
    if state.get("shop", (own, MARKET, own[:ID_BYTES])) is not None:
        return True
    if not node.writer.refusal:
        say(node, CHARTER, PolicyAdopted(policy=POLICY, adopted_by="founder"))
        for other in vouched:
            say(node, CHARTER, PeerVouched(community=other))
        say(node, MARKET, ShopPublished(shop_id=own[:ID_BYTES], name={"en": node.community.name}))
    return False


def do_something(node: "Node", random: Random) -> None:
    """Do what lies on the desk, or else go shopping or publish."""
    desk = chores(node) + _answers(node, random) + _buyer_moves(node, random)
    if desk and random.random() < 0.8:
        say(node, *random.choice(desk))
    elif random.random() < 0.6:
        _place(node, random)
    else:
        _publish(node, random)


def speak_everywhere(node: "Node", random: Random) -> None:
    """Say something new in every lane in which one can at any time: all sectors, the charter, the trade."""
    own, name = node.community.id, f"{node.community.name} {random.randint(1, 999)}"
    for lane in LANE_NAMES:
        if lane not in (CHARTER, TRADE, LEDGER):
            say(node, lane, ShopPublished(shop_id=own[:ID_BYTES], name={"en": name}))
    say(node, CHARTER, LaneDeclared(lane=MARKET, visibility="public"))
    _place(node, random)


def publish_many(node: "Node", random: Random) -> None:
    """Take a whole catalog over at once: more than a bundle holds, and than one push carries."""
    for _ in range(random.randint(*_CATALOG)):
        _publish(node, random)
    node.count("catalogs published at once")


def finish(node: "Node") -> bool:
    """Say whatever is still to be completed or posted; return whether there was anything."""
    left = chores(node)
    for lane, body in left:
        say(node, lane, body)
    return bool(left)


def say(node: "Node", lane: str, body: Body) -> None:
    """Have one record said, and remember that it was acknowledged."""

    def work(writer: Writer) -> Reference:
        return writer.say(lane, body)

    def done(result: Any) -> None:
        if isinstance(result, Reference):
            node.oracle.acknowledge(result)
            node.count(f"said: {type(body).__name__}")
        else:
            node.count("records refused")

    node.writer.put(Job(work, done))


def chores(node: "Node") -> list[Said]:
    """Return the completions and postings that nobody has to decide (`node/automation/chores.py`)."""
    state, own = node.views.state, node.community.id
    found: list[Said] = []
    for key in state.keys["untaken"]:
        if key[:2] == (own, "order.received"):
            deal = state.get("deal", (own, key[2], key[3]))
            if deal is not None and deal.status == "fulfilled":
                found.append((TRADE, OrderCompleted(order=_order(key[2:4]), takes=_takes(state, key))))
    for key in state.keys["awaited"]:
        if key[0] == own:
            move = state.get("move", key[1:])
            placement = state.get("placement", (move.order.buyer, move.order.order_id))
            reference = Reference(*key[1:], move.record_id)  # type: ignore[arg-type, call-arg]  # a position
            posting = posting_for(move, placement, own, reference)
            if posting is not None:
                found.append((LEDGER, posting))
    return found


def _answers(node: "Node", random: Random) -> list[Said]:
    """What the seller may say to what lies on its desk."""
    state, own = node.views.state, node.community.id
    found: list[Said] = []
    for key in state.keys["untaken"]:
        if key[0] != own:
            continue
        order, takes = _order(key[2:4]), _takes(state, key)
        deal = state.get("deal", (own, key[2], key[3]))
        if key[1] == "order.placed" and deal is None:
            is_accepted = random.random() < 0.85
            answer = OrderAccepted(order=order, takes=takes) if is_accepted else None
            found.append((TRADE, answer or OrderRejected(order=order, takes=takes, code="out_of_stock")))
        elif key[1] == "cancellation.requested" and deal is not None and deal.status == "accepted":
            is_granted = random.random() < 0.5
            kind = OrderCancelled if is_granted else CancellationRefused
            found.append((TRADE, kind(order=order, takes=takes, code="as_agreed")))
    for key in state.keys["deal"]:
        if key[0] != own:
            continue
        deal, order = state.get("deal", key), _order(key[1:3])
        if deal.status == "accepted" and deal.cancellation != "requested":
            found.append((TRADE, OrderFulfilled(order=order, takes=[])))
        elif deal.status == "completed" and random.random() < 0.05 and deal.totals[0].gross_minor > 1:
            found.append((TRADE, _refund(order, deal)))
    return found


def _buyer_moves(node: "Node", random: Random) -> list[Said]:
    """What the buyer may say about its own orders."""
    state, own = node.views.state, node.community.id
    found: list[Said] = []
    for key in state.keys["placement"]:
        if key[0] != own:
            continue
        seller, order_id = state.get("placement", key).placed.seller, key[1]
        deal = state.get("deal", (seller, own, order_id))
        assert isinstance(order_id, bytes), "as put"
        if deal is not None and deal.status == "fulfilled" and not deal.is_received:
            found.append((TRADE, OrderReceived(order_id=order_id)))
        elif deal is not None and deal.status == "accepted" and random.random() < 0.03:
            found.append((TRADE, CancellationRequested(order_id=order_id)))
    return found


def _place(node: "Node", random: Random) -> None:
    state = node.views.state
    sellers = [community for community in sorted(node.follows) if state.get("community", (community,))]
    if not sellers:
        return
    gross_minor = random.randint(100, 20_000)
    say(
        node,
        TRADE,
        OrderPlaced(
            order_id=random.randbytes(ID_BYTES),
            seller=random.choice(sellers),
            currency="EUR",
            totals=[TaxTotal(tax_class="food", rate_bp=700, gross_minor=gross_minor)],
            policy=policy_id(POLICY),
            lines=[random.randbytes(32)],
            details=random.randbytes(32),
            collector=random.choice(("seller", "buyer")),
            respond_by_ms=node.clock_ms + 86_400_000,
            witnesses=[],
            threshold=0,
            mediators=[],
        ),
    )


def _publish(node: "Node", random: Random) -> None:
    listing = ListingPublished(
        listing_id=random.randbytes(ID_BYTES),
        shop_id=node.community.id[:ID_BYTES],
        title={"en": f"Apples {random.randint(1, 99)}"},
        price=FixedPrice(currency="EUR", amount_minor=random.randint(100, 900)),
        unit_code="KGM",
        quantity_scale=3,
        tax=_TAX,
        availability="in_stock",
        fulfilment=["delivery"],
    )
    say(node, MARKET, listing)


def _refund(order: OrderKey, deal: Any) -> OrderRefunded:
    totals = [
        TaxTotal(tax_class=total.tax_class, rate_bp=total.rate_bp, gross_minor=total.gross_minor // 2)
        for total in deal.totals
    ]
    return OrderRefunded(order=order, takes=[], totals=totals, code="returned")


def _order(names: tuple[Any, ...]) -> OrderKey:
    return OrderKey(*names)


def _takes(state: DigestState, key: tuple[Any, ...]) -> list[Reference]:
    return [state.get("untaken", key).reference]
