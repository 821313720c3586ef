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

_FIELDS = {
    "languages_out_of_range": "A text must come in 1 to 16 languages. Give at least one, and no more.",
    "language_tag_malformed": "A language is not named as in en, zh-Hans or pt-BR. Correct the language tag.",
    "text_out_of_range": "A text is empty or too long. Write something shorter, or leave the field out.",
    "text_control_character": "A text holds control characters. Keep plain text and line breaks only.",
    "attributes_out_of_range": "The attributes are empty, too many or too large. Shorten or omit them.",
}

_AMOUNT = {
    "currency_unknown": "The currency is not in the table of this format. Use a code such as EUR or CNY.",
    "amount_out_of_range": "An amount is below zero or too large. Check the sum.",
    "amount_malformed": "This is not an amount in that currency. Write digits and one point, such as 12.30.",
    "unit_unknown": "The unit is not in the table of this format. Use a UN/CEFACT code such as C62 or KGM.",
    "quantity_out_of_range": "A quantity is below one step, too large, or too finely divided. Check it.",
    "quantity_malformed": "This is not a quantity in that unit. Write digits and one point, such as 0.5.",
    "tax_class_malformed": "A tax class has a wrong name. Use up to 32 of a-z, 0-9 and _.",
    "tax_class_repeated": "A tax class occurs twice. Add its totals together.",
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
}

_SEALING = {
    "sealed_too_large": "The private part is larger than the limit. Shorten it.",
    "sealed_not_opened": "The private part does not open with this key. Ask its sender for it again.",
    "commitment_mismatch": "The private part is not what was promised. Do not trust it; ask its sender.",
    "wrapped_key_not_opened": "The key was not wrapped for this reader. Ask the sender to add you.",
}

SENTENCES: Mapping[str, str] = {
    **_ENCODING,
    **_FIELDS,
    **_AMOUNT,
    **_IDENTITY,
    **_SEALING,
    **_LOG,
}
