"""Believable mistakes, planted one at a time to see that the simulator finds them (issue 4, figures).

Each is what a tired engineer writes and a reviewer overlooks: in the real machines, in the real fold, in the money,
or in the node around them. The scenarios are tried in their order until one fails.
"""

from simulation.planting import Mistake

LOSSY, CRASHES, LIARS, PARTITION = ("lossy",), ("crashes",), ("liars",), ("partition",)
CALM = ("calm", "crashes")

MISTAKES: tuple[Mistake, ...] = (
    # What peers say is believed.
    Mistake(
        "a bundle is stored without comparing it with its hashes",
        "protocol.exchange.fetch:LaneFetch._verify",
        "if not matches:",
        "if matches is None:",
        LIARS,
    ),
    Mistake(
        "the right edge is not compared with the signed root",
        "protocol.exchange.hash_tiles:HashTiles.accept_first",
        "!= self._head.root",
        "== b''",
        LIARS,
    ),
    Mistake(
        "pushed entries are not compared with the signed root",
        "protocol.exchange.news:steps_from_news",
        "if lane.root() != head.root:",
        "if lane.size != head.size:",
        LIARS,
    ),
    Mistake(
        "a head is opened without its signature",
        "protocol.exchange.heads:OfferedHead.open",
        "verify_note(note, [VerifierKey(name, ED25519, log_public)])",
        "pass",
        LIARS,
    ),
    Mistake(
        "whoever lied is asked again",
        "protocol.exchange.fetch:LaneFetch._set_aside",
        "self._left(PeerLeft(peer))",
        "pass",
        LIARS,
    ),
    # Nobody is left waiting.
    Mistake(
        "requests never run out of time",
        "protocol.exchange.requests:Requests.expire",
        "if deadline <= now_ms",
        "if deadline < 0",
        LOSSY,
    ),
    Mistake(
        "a request that ran out of time still counts as open",
        "protocol.exchange.requests:Requests.expire",
        "self._open.pop(number)[0]",
        "self._open[number][0]",
        LOSSY,
    ),
    Mistake(
        "a fetch is not told that its peer is silent",
        "protocol.exchange.replication:Replication._expire",
        "effects += self._tell_lane(owner.origin, Unanswered(peer, owner.job), now_ms)",
        "pass",
        ("lossy", "liars"),
    ),
    Mistake(
        "a fetch is not told that its peer has left",
        "protocol.exchange.replication:Replication._peer_closed",
        "effects += self._tell(follower, PeerLeft(event.peer), now_ms)",
        "pass",
        ("crashes", "partition"),
    ),
    Mistake(
        "an alarm that rings in its very millisecond wakes nobody",
        "protocol.exchange.exchange:Exchange._woken",
        "<= now_ms",
        "< now_ms",
        LOSSY,
    ),
    Mistake(
        "peers are asked for their heads when they come, and not later",
        "protocol.exchange.replication:Replication._poll",
        "for peer in longest_ago[: 1 + is_restless]:",
        "for peer in []:",
        ("partition", "lossy"),
    ),
    Mistake(
        "an own head is signed and told to nobody",
        "simulation.node:Node._push",
        "self.tell(advance)",
        "pass",
        ("calm", "lossy"),
    ),
    # What was offered and not fetched is asked for again.
    Mistake(
        "a list is not doubted after a fetch that failed",
        "protocol.exchange.listing:HeadsListing.doubt",
        "self._is_doubted = True",
        "pass",
        ("line", "lossy", "crashes"),
    ),
    Mistake(
        "a place in a list is kept before what was listed is stored",
        "protocol.exchange.listing:HeadsListing.settled_place",
        "if self.state is State.IDLE and not self._is_doubted",
        "if self.place",
        ("line", "lossy", "crashes"),
    ),
    Mistake(
        "a list of heads begins one change too late",
        "simulation.serving:_heads",
        "lane.change > after)",
        "lane.change > after + 1)",
        ("line", "lossy", "crashes"),
    ),
    Mistake(
        "a list of heads ends at the newest change although it was cut short",
        "protocol.exchange.heads:make_heads_page",
        "if change.origin in readable:",
        "if change.origin in readable and len(heads) < 12:",
        ("crashes", "partition", "lossy"),
    ),
    Mistake(
        "what is offered while a lane is loaded is forgotten",
        "protocol.exchange.following:LaneFollower._keep_offer",
        "self._offers[event.peer] = event.offer",
        "pass",
        ("calm", "lossy"),
    ),
    Mistake(
        "after a fetch nobody looks what else was offered",
        "protocol.exchange.following:LaneFollower._over",
        "return self._weigh()",
        "return []",
        ("line", "lossy", "crashes"),
    ),
    Mistake(
        "a step that the store refused is not told",
        "simulation.node:Node._tell_taken",
        "self.tell(event)",
        "self.tell(event) if hasattr(event, 'head') else None",
        ("crashes", "lossy"),
    ),
    Mistake(
        "a fetch goes on from the end of the head that it was told to reach",
        "protocol.exchange.fetch:LaneFetch._job_for",
        "self._range.size % TILE_WIDTH if index == oldest else 0",
        "0",
        ("crashes", "lossy", "calm"),
    ),
    # Of two sessions one goes on, at both ends the same.
    Mistake(
        "of two sessions that one side dialled the older goes on",
        "protocol.exchange.session:is_newcomer_kept",
        "return newcomer_dialed_by <= present_dialed_by",
        "return newcomer_dialed_by < present_dialed_by",
        ("crashes", "partition", "line"),
    ),
    Mistake(
        "a peer that says nothing is never given up",
        "protocol.exchange.session:Session._open_woken",
        "if self._is_pinged:",
        "if self._is_pinged and self.role == 'nobody':",
        ("crashes", "partition"),
    ),
    Mistake(
        "a message from the peer does not count as a sign of life",
        "protocol.exchange.session:Session._receive",
        "self._heard(now_ms)",
        "pass",
        ("quiet", "calm", "partition"),
    ),
    # Synced, acknowledged, marked, guarded, signed, synced, shown.
    Mistake(
        "records are acknowledged before they are synced",
        "simulation.writer:Writer._run_group",
        "yield self._node.sync_ms()\n    self._node.disk.sync()",
        (
            "for done, result in results:\n"
            "        done(result)\n"
            "    results = []\n"
            "    yield self._node.sync_ms()\n"
            "    self._node.disk.sync()"
        ),
        CRASHES,
    ),
    Mistake(
        "a head is shown before it is synced",
        "simulation.writer:Writer._show",
        "yield self._node.sync_ms()\n    self._node.disk.sync()\n    self._unsigned_ms = None",
        (
            "for origin, head in zip(origins, heads, strict=True):\n"
            "        self._node.oracle.shown(self._node, origin, head.size)\n"
            "    yield self._node.sync_ms()\n"
            "    self._node.disk.sync()\n"
            "    self._unsigned_ms = None"
        ),
        CRASHES,
    ),
    Mistake(
        "records are signed before they are synced",
        "simulation.writer:Writer._run_group",
        "self._node.disk.write([*self._writes, set_marks(marks)])",
        (
            "heads = [self._make_head(mark) for mark in marks]\n"
            "    self._node.disk.write([*self._writes, set_marks(marks)])"
        ),
        CRASHES,
    ),
    Mistake(
        "a transaction leaves its entries out when it marks them",
        "simulation.writer:Writer._run_group",
        "[*self._writes, set_marks(marks)]",
        "[set_marks(marks)] if marks else self._writes",
        CALM,
    ),
    Mistake(
        "entries that do not continue what is held are stored all the same",
        "simulation.store:take",
        "if step.start != size:",
        "if step.start > size:",
        ("line", "crashes", "lossy"),
    ),
    Mistake(
        "a head is adopted before its entries are there",
        "protocol.exchange.fetch:LaneFetch._compare",
        "return [RememberHead(self.held.origin, self.head), *self._hand_on()]",
        "return [AdoptHead(self.held.origin, self.head, ()), *self._hand_on()]",
        CALM,
    ),
    # The fold is a function of the cut.
    Mistake(
        "a citation of what has not come yet voids the record",
        "protocol.lanes.trade.orders:cited_move",
        "raise Waiting(position)",
        "raise RecordVoid('reference_unknown')",
        CALM,
    ),
    Mistake(
        "what waits for a record is not put into the queue of those that do",
        "protocol.fold:Fold._try_step",
        "enqueue(self._state, awaiting_queue(waiting.position), entry.position)",
        "pass",
        ("calm", "crashes", "lossy"),
    ),
    Mistake(
        "only the first of those that wait for a record is woken",
        "protocol.fold:Fold._wake",
        "while (waiter := dequeue(self._state, queue)) is not None:",
        "if (waiter := dequeue(self._state, queue)) is not None:",
        ("calm", "lossy", "partition", "crashes"),
    ),
    Mistake(
        "a record does not wait behind an earlier one about the same order",
        "protocol.fold:Fold._apply",
        "if queue is not None and first_of(self._state, queue) is not None:",
        "if queue is not None and False:",
        ("calm", "lossy", "partition", "crashes"),
    ),
    Mistake(
        "a record is folded under a charter that is not here yet",
        "protocol.fold:Fold._check_charter_reached",
        "raise Waiting(Position(position.community, CHARTER, position.epoch, index))",
        "pass",
        ("calm", "lossy", "partition", "crashes"),
    ),
    Mistake(
        "a lane that waits for its charter is not tried again",
        "simulation.folding:Views.catch_up",
        "return self.retry(lane.community)",
        "return []",
        ("calm", "lossy", "partition", "crashes"),
    ),
    # Money.
    Mistake(
        "a rounding cent stays with the collector",
        "protocol.amounts.entries:account_entries",
        "sums[COLLECTED] = own + other\n        sums[DUE] = -other",
        "sums[COLLECTED] = own + other - other % 2\n        sums[DUE] = -other + other % 2",
        CALM,
    ),
    Mistake(
        "a posting that was made is still awaited",
        "protocol.lanes.ledger.postings:step_made",
        'Remove("awaited", key), ',
        "",
        CALM,
    ),
    Mistake(
        "a receipt that was taken stays on the desk",
        "protocol.lanes.trade.sequencing:step_seller_move",
        '*(Remove("untaken", untaken_key(seller, cited.kind, order, reference)) for reference, cited in taken),',
        "",
        CALM,
    ),
    Mistake(
        "a refund posts the new total in place of the difference",
        "protocol.lanes.trade.sequencing:_allocations",
        "shares = difference(shares, divide(before.totals))",
        "pass",
        CALM,
    ),
    # Who may read what.
    Mistake(
        "a lane for peers is shown to nobody",
        "node.lane_exchange:may_serve",
        "return vouched is not None and vouched.is_vouched",
        "return False",
        CALM,
    ),
    Mistake(
        "a node asks for lanes of those alone whom it dials",
        "simulation.serving:hold_lanes",
        "if chain is None or origin.epoch > chain.epoch:",
        "if chain is None or origin.community not in {target.community.id for target in node.targets}:",
        CALM,
    ),
)
