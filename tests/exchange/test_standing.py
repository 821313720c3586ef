"""Who is behind, and since when: from what peers state, and never from what we only hope."""

from protocol.exchange.standing import Gap, KeepShown, PeerStanding, Standing
from protocol.limits import HEAD_TIMES_MAX, LANES_SHOWN_MAX, POLL_MS, SHOWN_KEPT_MS
from tests.exchange.villages import A, B, C, entries, lane_of, make_net

OURS, THEIRS = lane_of(A), lane_of(B)


def standing_with(*peers: bytes) -> Standing:
    standing = Standing()
    for peer in peers:
        standing.opened(peer, 0)
    return standing


def test_a_peer_is_behind_until_it_shows_what_we_signed() -> None:
    """The age is that of the oldest head that it has not shown, so that a busy lane is no alarm."""
    standing = standing_with(B)
    standing.own_advanced(OURS, 10, None, 100)
    standing.own_advanced(OURS, 12, None, 700)
    assert standing.of(B, 1_000).unseen == Gap(12, 900)
    standing.shown(B, OURS, 10, 1_100)
    assert standing.of(B, 1_200).unseen == Gap(2, 500)
    standing.shown(B, OURS, 12, 1_300)
    assert standing.of(B, 1_400) == PeerStanding()
    standing.shown(B, OURS, 3, 1_500)
    assert standing.of(B, 1_600).unseen == Gap(), "an old word takes nothing back"


def test_nobody_is_behind_for_longer_than_its_session_stands() -> None:
    """What was signed while a peer was away it could not show."""
    standing = standing_with()
    standing.own_advanced(OURS, 10, None, 0)
    standing.opened(B, 5_000)
    assert standing.of(B, 6_000).unseen == Gap(10, 1_000)
    standing.closed(B)
    assert standing.of(B, 7_000) == PeerStanding()


def test_a_lane_that_a_peer_may_not_read_is_not_missed_by_it() -> None:
    """Who is not vouched for is not behind."""
    standing = standing_with(B, C)
    standing.own_advanced(OURS, 10, frozenset([C]), 0)
    assert standing.of(B, 1).unseen == Gap()
    assert standing.of(C, 1).unseen == Gap(10, 1)


def test_what_a_peer_states_of_its_own_lanes_is_lacking_until_it_is_held() -> None:
    """Lanes that are not followed are not missed, nor are lanes of others."""
    standing = standing_with(B)
    standing.shown(B, THEIRS, 7, 50)
    standing.shown(B, lane_of(C), 90, 50)
    assert standing.of(B, 60).lacking == Gap()
    standing.held(THEIRS, 0)
    assert standing.of(B, 90).lacking == Gap(7, 40)
    standing.shown(B, THEIRS, 9, 80)
    standing.held(THEIRS, 7)
    assert standing.of(B, 90).lacking == Gap(2, 40)
    standing.held(THEIRS, 9)
    assert standing.of(B, 95).lacking == Gap()
    standing.shown(B, THEIRS, 11, 200)
    assert standing.of(B, 210).lacking == Gap(2, 10)
    standing.let_go(THEIRS)
    assert standing.of(B, 220).lacking == Gap()


def test_what_a_peer_shows_is_written_down_seldom_and_when_it_leaves() -> None:
    """A busy day of a connected follower costs a few writes; what it showed last is not lost with its session."""
    standing = standing_with(B)
    standing.own_advanced(OURS, 10, None, 0)
    standing.shown(B, OURS, 5, 1)
    assert standing.to_keep(B, 1) == []
    assert standing.to_keep(B, SHOWN_KEPT_MS) == [KeepShown(B, ((OURS, 5),))]
    assert standing.to_keep(B, 3 * SHOWN_KEPT_MS) == [], "nothing new"
    standing.shown(B, OURS, 4, 3 * SHOWN_KEPT_MS)
    assert standing.to_keep(B, 3 * SHOWN_KEPT_MS, is_over=True) == []
    standing.shown(B, OURS, 7, 3 * SHOWN_KEPT_MS)
    assert standing.shown_by(B) == {OURS: 7}
    assert standing.to_keep(B, 3 * SHOWN_KEPT_MS, is_over=True) == [KeepShown(B, ((OURS, 7),))]
    net = make_net(A, B)
    net.append(A, OURS, entries(5))
    net.connect(A, B)
    net.run(POLL_MS * 2)
    net.disconnect(B)
    assert net.nodes[A].store.shown == {B: {OURS: 5}}


def test_what_is_remembered_is_bounded() -> None:
    """A busy lane of ours and a peer with lanes without end cost what the limits say; the oldest time stays."""
    standing = standing_with(B)
    for size in range(1, 10 * HEAD_TIMES_MAX):
        standing.own_advanced(OURS, size, None, size)
    assert len(standing._own[OURS].heads) <= HEAD_TIMES_MAX
    assert standing.of(B, 2_000).unseen == Gap(10 * HEAD_TIMES_MAX - 1, 1_999)
    for number in range(2 * LANES_SHOWN_MAX):
        name = f"{chr(97 + number // 26)}/{chr(97 + number % 26)}"
        standing.shown(B, lane_of(B, name), 1, 0)
    assert len(standing._peers[B].theirs) == LANES_SHOWN_MAX


def test_nodes_in_step_see_each_other_within_two_polls() -> None:
    """B takes what A signs, and shows it when it is asked; a peer that stores nothing is seen to be behind."""
    net = make_net(A, B)
    net.append(A, OURS, entries(5))
    net.connect(A, B)
    net.run(POLL_MS * 2)
    standing = net.nodes[A].machine.standing
    assert standing.of(B, net.now_ms) == PeerStanding()
    net.nodes[B].store.is_full = True
    net.append(A, OURS, entries(3, 5))
    net.run(POLL_MS * 3)
    gap = standing.of(B, net.now_ms).unseen
    assert gap == Gap(3, POLL_MS * 3)
    assert net.nodes[B].machine.standing.of(A, net.now_ms).lacking.records == 3
