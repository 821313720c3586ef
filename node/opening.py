"""From a folder with keys to a node that reads and writes, and back: the part without sockets.

async with opened_node(settings, vault, on_advance=...) as node:
await publish_shop(node, ShopDraft(...))
"""

import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from node.auditing.audits import Audits
from node.config import Settings
from node.core import Node
from node.epochs import epoch_chain
from node.errors import NodeError
from node.opened_orders import OpenedOrders
from node.passwords import Passwords
from node.quotas import Bounds, Quotas
from node.session_memory import SessionMemory
from node.vault import Vault, open_vault
from node.writer.clock import ClockGuard, system_clock
from node.writer.lane_writer import Advance, LaneWriter
from node.writer.own_lanes import Signer
from protocol.errors import ProtocolError
from protocol.identity.successor import EpochKeys, parse_successor
from protocol.lanes.kind import CHARTER
from protocol.log.note import parse_note
from storage.acknowledgements import acknowledging_peers
from storage.engine import Store, open_store
from storage.guard import open_guard
from storage.lanes import LaneStore
from storage.views.reading import StateReader

PREPARED_FILE = "prepared.successor"  # a successor note that waits for the signatures of other sheets
READERS = 2
LEASE_BYTES = 16


@asynccontextmanager
async def opened_node(
    settings: Settings,
    vault: Vault,
    *,
    on_advance: Callable[[Advance], None],
    clock: Callable[[], int] = system_clock,
    refusal: NodeError | None = None,
    has_federation: bool = False,
) -> AsyncIterator[Node]:
    """Open store and guard, found the charter where it is empty, and run the writer until the block ends.

    `on_advance` is called on the writer's thread; with a `refusal` nothing own is said or signed. Raises
    `StorageError`; then nothing is left running.
    """
    async with AsyncExitStack() as stack:
        where = settings.database_url or settings.folder
        store = stack.enter_context(open_store(where))
        guard = stack.enter_context(open_guard(settings.guard_url or where))
        _found_charter(store, vault)
        guarded_clock = ClockGuard(clock)
        signer = _signer(store, vault)
        writer = LaneWriter(
            store,
            guard,
            signer,
            find_signer=partial(_find_signer, vault),
            lease=secrets.token_bytes(LEASE_BYTES),
            clock=guarded_clock,
            on_advance=on_advance,
            refusal=refusal or _prepared(vault, signer),
            waits_for_neighbours=has_federation and _was_acknowledged(store),
        )
        writer.start()
        stack.callback(writer.stop)
        readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        stack.callback(readers.shutdown, cancel_futures=True)
        passwords = Passwords()
        stack.callback(passwords.close)
        audits = Audits(where)
        stack.push_async_callback(audits.stop)
        yield Node(
            community=vault.community,
            genesis=vault.genesis,
            vault=vault,
            store=store,
            guard=guard,
            clock=guarded_clock,
            writer=writer,
            readers=readers,
            passwords=passwords,
            audits=audits,
            opened_orders=OpenedOrders(vault.sealing),
            sessions=SessionMemory(store),
            quotas=Quotas(
                vault.community,
                Bounds(settings.quota_lane_bytes, settings.quota_community_bytes, settings.quota_all_bytes),
            ),
        )


def _signer(store: Store, vault: Vault) -> Signer:
    """The epoch that is open, as far as is known here, and its key where it is on this machine."""
    with store.read() as connection:
        chain = epoch_chain(StateReader(connection), vault.community)
    keys = chain.newest if chain else EpochKeys.of_genesis(vault.community, vault.genesis)
    return _find_signer(vault, keys)


def _find_signer(vault: Vault, keys: EpochKeys) -> Signer:
    """The log key of an epoch as it lies in the folder now, where it does: keys were added since the start."""
    return Signer(vault.community, keys.epoch, open_vault(vault.folder).signer_key(keys))


def _prepared(vault: Vault, signer: Signer) -> NodeError | None:
    """Why nothing is written where a note waits for signatures: it seals what stands now."""
    try:
        waiting = parse_successor(parse_note((vault.folder / PREPARED_FILE).read_bytes()).text)
    except (FileNotFoundError, ProtocolError):
        return None
    return NodeError("note_prepared") if waiting.epoch == signer.epoch else None


def _was_acknowledged(store: Store) -> bool:
    """Whether some peer may know more of our lanes than this store (section 24)."""
    with store.read() as connection:
        return bool(acknowledging_peers(connection))


def _found_charter(store: Store, vault: Vault) -> None:
    """The genesis is leaf 0 of the charter; it was made with the keys, before there was a store."""
    with store.write() as connection:
        lanes = LaneStore(connection)
        charter = lanes.open_lane(vault.community, CHARTER, 0)
        if not lanes.size(charter):
            lanes.append(charter, 0, [vault.genesis_record])
