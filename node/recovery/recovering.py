"""One recovery from its first step to its last; killed anywhere, it goes on when it is asked again.

A peer is named by its address, or by any invite link of it: that says where it is reached.

recovered = await recover(settings, entropy, ["192.0.2.7:8471", "192.0.2.8:8471"], tell=print)
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from msgspec.structs import replace as replace_fields

from node.config import Listen, Settings
from node.core import Node
from node.epochs import epoch_chain, learn_successor
from node.errors import NodeError
from node.federation import Federation
from node.files import make_folder
from node.opening import opened_node
from node.operations.lifecycle import listen
from node.peering import NodePeering
from node.recovery.fetching import Progress, Tell, connect, fetch_lanes, fetch_sealed
from node.recovery.marker import Marker, read_marker, remove_marker, write_marker
from node.recovery.stranger import BoxAnswer, ask_for_boxes
from node.recovery.succession import make_note
from node.vault import has_vault, open_vault
from node.vault.found import make_key_box, put_keys
from node.vault.vault import Vault, add_log_key, read_live_keys, write_key_box
from node.writer.clock import system_clock
from node.writer.lane_writer import Advance
from protocol.errors import ProtocolError
from protocol.exchange.identify import identify
from protocol.exchange.invite import LINK_PREFIX, read_invite
from protocol.identity.key_box import LiveKeys, open_key_box
from protocol.identity.keys import SigningKey, to_base32
from protocol.identity.recovery import RecoverySeeds, derive_recovery_seeds
from protocol.identity.successor import EpochKeys, SealedLane
from protocol.lanes.kind import CHARTER
from storage.engine import Store, open_store
from storage.heads import HeadStore
from storage.views.reading import StateReader

PEERS_MIN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who is brought back: the community, its genesis record and the live keys out of a key box."""

    community: bytes
    genesis_record: bytes
    keys: LiveKeys
    peers: tuple[BoxAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What came of a recovery. `missing_parts` counts the sealed parts of orders that nobody gave back yet."""

    community: str
    name: dict[str, str]
    epoch: int
    records: int
    missing_parts: int


async def recover(settings: Settings, entropy: bytes, named: Sequence[str], *, tell: Tell) -> Recovered:
    """Bring a community back into the folder of `settings`, which the caller holds; `wildgrass up` starts it then.

    `named` are addresses of peers and invite links.

    Raises `NodeError` with what is missing; what was fetched stays, and the next try goes on with it.
    """
    folder = settings.folder
    marker = read_marker(folder)
    if has_vault(folder) and marker is None:
        raise NodeError("vault_exists", str(folder))
    if len(set(named)) < PEERS_MIN:
        raise NodeError("peers_few", str(len(set(named))))
    addresses = addresses_of(named)
    tell(Progress(stage="identity", total=len(addresses)))
    identity = await find_identity(entropy, addresses)
    tell(Progress(stage="identity", done=len(identity.peers), total=len(addresses)))
    community = to_base32(identity.community)
    if marker is not None and marker.community != community:
        raise NodeError("recovery_of_another", marker.community)
    seeds = derive_recovery_seeds(entropy, next_epoch=1)
    make_folder(folder)
    write_marker(folder, replace_fields(marker or Marker(community=community), addresses=tuple(addresses)))
    if not has_vault(folder):
        box = make_key_box(identity.keys, seeds, identity.community)
        put_keys(folder, identity.keys, identity.genesis_record, box)
    vault = open_vault(folder)
    peers = [answer.peer for answer in identity.peers if answer.peer is not None]
    async with _fetching_node(settings, vault, [answer.address for answer in identity.peers]) as (
        node,
        federation,
    ):
        await connect(federation, peers)
        records = await fetch_lanes(node, federation, peers, tell)
        missing_parts = await fetch_sealed(node, federation, peers, tell)
    tell(Progress(stage="epoch"))
    epoch = await asyncio.to_thread(close_lost_epoch, settings, vault, entropy, seeds)
    remove_marker(folder)
    return Recovered(
        community=community,
        name=dict(vault.genesis.name),
        epoch=epoch,
        records=records,
        missing_parts=missing_parts,
    )


def addresses_of(named: Sequence[str]) -> list[str]:
    """Return each address once, those that invite links state in their places; raises `SessionError` for a bad link."""
    found: dict[str, None] = {}
    for text in named:
        is_link = LINK_PREFIX in text.lower()
        stated = [address.text for address in read_invite(text).addresses] if is_link else [text]
        found |= dict.fromkeys(stated)
    return list(found)


async def find_identity(entropy: bytes, addresses: Sequence[str]) -> Identity:
    """Ask all addresses for the key box of these words, and open the newest of those that come."""
    seeds = derive_recovery_seeds(entropy, next_epoch=1)
    answers = await ask_for_boxes(addresses, SigningKey(seeds.recovery))
    reached = tuple(answer for answer in answers if answer.peer is not None)
    if len({answer.peer for answer in reached}) < PEERS_MIN:
        silent = [answer.address for answer in answers if answer.peer is None]
        raise NodeError("peers_unreachable", ", ".join(silent) or "one community twice")
    opened = [
        identity
        for answer in reached
        for found in answer.found
        if (identity := _open(found.genesis, found.key_box, seeds, reached)) is not None
    ]
    if not opened:
        raise NodeError("key_box_missing", f"{len(reached)} peers")
    if len({identity.community for identity in opened}) > 1:
        raise NodeError("words_of_several")
    return max(opened, key=lambda identity: identity.keys.epoch)


def close_lost_epoch(settings: Settings, vault: Vault, entropy: bytes, seeds: RecoverySeeds) -> int:
    """Close the epoch of the lost machine and return the one that is open now; done twice, it is done once.

    From the moment that peers hear of the note the key of a stolen machine signs nothing that counts.
    """
    folder = settings.folder
    with open_store(settings.database_url or folder) as store:
        with store.read() as connection:
            chain = epoch_chain(StateReader(connection), vault.community)
            assert chain is not None, "the genesis is the first entry of the charter"
        if chain.contested:
            raise NodeError("epoch_contested")
        marker = read_marker(folder)
        if marker and marker.closes_epoch == chain.epoch - 1 and _is_by_words(chain.newest, entropy):
            return chain.epoch
        lanes = _sealed(store, vault.community, chain.epoch)
        made = make_note(chain, entropy, lanes=lanes, now_ms=system_clock())
        kept = marker or Marker(community=vault.community_text)
        write_marker(folder, replace_fields(kept, closes_epoch=chain.epoch))
        add_log_key(folder, chain.epoch + 1, made.log_seed)
        keys = read_live_keys(folder, chain.epoch + 1)
        write_key_box(folder, make_key_box(keys, seeds, vault.community))
        with store.write() as connection:
            learn_successor(StateReader(connection), made.note)
        return chain.epoch + 1


@asynccontextmanager
async def _fetching_node(
    settings: Settings, vault: Vault, addresses: Sequence[str]
) -> AsyncIterator[tuple[Node, Federation]]:
    """A node that follows its own community, and says and signs nothing."""
    federation: Federation | None = None
    loop = asyncio.get_running_loop()

    def on_advance(advance: Advance) -> None:
        if federation is not None and not loop.is_closed():
            loop.call_soon_threadsafe(federation.note, advance)

    quiet = replace(settings, mdns=False, peers=tuple(addresses))
    async with AsyncExitStack() as stack:
        refusal = NodeError("recovering")
        node = await stack.enter_async_context(
            opened_node(quiet, vault, on_advance=on_advance, refusal=refusal)
        )
        listening = listen(Listen("127.0.0.1", 0))
        federation = Federation(
            store=NodePeering(node, is_recovering=True),
            vault=vault,
            settings=quiet,
            listening=listening,
            http=listening,
        )
        node.federation = federation
        await stack.enter_async_context(federation)
        yield node, federation


def _open(genesis: bytes, box: bytes, seeds: RecoverySeeds, peers: tuple[BoxAnswer, ...]) -> Identity | None:
    """The keys in a box, where it opens with the words and is that of its genesis; a peer may hand over anything."""
    try:
        named = identify(genesis)
        keys = open_key_box(box, key=seeds.key_box, community=named.community)
    except ProtocolError:
        return None
    if SigningKey(keys.transport).public != named.transport_key:
        return None
    return Identity(community=named.community, genesis_record=genesis, keys=keys, peers=peers)


def _is_by_words(keys: EpochKeys, entropy: bytes) -> bool:
    seeds = derive_recovery_seeds(entropy, next_epoch=keys.epoch)
    return SigningKey(seeds.next_log).public == keys.log_key


def _sealed(store: Store, community: bytes, epoch: int) -> dict[str, SealedLane]:
    """Size and root of every own lane of an epoch, as far as a signed head covers it."""
    with store.read() as connection:
        lanes = {
            head.lane: SealedLane(head.size, head.root)
            for head in HeadStore(connection).heads()
            if (head.community, head.epoch) == (community, epoch)
        }
    if CHARTER not in lanes and epoch == 0:
        raise NodeError("recovery_stuck", CHARTER)
    return lanes
