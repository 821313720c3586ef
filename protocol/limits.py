"""Everything that a stranger can grow is bounded here; PROTOCOL.md section 3 prints the same numbers.

The unit is the last word before `_MAX`; `_MS` are milliseconds, everything unmarked counts things.
"""

# Canonical encoding (section 2)
DEPTH_MAX = 8
INTEGER_MAX = 2**53 - 1  # exact in every language's numbers, JavaScript's included
RECORD_BYTES_MAX = 60_000
ENTRY_BYTES_MAX = 65_535  # what the u16 length of an entry bundle can say

# Tiles and entry bundles (section 6)
TILE_WIDTH = 256
TILE_HEIGHT = 8
BUNDLE_BYTES_MAX = TILE_WIDTH * (2 + ENTRY_BYTES_MAX)
TILE_PATH_BYTES_MAX = 48

# Notes (section 5)
NOTE_BYTES_MAX = 65_536
NOTE_SIGNATURES_MAX = 64
KEY_NAME_BYTES_MAX = 255
COSIGNATURE_TIME_SECONDS_MAX = 2**63 - 1
TREE_SIZE_MAX = 2**48
EPOCH_MAX = 2**31

# Proofs (section 7)
PROOF_BYTES_MAX = 160_000
PROOF_HASHES_MAX = 48

# Records (section 8)
KIND_BYTES_MAX = 64
INSTANT_RECORDS_MAX = 256  # records of one lane that may share one millisecond
TEXT_BYTES_MAX = 8_192
TITLE_BYTES_MAX = 400
TEXT_CHARACTERS_MAX = 8_192
TITLE_CHARACTERS_MAX = 200
LANGUAGES_MAX = 16
LANGUAGE_TAG_CHARACTERS_MAX = 35
REASON_CHARACTERS_MAX = 500
ATTRIBUTES_MAX = 64
ATTRIBUTE_NAME_BYTES_MAX = 64
ATTRIBUTES_BYTES_MAX = 16_384
TAKES_MAX = 8

# Charter (section 10)
LANES_MAX = 64
RECOVERY_KEYS_MAX = 16
WITNESSES_MAX = 8
ROLES_MAX = 8

# Money, quantities and shares (section 12)
AMOUNT_MINOR_MAX = 10**15
QUANTITY_STEPS_MAX = 10**9
QUANTITY_SCALE_MAX = 6
SHARES_MAX = 16
FIXED_CURRENCIES_MAX = 16
TAX_CLASSES_MAX = 16
BASIS_POINTS = 10_000

# Trade and ledger (sections 13 and 14)
ORDER_LINES_MAX = 200
MEDIATORS_MAX = 8
ENTRIES_MAX = 24
IMAGES_MAX = 12
SHOP_KEEPERS_MAX = 16

# Sealing (section 15)
SEALED_BYTES_MAX = 1_048_576
READERS_MAX = 16
