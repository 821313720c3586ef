"""Real processes: five nodes find each other on the network and hold each other's lanes; invites make trust mutual."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.durability.running import SHOP, RunningNode, wait_until

NODES = 5
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RunningNode]]:
    """Five communities with a shop each; the first only dials out."""
    folder = tmp_path_factory.mktemp("five")

    def start(number: int) -> RunningNode:
        (folder / str(number)).mkdir()
        reached_at = {"reached_at": "none"} if number == 0 else {}
        return RunningNode(
            folder / str(number) / "node", name=f"Node {number}", mdns="on", follow_lan="auto", **reached_at
        )

    with ThreadPoolExecutor(NODES) as threads:
        nodes = list(threads.map(start, range(NODES)))
    yield nodes
    for node in nodes:
        node.stop()


def peers_of(node: RunningNode) -> dict[str, dict[str, Any]]:
    return {peer["community"]: peer for peer in node.ask("/peers")["peers"]}


def ids(nodes: list[RunningNode], *, but: RunningNode) -> set[str]:
    return {node.running["community"] for node in nodes if node is not but}


def test_five_nodes_find_each_other_and_hold_each_others_lanes(five: list[RunningNode]) -> None:
    """Seen within moments of the last one's start, followed without a click, each shop in every node's copy."""
    failures = [failure for node in five if (failure := node.ask("/peers").get("mdns_failure"))]
    if failures:
        pytest.skip(f"this machine has no multicast: {failures[0]}")

    def all_seen() -> bool:
        return all(ids(five, but=node) <= set(peers_of(node)) for node in five)

    seconds = wait_until(all_seen, seconds=PATIENCE_SECONDS)
    print(f"\nfive nodes have met {seconds:.1f} s after the last one answered")
    for node in five:
        node.post("/shops", SHOP)

    def all_held() -> bool:
        return all(
            peer["trust"] == "followed" and peer.get("records", 0) >= 4
            for node in five
            for community, peer in peers_of(node).items()
            if community in ids(five, but=node)
        )

    seconds = wait_until(all_held, seconds=PATIENCE_SECONDS)
    print(f"each holds the lanes of all {seconds:.1f} s after the last shop was published")
    for node in five:
        sights = [peer["sight"] for name, peer in peers_of(node).items() if name in ids(five, but=node)]
        assert {sight["reach"] for sight in sights} == {"connected"}
        for other in ids(five, but=node):
            assert node.get(f"/lanes/{other}/0/market/food/checkpoint").startswith(b"wildgrass/v1/")


@pytest.mark.parametrize(("host", "guest"), [(1, 2), (0, 3)], ids=["the guest dials", "the inviter dials"])
def test_an_invite_pairs_two_processes(five: list[RunningNode], host: int, guest: int) -> None:
    """The link of the node that only dials out names no address: it dials the guest by the guest's own."""
    inviter, redeemer = five[host], five[guest]
    made = inviter.post("/invites", {"label": "the other"})
    assert bool(made["addresses"]) == (host != 0)
    redeemer.post("/invites/accepted", {"text": made["link"]})
    if not made["addresses"]:
        inviter.post("/peers", {"address": redeemer.running["address"]})

    def is_mutual() -> bool:
        pairs = ((inviter, redeemer), (redeemer, inviter))
        cards = [peers_of(one).get(other.running["community"], {}) for one, other in pairs]
        return all(card.get("is_vouched") and card.get("vouches_for_us") for card in cards)

    seconds = wait_until(is_mutual, seconds=PATIENCE_SECONDS)
    print(f"\ntrust is mutual {seconds:.1f} s after the link was pasted")
    (accepted,) = redeemer.ask("/invites")["accepted"]
    assert accepted["outcome"] == "done"
    (used,) = inviter.ask("/invites")["invites"]
    assert (used["state"], used["used_by"]) == ("used", redeemer.running["community"])
