"""Which section of PROTOCOL.md a finding rests on, by its code (PROTOCOL.md section 19.6).

rule_of("posting_mismatch") == "12.6"
"""

from collections.abc import Mapping

_CODES_OF: Mapping[str, tuple[str, ...]] = {
    "2.3": (
        "encoding_too_large",
        "encoding_malformed",
        "encoding_trailing_bytes",
        "encoding_type_refused",
        "encoding_integer_range",
        "encoding_too_deep",
        "encoding_not_canonical",
        "encoding_not_utf8",
    ),
    "4.1": ("id_malformed",),
    "4.2": (
        "key_refused",
        "signature_invalid",
    ),
    "4.4": ("key_repeated",),
    "4.5": (
        "proof_invalid",
        "recovery_set_refused",
        "genesis_misplaced",
        "genesis_mismatch",
        "genesis_missing",
    ),
    "5.1": (
        "number_malformed",
        "base64_malformed",
        "text_character_refused",
        "key_name_malformed",
    ),
    "5.2": (
        "note_too_large",
        "note_malformed",
        "note_signature_malformed",
        "note_signatures_too_many",
    ),
    "5.3": (
        "verifier_key_malformed",
        "verifier_keys_ambiguous",
    ),
    "5.4": (
        "note_signature_invalid",
        "note_not_signed",
    ),
    "5.5": (
        "checkpoint_malformed",
        "checkpoint_empty_root",
        "checkpoint_other_origin",
        "checkpoint_contradicted",
    ),
    "6.1": (
        "tree_size_range",
        "tree_hash_length",
    ),
    "6.2": ("tile_damaged",),
    "6.5": ("entries_damaged",),
    "7.1": (
        "proof_length",
        "proof_root_mismatch",
    ),
    "7.2": ("consistency_sizes",),
    "7.3": ("receipt_mismatch",),
    "8.2": (
        "record_shape",
        "format_unknown",
        "body_refused",
    ),
    "8.5": (
        "time_decreased",
        "charter_size_decreased",
        "record_repeated",
        "instant_full",
    ),
    "8.6": ("charter_size_refused",),
    "8.7": (
        "author_unknown",
        "author_not_permitted",
        "author_signature",
    ),
    "9.1": (
        "origin_malformed",
        "lane_not_declared",
        "lane_not_opened",
    ),
    "9.2": (
        "beyond_seal",
        "lane_short",
    ),
    "9.3": (
        "successor_malformed",
        "successor_mismatch",
        "successor_not_authorised",
        "successor_missing",
        "successor_contested",
        "seal_mismatch",
    ),
    "10.1": (
        "lane_unknown",
        "lane_opening_misplaced",
        "lane_continuation_mismatch",
        "statement_mismatch",
    ),
    "10.2": (
        "member_unknown",
        "spans_full",
    ),
    "10.3": (
        "peer_is_self",
        "peer_vouched_already",
        "peer_not_vouched",
    ),
    "10.4": (
        "policy_adopted_already",
        "policy_not_adopted",
    ),
    "10.5": ("relay_is_self",),
    "10.6": ("witness_is_self",),
    "11.2": (
        "shop_unknown",
        "listing_unknown",
        "listing_of_another_shop",
        "listing_withdrawn_already",
    ),
    "12.1": (
        "currency_unknown",
        "amount_out_of_range",
        "amount_malformed",
    ),
    "12.2": (
        "unit_unknown",
        "quantity_out_of_range",
        "quantity_malformed",
    ),
    "12.4": (
        "tax_class_malformed",
        "tax_class_repeated",
        "tax_classes_out_of_range",
        "tax_rate_out_of_range",
    ),
    "12.5": (
        "role_refused",
        "role_repeated",
        "share_malformed",
        "shares_too_many",
        "shares_exceed_whole",
    ),
    "12.6": (
        "posting_mismatch",
        "posting_unshared",
    ),
    "13.2": (
        "order_placed_already",
        "order_unknown",
    ),
    "13.3": (
        "order_not_taken",
        "order_not_seller",
        "takes_refused",
        "taken_already",
        "move_not_legal",
        "receipt_missing",
        "cancellation_not_requested",
        "refund_refused",
    ),
    "14.1": (
        "posting_move_refused",
        "posting_not_party",
        "posting_made_already",
        "posting_unbalanced",
    ),
    "14.2": (
        "balance_mismatch",
        "due_unmirrored",
    ),
    "14.4": ("posting_overdue",),
    "16.3": ("kind_not_of_lane",),
    "16.4": (
        "reference_unknown",
        "reference_mismatch",
    ),
    "18.6": ("lane_forked",),
    "19.1": ("source_changed",),
    "19.2": ("statement_other_digest",),
    "19.3": ("copy_abandoned",),
    "21.2": (
        "file_missing",
        "file_too_large",
        "index_malformed",
        "index_mismatch",
    ),
    "21.3": (
        "path_refused",
        "archive_refused",
    ),
    "21.4": (
        "source_unreadable",
        "source_refused",
        "file_unreadable",
    ),
    "23.4": (
        "fork_too_large",
        "fork_malformed",
        "fork_other_origin",
        "fork_not_shown",
    ),
}

RULES: Mapping[str, str] = {code: section for section, codes in _CODES_OF.items() for code in codes}


def rule_of(code: str) -> str:
    """Return the section of PROTOCOL.md that a finding of this code rests on; else the list of codes."""
    return RULES.get(code, "20")
