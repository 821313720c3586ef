"""Every stable error code with its sentence: what happened and what to do (PROTOCOL.md section 20).

Codes are never renamed or reused. They are grouped by the family that raises them.
"""

from collections.abc import Mapping

_ENCODING = {
    "encoding_too_large": "The bytes are larger than the limit. Split or shorten what you send.",
    "encoding_malformed": "The bytes are not MessagePack. Check that the whole file or message arrived.",
    "encoding_trailing_bytes": "Bytes follow after the end of the value. Send one value only.",
    "encoding_type_refused": "Floats, extensions, timestamps and non-text keys are not allowed. "
    "Use integers, text, bytes, booleans, arrays and maps.",
    "encoding_integer_range": "An integer is beyond 2^53 - 1. Use a smaller number.",
    "encoding_too_deep": "The value is nested deeper than the limit. Flatten it.",
    "encoding_not_canonical": "The bytes are not in the canonical form. Encode shortest, with sorted keys.",
    "encoding_not_utf8": "A text is not valid UTF-8. Encode it as UTF-8 without surrogates.",
}

_LOG = {
    "number_malformed": "A number is not a plain decimal in its range. Write digits without leading zeros.",
    "base64_malformed": "A text is not standard base64 with padding. Check that it was copied whole.",
    "text_character_refused": "A text holds a control character or a surrogate. Remove it.",
    "key_name_malformed": "A key name is empty, too long, or holds a space or a plus sign. Correct the name.",
    "verifier_key_malformed": "A verifier key is not name+id+key of a known type. Copy it again.",
    "verifier_keys_ambiguous": "Two known keys share a name and an id. Remove the one that is not in use.",
    "note_too_large": "A signed note is larger than the limit. Ask for it with fewer signatures.",
    "note_malformed": "The bytes are not a signed note. Check that the whole file arrived unchanged.",
    "note_signature_malformed": "A signature line of a note is malformed. Fetch the note again.",
    "note_signatures_too_many": "A note has more signatures than the limit. Ask for it with fewer.",
    "note_signature_invalid": "A known key's signature does not hold. Fetch the note from elsewhere.",
    "note_not_signed": "No key that you know signed this note. Do not act on it; check the signer's keys.",
    "checkpoint_malformed": "The signed text is not a checkpoint of three lines. Fetch it again.",
    "checkpoint_empty_root": "A size of 0 is stated with another root than SHA-256 of nothing. Refuse it.",
    "checkpoint_other_origin": "The checkpoint is of another lane. Ask for the one of this lane.",
    "add_checkpoint_malformed": "The body is not an old size, hashes, an empty line and a note. Write it anew.",
    "witness_size_beyond": "The old size is above that of the head. State what the witness cosigned last.",
    "witness_size_mismatch": "The witness cosigned another size last. Ask again with a proof from that size.",
    "witness_proof_refused": "The head is not shown to continue what was cosigned. Ask for the lane's history.",
    "witness_log_unknown": "This node does not witness that lane. Ask its steward to follow the community.",
    "cosignatures_too_few": "Too few witnesses cosigned this checkpoint. Wait for more, or ask them.",
    "tree_size_range": "A tree size is below 0 or above the limit. Use the size that the checkpoint states.",
    "tree_index_range": "An index is not inside the tree. Ask for an entry below the size of the checkpoint.",
    "tree_hash_count": "The hashes do not fit the tree size. Give one for each bit that is set in the size.",
    "tree_hash_length": "A hash is not 32 bytes. Send SHA-256 hashes only.",
    "consistency_sizes": "The two sizes cannot be compared. Choose the first from 1 up to the second.",
    "proof_too_large": "A proof is larger than the limit. Ask for it without its extra part.",
    "proof_malformed": "The file is not a transparency-log proof. Check that all of it arrived unchanged.",
    "proof_length": "The proof has too many or too few hashes for its sizes. Ask for a new proof.",
    "proof_root_mismatch": "The proof does not lead to the root. Do not trust what came with it.",
    "tile_path_malformed": "The path is not that of a tile or entry bundle. Use the path of section 6.",
    "tile_address_range": "No lane can have this tile. Check its level, index and width.",
    "tile_length": "The bytes of a tile do not fit its width. Fetch it again, from another node.",
    "tile_edge_mismatch": "The tiles are not the right edge of this tree. Fetch those for the head's size.",
    "bundle_count_range": "An entry bundle holds 1 to 256 entries. Use the width that the tree size gives.",
    "bundle_too_large": "An entry bundle is larger than the limit. Fetch it from another node.",
    "bundle_entry_too_large": "An entry is larger than 65,535 bytes. Split it into several.",
    "bundle_length": "The entries do not end where the bundle ends. Fetch it again, from another node.",
}

_AMOUNT = {
    "currency_unknown": "The currency is not in the table of this format. Use a code such as EUR or CNY.",
    "amount_out_of_range": "An amount is below zero or too large. Check the sum.",
    "amount_malformed": "This is not an amount in that currency. Write digits and one point, such as 12.30.",
    "unit_unknown": "The unit is not in the table of this format. Use a UN/CEFACT code such as C62 or KGM.",
    "quantity_out_of_range": "A quantity is below one step, too large, or too finely divided. Check it.",
    "quantity_malformed": "This is not a quantity in that unit. Write digits and one point, such as 0.5.",
    "tax_class_malformed": "A tax class has a wrong name. Use up to 32 of a-z, 0-9 and _.",
    "tax_class_repeated": "A tax class occurs twice with one rate. Add its totals together.",
    "tax_classes_out_of_range": "There are no tax classes, or too many. Give 1 to 16.",
    "tax_rate_out_of_range": "A tax rate is not between 0 and 10000 basis points. Check it.",
    "role_refused": "A role has a wrong or reserved name. Use a-z, 0-9 and _, beginning with a letter; "
    "seller and tax are taken.",
    "role_repeated": "A role has two shares. Give each role one share.",
    "share_malformed": "A share needs either basis points (1 to 10000) or fixed amounts. Correct it.",
    "shares_too_many": "The policy has too many shares. Merge some of them.",
    "shares_exceed_whole": "The shares add up to more than the whole. Lower them to 10000 basis points.",
}

_IDENTITY = {
    "id_malformed": "The id is not well written. Copy it again: lower-case letters and digits 2 to 7.",
    "key_refused": "A public key is malformed or too weak to be used. Ask for the right key.",
    "signature_invalid": "A signature does not hold: altered, or signed by another key. Get it again.",
    "key_repeated": "One key stands in two places. Make a separate key for each purpose.",
    "proof_invalid": "A key of the genesis is not proven by its holder. Let every key sign it.",
    "recovery_set_refused": "The recovery keys cannot be used. Give 1 to 16 and a threshold they can meet.",
    "key_box_not_opened": "The key box does not open. Check that words and box are of the same community.",
    "entropy_out_of_range": "The recovery words carry too little or too much. Enter 12 to 24 words.",
    "successor_malformed": "The successor note is not well written. Fetch it again, from another node.",
    "successor_mismatch": "The successor note is for another community or epoch. Fetch the one that follows.",
    "successor_not_authorised": "The successor note lacks the announced key and enough recovery keys. "
    "Do not follow it.",
}

_SEALING = {
    "sealed_too_large": "The private part is larger than the limit. Shorten it.",
    "sealed_not_opened": "The private part does not open with this key. Ask its sender for it again.",
    "commitment_mismatch": "The private part is not what was promised. Do not trust it; ask its sender.",
    "wrapped_key_not_opened": "The key was not wrapped for this reader. Ask the sender to add you.",
    "payload_refused": "The private part opens, but is not of the expected form. Ask the sender to send it again.",
    "lines_mismatch": "The opened lines do not give the totals of the order. Reject the order.",
}

_RECORD = {
    "record_shape": "The entry is not a record of seven elements. Write it with the software of your node.",
    "format_unknown": "The record has a format number that this version does not know. Update your node.",
    "body_refused": "A field of the record is missing, unknown or out of bounds. Correct that field.",
    "kind_not_of_lane": "This kind of record does not belong in this lane. Write it in the lane of its family.",
    "time_decreased": "The record is older than the one before it in the lane. Set the clock of the node.",
    "charter_size_decreased": "The record stands under an older charter than the one before it in the lane. "
    "Read the newest charter before writing.",
    "charter_size_refused": "The record names a charter size that it cannot stand under. "
    "Name the size of your own charter, and 0 in the charter itself.",
    "record_repeated": "The same record stands earlier in the lane. Only the first one counts.",
    "instant_full": "Too many records share one millisecond. Spread them over more time.",
    "beyond_seal": "The record stands beyond the size at which its epoch was closed. Write it in the new epoch.",
    "reference_unknown": "The record cites an entry that has no effect. Cite the record itself.",
    "reference_mismatch": "The record cites an entry that is another one at that place. Cite by position and id.",
}

_CHARTER = {
    "genesis_misplaced": "A community is founded once, by the first record of its charter. Leave this one out.",
    "genesis_mismatch": "The genesis is not the one that the community is named after. Get the right charter.",
    "lane_unknown": "There is no lane of that name. Choose a name from the table of lanes.",
    "lane_opening_misplaced": "A lane is opened by its own first record, once. Leave this one out.",
    "lane_continuation_mismatch": "The lane does not continue what the successor note sealed. "
    "Name the sealed size and root.",
    "lane_not_declared": "The charter has not declared this lane yet. Declare it first.",
    "lane_not_opened": "The lane has no valid first record. Begin it with lane.opened or lane.continued.",
    "member_unknown": "Nobody of that id is a member now. Admit the member first.",
    "author_unknown": "The author was not a member with a key when this was written. Admit the member first.",
    "author_not_permitted": "The author may not say this. Ask a steward for the role, or let the community say it.",
    "author_signature": "The member's signature does not hold. Sign the record again with the member's own key.",
    "peer_is_self": "A community cannot vouch for itself. Name another community.",
    "peer_vouched_already": "The community is vouched for already. Nothing has to be done.",
    "peer_not_vouched": "The community is not vouched for. Nothing has to be done.",
    "witness_is_self": "A community is no witness of itself. Name another community.",
    "relay_is_self": "A community is no relay for itself. Name another community.",
    "policy_adopted_already": "The policy is in force already. Nothing has to be done.",
    "spans_full": "The charter has begun this anew as often as it may. Use another member id, or another policy.",
    "policy_not_adopted": "The community does not stand by this policy. Adopt it, or pin one that it has adopted.",
}

_MARKET = {
    "shop_unknown": "There is no such shop in this lane. Publish the shop in the same sector first.",
    "listing_unknown": "There is no such listing in this lane. Check the listing's id and sector.",
    "listing_of_another_shop": "The listing belongs to another shop. Publish a new listing instead.",
    "listing_withdrawn_already": "The listing is withdrawn already. Nothing has to be done.",
}

_TRADE = {
    "order_placed_already": "An order of that id was placed before. Choose a new random id.",
    "order_unknown": "The buyer's lane has no such order. Check the order's id.",
    "order_not_taken": "The seller has not taken this order. The first answer has to take order.placed.",
    "order_not_seller": "The order was placed with another community. Only that one can answer it.",
    "takes_refused": "The record takes what it cannot take. Take only what the table of moves allows.",
    "taken_already": "The record takes what was taken before. Take each record once.",
    "move_not_legal": "The order is in a state that does not allow this. See what the order is waiting for.",
    "receipt_missing": "An order is completed by its receipt. Wait for the buyer's order.received.",
    "cancellation_not_requested": "Nobody has asked to cancel this order. There is nothing to refuse.",
    "refund_refused": "A refund states new totals in the same tax classes, below those before. Correct the totals.",
}

_LEDGER = {
    "posting_move_refused": "The cited record gives this community nothing to post. "
    "Cite the order.completed or the order.refunded after it.",
    "posting_not_party": "The community is on neither side of the order. Only the two sides post.",
    "posting_made_already": "The posting was made before. Each side posts a move once.",
    "posting_unbalanced": "The entries do not add up to zero. Debits and credits have to be equal.",
    "posting_mismatch": "The entries are not those that the pinned policy gives. Post the split as computed.",
}

_SESSION = {
    "origin_malformed": "This names no lane. Write wildgrass/v1/<community id>/<epoch>/<lane>.",
    "frame_too_large": "A message is larger than the limit. Ask for less at a time.",
    "frame_malformed": "A message is not a frame of this protocol. Both nodes should be updated.",
    "frame_unknown": "A message has a type that this version does not know. Update the older node.",
    "frame_unexpected": "A message came at the wrong moment. Connect again; update both nodes if it recurs.",
    "session_version_unsupported": "The two nodes share no version of the protocol. Update the older one.",
    "session_role_refused": "Both ends claim the same role. Check the address: something sends words back.",
    "session_self": "The node has dialled itself. Remove its own address from the list of peers.",
    "session_genesis_refused": "The other node's genesis does not hold. Ask its community for its address.",
    "session_key_mismatch": "The transport key is not the one of the genesis. Do not trust this node.",
    "session_certificate_mismatch": "Somebody stands in between, or the address is another node's. Check it.",
    "session_community_mismatch": "Another community answers at this address. Check the address and the id.",
    "session_proof_invalid": "The other node does not hold the key it names. Do not trust this address.",
    "session_timeout": "The other node did not greet in time. It is tried again later.",
    "session_silent": "The other node has fallen silent. It is dialled again.",
    "session_slow": "The other node reads too slowly. The session starts again and catches up.",
    "rate_exceeded": "A peer sends more than it was granted, again and again. It may connect again, at its pace.",
    "session_lost": "The connection broke off. It is dialled again.",
    "session_duplicate": "The two nodes are connected already. The other connection goes on.",
    "session_blocked": "That community does not talk to yours. Ask its stewards.",
    "session_full": "The node has as many sessions as it can hold. Try again later, or through another.",
    "session_stopping": "The node is stopping. It is dialled again later.",
    "session_finished": "The other node has what it asked for. Nothing is to be done.",
    "requests_too_many": "More requests wait than the peer allows. Wait for answers first.",
    "request_refused": "The peer refuses what it was asked for. Another one is asked.",
    "request_unanswered": "The peer did not answer in time. Another one is asked.",
    "lane_not_served": "The lane is not held here, or you may not read it. Ask its own community.",
    "range_not_held": "These entries or hashes are not held here. Ask for less, or another peer.",
    "sealed_not_admitted": "The private part is for nobody here. Send it to the community it is for.",
    "relay_not_admitted": "The relay keeps nothing here for this community, or nothing from this sender. "
    "Ask the relay's steward, or the recipient.",
    "relay_full": "The relay has no room left for this recipient. Try again later, or at another relay.",
    "relay_list_stuck": "A relay's list of deliveries does not move on. The relay is asked again later.",
    "receipt_refused": "A relay says that something was delivered and cannot show it. It counts as waiting.",
    "blob_not_held": "The file is not held here. Ask another peer.",
    "statement_not_held": "The statement is not held here. Ask another peer.",
    "statement_other_digest": "A statement is not the one that was asked for. It is asked of another peer.",
    "statements_unsorted": "A list of statements is not in order. The peer is asked again later.",
    "backup_not_kept": "This community keeps nothing for the asker. Follow each other first, or ask another peer.",
    "recovery_refused": "The recovery key was not proven. Check the recovery words and try again.",
    "store_unavailable": "The node cannot read or write its store just now. Try again later.",
    "heads_page_stuck": "A list of heads does not move on. The peer is asked again later.",
    "answer_mismatch": "An answer is not what was asked for. Another peer is asked.",
    "fetch_root_mismatch": "The hashes do not state the signed root. They are asked of another peer.",
    "fetch_tile_mismatch": "A tile is not the one that its parent names. It is asked of another peer.",
    "fetch_bundle_mismatch": "Entries are not those that the head covers. They are asked of another peer.",
    "fetch_peer_missing": "No peer is left that gives the lane. It is fetched when one comes back.",
    "fetch_local_damaged": "The stored lane is not what its signed head covers. Restore it from peers.",
    "lane_forked": "Two signed heads of this lane contradict each other. Ask its community what happened.",
}

_TRUST = {
    "address_record_malformed": "An address record is not well written. The node that sent it should be updated.",
    "invite_malformed": "This is no invite, or a part of it is missing or mistyped. Copy the whole link again.",
    "invite_foreign": "The community has made no such invite. Ask its steward for a new one.",
    "invite_used": "The invite was used already. Ask for a new one.",
    "invite_revoked": "The invite was taken back. Ask its steward why, or for a new one.",
    "invite_expired": "The invite has expired. Ask for a new one.",
    "invite_guesses_too_many": "Too many wrong invites were shown in this session. Ask for a new invite.",
    "pairing_cancelled": "The pairing was broken off. Begin again when both stewards are there.",
    "pairing_expired": "The pairing took too long. Begin again when both stewards are there.",
    "pairing_mismatch": "Something does not fit in the pairing. Somebody may stand in between. Try again.",
    "pairings_too_many": "The other node has too many pairings waiting. Ask its steward to look.",
    "address_record_forged": "An address record is not signed by its community. Do not trust who sent it.",
}

_AUDIT = {
    "source_unreadable": "The source cannot be read. Check the path or address, and that it is complete.",
    "source_refused": "The server does not let you read this. Ask the community for an auditor's token.",
    "source_changed": "The source gave other bytes at the second reading. Copy it, then audit the copy.",
    "file_unreadable": "A file cannot be read, or is none. Check its rights, or get the bundle again.",
    "file_too_large": "A file is larger than its kind may be. Get the bundle again, from another node.",
    "file_missing": "A file of the bundle is missing. Get the bundle again, from another node.",
    "path_refused": "A name in the archive is no path of a bundle. Do not unpack it; get another one.",
    "archive_refused": "The archive holds a link or a special file. Do not unpack it; get another one.",
    "index_malformed": "The index of the bundle is not well written. Get the bundle again.",
    "index_mismatch": "The index states another size than the checkpoint. Get the bundle again.",
    "genesis_missing": "No source holds the genesis of this community. Add a source with its charter.",
    "successor_missing": "No successor note opens the epoch of this lane. Add a source that holds the note.",
    "successor_contested": "Two successor notes close one epoch. Ask the community which one it stands by.",
    "entries_damaged": "Entries are not those that the signed root covers. Take this lane from another node.",
    "tile_damaged": "A hash tile is not the one that the signed root covers. Take it from another node.",
    "copy_abandoned": "So much of this copy is damaged that the rest was not read. Take another copy.",
    "checkpoint_contradicted": "The signed root is not that of the entries. Ask the community for its lane.",
    "lane_short": "No source holds the lane up to the size at which it was sealed. Add a source that does.",
    "seal_mismatch": "The lane is not the one that was sealed. Ask its community what happened.",
    "statement_mismatch": "The charter states another root of this lane. Ask its community what happened.",
    "posting_overdue": "A posting is missing though later ones were made. Ask that community to post it.",
    "posting_unshared": "The shares of an order do not sum to its gross. Compare the split by hand.",
    "balance_mismatch": "An account is not the sum of its postings. Compare the ledger by hand.",
    "due_unmirrored": "What two communities owe each other does not cancel out. Compare their ledgers.",
    "receipt_mismatch": "The receipt proves another record than the one it shows. Ask for a new receipt.",
    "file_unknown": "The file is no checkpoint, receipt or bundle. Check that it was copied whole.",
    "destination_not_empty": "Something stands at the destination already. Choose a new name.",
}

SENTENCES: Mapping[str, str] = {
    **_ENCODING,
    **_RECORD,
    **_CHARTER,
    **_MARKET,
    **_TRADE,
    **_LEDGER,
    **_AMOUNT,
    **_IDENTITY,
    **_SEALING,
    **_LOG,
    **_SESSION,
    **_TRUST,
    **_AUDIT,
}
