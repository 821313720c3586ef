"""Facts: what cannot be rebuilt from anything else on this machine.

Entries, heads and evidence could be fetched again from peers, but not while they are away; the rest is
private to this community. A change here needs a migration, and `VERSION` is that of the last one.
"""

import sqlalchemy as sa

from storage.schema.columns import Bytes, Integer, PlainText, RowNumber

VERSION = 10

metadata = sa.MetaData()

store = sa.Table(
    "store",
    metadata,
    sa.Column("only_row", sa.SmallInteger, sa.CheckConstraint("only_row = 1"), primary_key=True),
    sa.Column("instance", Bytes, nullable=False),  # 16 random bytes, new after a restore
    sa.Column("change_number", Integer, nullable=False),  # of the newest head; never given twice
    sa.Column("views_version", Integer, nullable=False),
)

lanes = sa.Table(
    "lanes",
    metadata,
    sa.Column("lane_key", RowNumber, primary_key=True),
    sa.Column("community", Bytes, nullable=False),
    sa.Column("lane", PlainText, nullable=False),
    sa.Column("epoch", Integer, nullable=False),
    sa.UniqueConstraint("community", "lane", "epoch", name="lanes_named_once"),
)

bundles = sa.Table(  # full ones only; the root before the entries, so that SQLite reads it without them
    "bundles",
    metadata,
    sa.Column("bundle_key", RowNumber, primary_key=True),
    sa.Column("lane_key", Integer, sa.ForeignKey("lanes.lane_key"), nullable=False),
    sa.Column("bundle_index", Integer, nullable=False),
    sa.Column("subtree_root", Bytes, nullable=False),
    sa.Column("entries", Bytes, nullable=False),
    sa.UniqueConstraint("lane_key", "bundle_index", name="bundles_in_order"),
)

tiles = sa.Table(  # full hash tiles of level 1 and up; those of level 0 are made from their bundle
    "tiles",
    metadata,
    sa.Column("lane_key", Integer, sa.ForeignKey("lanes.lane_key"), primary_key=True),
    sa.Column("level", Integer, primary_key=True),
    sa.Column("tile_index", Integer, primary_key=True),
    sa.Column("subtree_root", Bytes, nullable=False),
    sa.Column("hashes", Bytes, nullable=False),
)

tail = sa.Table(
    "tail",
    metadata,
    sa.Column("lane_key", Integer, sa.ForeignKey("lanes.lane_key"), primary_key=True),
    sa.Column("entry_index", Integer, primary_key=True),
    sa.Column("entry", Bytes, nullable=False),
    sqlite_with_rowid=False,
)

heads = sa.Table(
    "heads",
    metadata,
    sa.Column("lane_key", Integer, sa.ForeignKey("lanes.lane_key"), primary_key=True, autoincrement=False),
    sa.Column("size", Integer, nullable=False),
    sa.Column("root", Bytes, nullable=False),
    sa.Column("note", Bytes, nullable=False),
    sa.Column("change_number", Integer, nullable=False, unique=True),
)

remembered_heads = sa.Table(  # whose entries are on their way: contradicted later, they are evidence
    "remembered_heads",
    metadata,
    sa.Column("lane_key", Integer, sa.ForeignKey("lanes.lane_key"), primary_key=True, autoincrement=False),
    sa.Column("note", Bytes, nullable=False),
)

cosignatures = sa.Table(  # of each witness the newest on a lane; the note has the log's line and that one
    "cosignatures",
    metadata,
    sa.Column("lane_key", Integer, sa.ForeignKey("lanes.lane_key"), primary_key=True),
    sa.Column("witness", PlainText, primary_key=True),  # its key name
    sa.Column("size", Integer, nullable=False),
    sa.Column("time_seconds", Integer, nullable=False),
    sa.Column("note", Bytes, nullable=False),
    sqlite_with_rowid=False,
)

signing_marks = sa.Table(  # the main store's half of the guard
    "signing_marks",
    metadata,
    sa.Column("community", Bytes, primary_key=True),
    sa.Column("lane", PlainText, primary_key=True),
    sa.Column("epoch", Integer, primary_key=True),
    sa.Column("size", Integer, nullable=False),
    sa.Column("root", Bytes, nullable=False),
    sa.Column("lease", Bytes, nullable=False),
    sqlite_with_rowid=False,
)

evidence = sa.Table(
    "evidence",
    metadata,
    sa.Column("evidence_number", RowNumber, primary_key=True),
    sa.Column("community", Bytes, nullable=False),
    sa.Column("epoch", Integer, nullable=False),
    sa.Column("kind", PlainText, nullable=False),
    sa.Column("note_hash", Bytes, nullable=False),
    sa.Column("note", Bytes, nullable=False),
    sa.UniqueConstraint("community", "epoch", "kind", "note_hash", name="evidence_once"),
)

sealed_payloads = sa.Table(
    "sealed_payloads",
    metadata,
    sa.Column("commitment", Bytes, primary_key=True),
    sa.Column("ciphertext", Bytes, nullable=False),
)

key_wraps = sa.Table(
    "key_wraps",
    metadata,
    sa.Column("commitment", Bytes, primary_key=True),
    sa.Column("reader", Bytes, primary_key=True),
    sa.Column("wrapped", Bytes, nullable=False),
    sqlite_with_rowid=False,
)

kept_boxes = sa.Table(  # the encrypted keys of other communities, for the day when they lose theirs
    "kept_boxes",
    metadata,
    sa.Column("community", Bytes, primary_key=True),
    sa.Column("key_box", Bytes, nullable=False),
)

box_keys = sa.Table(  # whose recovery keys ask for which box
    "box_keys",
    metadata,
    sa.Column("recovery_key", Bytes, primary_key=True),
    sa.Column("community", Bytes, primary_key=True),
    sqlite_with_rowid=False,
)

kept_copies = sa.Table(  # sealed payloads that another community can read, with its wrapped key
    "kept_copies",
    metadata,
    sa.Column("community", Bytes, primary_key=True),
    sa.Column("commitment", Bytes, primary_key=True),
    sa.Column("ciphertext", Bytes, nullable=False),
    sa.Column("wrapped", Bytes, nullable=False),
)

given_copies = sa.Table(  # which of ours a peer has acknowledged
    "given_copies",
    metadata,
    sa.Column("keeper", Bytes, primary_key=True),
    sa.Column("commitment", Bytes, primary_key=True),
    sqlite_with_rowid=False,
)

chosen_successors = sa.Table(  # which of two notes that contradict each other the stewards chose
    "chosen_successors",
    metadata,
    sa.Column("community", Bytes, primary_key=True),
    sa.Column("epoch", Integer, primary_key=True),
    sa.Column("note_name", Bytes, nullable=False),
    sqlite_with_rowid=False,
)

blobs = sa.Table(
    "blobs",
    metadata,
    sa.Column("sha256", Bytes, primary_key=True),
    sa.Column("media_type", PlainText, nullable=False),
    sa.Column("content", Bytes, nullable=False),
)

peers = sa.Table(
    "peers",
    metadata,
    sa.Column("community", Bytes, primary_key=True),
    sa.Column("label", PlainText, nullable=False),
    sa.Column("addresses", Bytes, nullable=False),  # canonical array of texts
    sa.Column("genesis", Bytes),
    sa.Column("trust", PlainText, nullable=False),
    sa.Column("last_seen_ms", Integer),
    sa.Column("instance", Bytes),
    sa.Column("change_number", Integer, nullable=False),
)

acknowledgements = sa.Table(  # peers that have ever shown a head of our own lanes: asked before we sign again
    "acknowledgements",
    metadata,
    sa.Column("peer", Bytes, primary_key=True),
    sa.Column("first_ms", Integer, nullable=False),
)

shown_sizes = sa.Table(  # up to where a peer has shown to hold our own lanes, and when it did so last
    "shown_sizes",
    metadata,
    sa.Column("peer", Bytes, primary_key=True),
    sa.Column("lane", PlainText, primary_key=True),
    sa.Column("epoch", Integer, primary_key=True),
    sa.Column("size", Integer, nullable=False),
    sa.Column("shown_ms", Integer, nullable=False),
    sqlite_with_rowid=False,
)

quotas = sa.Table(  # of whom a steward keeps more or less than the settings say
    "quotas",
    metadata,
    sa.Column("community", Bytes, primary_key=True),
    sa.Column("bytes_max", Integer, nullable=False),
    sqlite_with_rowid=False,
)

auditors = sa.Table(
    "auditors",
    metadata,
    sa.Column("token_hash", Bytes, primary_key=True),
    sa.Column("label", PlainText, nullable=False),
    sa.Column("lanes", Bytes, nullable=False),  # canonical array of lane names
    sa.Column("expires_ms", Integer, nullable=False),
    sa.Column("revoked_ms", Integer),
)

stock = sa.Table(
    "stock",
    metadata,
    sa.Column("listing_key", PlainText, primary_key=True),
    sa.Column("on_hand", Integer, sa.CheckConstraint("on_hand >= 0", name="stock_on_hand"), nullable=False),
    sa.Column(
        "committed", Integer, sa.CheckConstraint("committed >= 0", name="stock_committed"), nullable=False
    ),
)

settings = sa.Table(
    "settings",
    metadata,
    sa.Column("name", PlainText, primary_key=True),
    sa.Column("value", PlainText, nullable=False),
)

people = sa.Table(  # who logs in to the pages; nothing of this ever stands in a lane
    "people",
    metadata,
    sa.Column("person_id", Bytes, primary_key=True),
    sa.Column("name", PlainText, nullable=False),
    sa.Column("name_key", PlainText, nullable=False),  # the name as it is compared
    sa.Column("role", PlainText, nullable=False),
    sa.Column("password_hash", PlainText),  # Argon2id, in the PHC form
    sa.Column("created_ms", Integer, nullable=False),
    sa.Column("dismissed_ms", Integer),
)
sa.Index(
    "people_named_once",
    people.c.name_key,
    unique=True,
    sqlite_where=people.c.dismissed_ms.is_(None),
    postgresql_where=people.c.dismissed_ms.is_(None),
)

login_links = sa.Table(
    "login_links",
    metadata,
    sa.Column("token_hash", Bytes, primary_key=True),
    sa.Column("person_id", Bytes, sa.ForeignKey("people.person_id"), nullable=False),
    sa.Column("expires_ms", Integer, nullable=False),
    sa.Column("used_ms", Integer),
)

web_sessions = sa.Table(
    "web_sessions",
    metadata,
    sa.Column("token_hash", Bytes, primary_key=True),
    sa.Column("person_id", Bytes, sa.ForeignKey("people.person_id"), nullable=False),
    sa.Column("user_agent", PlainText, nullable=False),
    sa.Column("opened_ms", Integer, nullable=False),
    sa.Column("seen_ms", Integer, nullable=False),
    sa.Column("expires_ms", Integer, nullable=False),
)
sa.Index("web_sessions_of_person", web_sessions.c.person_id)

orders_of_people = sa.Table(  # which orders of the community were placed by whom
    "orders_of_people",
    metadata,
    sa.Column("order_id", Bytes, primary_key=True),
    sa.Column("person_id", Bytes, sa.ForeignKey("people.person_id"), nullable=False),
    sa.Column("noted_ms", Integer, nullable=False),
)
sa.Index("orders_of_people_by_time", orders_of_people.c.person_id, orders_of_people.c.noted_ms)

relay_recipients = sa.Table(  # for whom this node is a relay
    "relay_recipients",
    metadata,
    sa.Column("community", Bytes, primary_key=True),
    sa.Column("is_admitted", sa.SmallInteger, nullable=False),  # by name, whoever is followed besides
    sa.Column("senders", Bytes, nullable=False),  # canonical array of communities
    sa.Column("renewed_ms", Integer, nullable=False),
)

relay_deliveries = sa.Table(  # what waits at this relay, and receipts that wait for their senders
    "relay_deliveries",
    metadata,
    sa.Column("delivery_number", RowNumber, primary_key=True),  # never given twice
    sa.Column("recipient", Bytes, nullable=False),
    sa.Column("sender", Bytes, nullable=False),
    sa.Column("commitment", Bytes, nullable=False),
    sa.Column("ciphertext_bytes", Integer, nullable=False),
    sa.Column("expires_ms", Integer, nullable=False),
    sa.Column("receipt", Bytes),
    sa.Column("wrapped", Bytes),
    sa.Column("ciphertext", Bytes),
    sa.UniqueConstraint("recipient", "sender", "commitment", name="relay_deliveries_once"),
    sqlite_autoincrement=True,
)
sa.Index("relay_deliveries_by_sender", relay_deliveries.c.sender)
sa.Index("relay_deliveries_by_end", relay_deliveries.c.expires_ms)

sent_parts = sa.Table(  # sealed objects of our own orders on their way to the sellers
    "sent_parts",
    metadata,
    sa.Column("commitment", Bytes, primary_key=True),
    sa.Column("recipient", Bytes, nullable=False),
    sa.Column("order_id", Bytes, nullable=False),
    sa.Column("state", PlainText, nullable=False),
    sa.Column("relay", Bytes),
    sa.Column("until_ms", Integer, nullable=False),
    sa.Column("puts", Integer, nullable=False),
    sa.Column("retry_ms", Integer, nullable=False),
)
sa.Index("sent_parts_of_order", sent_parts.c.order_id)
sa.Index("sent_parts_by_state", sent_parts.c.state, sent_parts.c.recipient)
address_book = sa.Table(  # who was found, how, and what it has signed of where it is; trust stands in `peers`
    "address_book",
    metadata,
    sa.Column("community", Bytes, primary_key=True),
    sa.Column("found", PlainText, nullable=False),
    sa.Column("told_by", Bytes),
    sa.Column("found_ms", Integer, nullable=False),
    sa.Column("genesis", Bytes, nullable=False),
    sa.Column("record", Bytes, nullable=False),  # empty until there is one
    sa.Column("rule_number", Integer),  # the rule by which it is followed
)

follow_rules = sa.Table(
    "follow_rules",
    metadata,
    sa.Column("rule_number", RowNumber, primary_key=True),
    sa.Column("effect", PlainText, nullable=False),
    sa.Column("community", Bytes),
    sa.Column("sector", PlainText, nullable=False),
    sa.Column("region", PlainText, nullable=False),
    sa.Column("made_ms", Integer, nullable=False),
)

invites = sa.Table(  # of ours; the secret is nowhere, only the public key that it makes
    "invites",
    metadata,
    sa.Column("invite_key", Bytes, primary_key=True),
    sa.Column("label", PlainText, nullable=False),
    sa.Column("made_ms", Integer, nullable=False),
    sa.Column("expires_ms", Integer, nullable=False),
    sa.Column("revoked_ms", Integer),
    sa.Column("used_ms", Integer),
    sa.Column("used_by", Bytes),
)

redemptions = sa.Table(  # invites of others that this community has accepted
    "redemptions",
    metadata,
    sa.Column("inviter", Bytes, primary_key=True),
    sa.Column("secret", Bytes, nullable=False),  # empty once it has been used or refused
    sa.Column("expires_ms", Integer, nullable=False),
    sa.Column("accepted_ms", Integer, nullable=False),
    sa.Column("outcome", PlainText, nullable=False),  # waiting, done, or the code of a refusal
)
