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
TEXT_CHARACTERS_MAX = 8_192
TITLE_CHARACTERS_MAX = 200
LANGUAGES_MAX = 16
LANGUAGE_TAG_CHARACTERS_MAX = 35
ATTRIBUTES_MAX = 64
ATTRIBUTE_NAME_BYTES_MAX = 64
ATTRIBUTES_BYTES_MAX = 16_384
TAKES_MAX = 8

# Charter (section 10)
LANES_MAX = 64
RECOVERY_KEYS_MAX = 16
KEY_BOX_BYTES_MAX = 4_096
WITNESSES_MAX = 8
ROLES_MAX = 8
SPANS_MAX = 256  # times that one member is admitted, one peer vouched for, one policy adopted

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
CONTACT_CHARACTERS_MAX = 300
NOTE_CHARACTERS_MAX = 2_000
ENTRIES_MAX = 24
IMAGES_MAX = 12
SHOP_KEEPERS_MAX = 16

# Sealing (section 15)
SEALED_BYTES_MAX = 1_048_576
READERS_MAX = 16

# The session (sections 17 and 18)
LANE_NAME_BYTES_MAX = 63
FRAME_BYTES_MAX = 1_114_112  # one sealed object of the largest size, with room for its wrapped keys
CODE_CHARACTERS_MAX = 64
REQUESTS_MAX = 32  # requests of one side that may wait for their answers
REQUESTS_QUEUED_MAX = 4_096  # requests that wait, at the asking side, to become one of those
HEADS_PAGE_MAX = 256
HEADS_PAGES_MAX = 64  # pages of one list that are asked for without a pause
SUMMARY_HEADS_MIN = 32  # heads of the asker below which the whole list is asked for at once
SUMMARY_BITS_MAX = 12
SUMMARY_BYTES_MAX = 8 << SUMMARY_BITS_MAX
SUMMARY_BUCKETS_MAX = 1 << (SUMMARY_BITS_MAX - 1)  # of one question; more of them: the whole list
SUMMARY_ITEMS_BYTES_MAX = 524_288
SUMMARIES_MAX = 4  # comparisons that one peer may ask for in `POLL_MS`
PLACES_MAX = 1_024  # peers that are gone whose place in their lists is kept in memory
PLACE_KEPT_MS = 600_000  # a place that has moved is stored so often, and where a session ends
TILES_PAGE_MAX = 32
ENTRIES_FRAME_BYTES_MAX = 1_048_576
NEWS_BYTES_MAX = 65_536
SEALED_OBJECTS_MAX = 16
BLOB_PART_BYTES_MAX = 1_048_576
HEAD_TIMES_MAX = 128  # heads of an own lane whose time of signing is remembered
SHOWN_KEPT_MS = 600_000  # how often at most what a connected peer has shown of our lanes is written down
LANES_SHOWN_MAX = 256  # lanes of a peer's own whose sizes, as it stated them, are remembered
FETCHES_MAX = 4  # lanes that are fetched at a time
FETCH_TURN_MS = 5_000  # so long one of them goes on while lanes of communities that have fewer wait
LANES_TOLD_MAX = 32  # lanes whose offers are weighed at a time, once the store has answered
LANES_OF_COMMUNITY_MAX = 512  # lanes of one followed community, in all its epochs
LANES_LOADING_MAX = 4_096  # lanes offered by peers whose state the store is being asked for
OFFERS_BYTES_MAX = 8_388_608  # offered heads that wait, of all peers; then those of the peer with the most go
OFFER_BYTES = 1_536  # what one of them counts there
OFFERED_COSIGNATURE_BYTES = 768  # and each cosignature of it
LANES_NOTED_MAX = 65_536  # lanes, over all peers, of which it is remembered how far a peer has them
FETCH_BUNDLES_MAX = 24  # bundles of one lane that are asked for or not yet stored
FETCH_BYTES_MAX = 8_388_608  # of these, those that are here and wait for what comes before them
COSIGN_HASHES_MAX = 63
ADD_CHECKPOINT_BYTES_MAX = 16_384
ADD_CHECKPOINTS_SECOND = 4  # questions over HTTP that are answered to one address range
ADD_CHECKPOINTS_BURST = 64
COSIGNED_AGAIN_SECONDS_MIN = 10  # sooner, the same head gets the line that was made before
WITNESS_URL_CHARACTERS_MAX = 256
WITNESS_ANSWER_BYTES_MAX = 8_192  # more of an answer over HTTP is not read
WITNESS_HTTP_MS = 10_000  # then a witness over HTTP has not answered
WITNESS_BACK_OFF_MS = 1_000  # and twice as long each time, after a witness over HTTP has failed
WITNESS_BACK_OFF_MS_MAX = 3_600_000
WITNESS_ROUND_MS = 60_000  # from one round of a lane to the next
WITNESS_PATIENCE_MS = 2_000  # then a round ends with what came
WITNESS_RETRY_MS = 1_000  # and twice as long each time, where a witness does not know the lane yet
WITNESS_RETRIES_MAX = 5
WITNESS_AGAIN_MS = 21_600_000  # six hours: then a head that did not change is cosigned again
SESSIONS_MAX = 256
HANDSHAKES_MAX = 32
HANDSHAKE_MS = 10_000
REQUEST_MS = 10_000
SILENCE_MS = 60_000  # then a ping is sent
PING_MS = 30_000  # then the session ends
POLL_MS = 30_000  # how often one peer is asked for its heads without a reason
POLL_RESTLESS_MS = 10_000  # how often two are, after a session ended
RESTLESS_MS = 60_000  # for so long

# Statements and forks (section 23)
FORK_BYTES_MAX = 2_048
STATEMENT_BYTES_MAX = 32_768
STATEMENTS_PAGE_MAX = 256
STATEMENTS_MAX = 4_096  # statements about communities that are not followed, in all
STATEMENTS_OF_COMMUNITY_MAX = 64
STATEMENTS_LISTED_MAX = 16_384  # digests that one peer lists and that are read
STATEMENTS_NOTED_MAX = 32_768  # digests that a node remembers of all peers
STATEMENTS_OF_ONE_MAX = 8_192  # of them, those that one peer holds, and those that are wanted of it
STATEMENTS_OF_ONE_MIN = 64  # as many of each of one peer however many others there are
STATEMENTS_JUDGED_MAX = 64  # statements that wait at one time for the store's judgement
STATEMENTS_ASKED_MAX = 4  # statements that are asked of one peer at a time
STATEMENTS_PASSED_MAX = 4_096  # digests of statements that were not kept, remembered so as not to ask again

# Before the first signature (section 24)
START_ANSWERS_MAX = 2  # peers whose answers are waited for, of those that have acknowledged a head
START_ANSWERS_MS = 30_000  # then people are told that nobody has answered
EARLY_STATEMENTS_MAX = 256  # stated heads that wait until the store has said what the own heads are

# Dissemination (section 28)
LINKS_ALL_MAX = 50  # so many communities are all dialled
LINKS_WANTED = 6  # links of a node that knows more
LINKS_CHOSEN_MIN = 2  # of which so many are its own choice
VISIT_MS = 5_000  # so long a link stands that was not chosen
GRACE_MS = 200  # so long an announcement waits for its news before it is fetched
HELD_BACK_MAX = 4_096  # lanes whose announcements wait
PRUNED_MAX = 16_384  # communities of which peers want no more than announcements, over all peers
PRUNED_BY_ONE_MAX = 1_024  # of them, those of one peer
PRUNED_BY_ONE_MIN = 64  # as many of one peer are remembered however many others there are
NEWS_PASSED_BYTES_MAX = 16_777_216  # news that is kept until it is stored, to be passed on with its entries

# Rotation and recovery (section 25)
SUCCESSORS_KEPT_MAX = 4  # notes of one kind that are kept of one epoch
BACKUP_COPIES_MAX = 65_536  # sealed payloads that a node keeps for one other community
BACKUP_TOTAL_BYTES_MAX = 67_108_864  # of these, together
BACKUP_GIVEN_MAX = 16  # copies in one frame
BACKUP_MS = 3_600_000  # how often a peer is offered what it did not keep
BACKUP_WAIT_MS = 2_000  # so long new sealed payloads gather before they are given on
RECOVERED_MAX = 4  # communities whose key boxes are given for one recovery key
CHALLENGES_MAX = 256  # proofs of recovery keys that a node waits for at a time

# Relays (sections 10.5 and 29)
RELAYS_MAX = 4  # that one community names
RELAY_SENDERS_MAX = 1_024  # from whom one community takes deliveries
RELAY_RECIPIENTS_MAX = 256  # for whom one relay keeps deliveries
RELAY_OBJECTS_MAX = 4_096  # that wait at a relay for one recipient
RELAY_SENDER_PART = 4  # one sender fills at most the fourth part of what is kept for one recipient
RELAY_BYTES_MAX = 268_435_456  # ciphertext that waits at a relay in all
RELAY_RECEIPTS_MAX = 4_096  # that a relay keeps for one sender, the newest
RELAY_PAGE_MAX = 256  # rows of one list of deliveries
RELAY_PAGES_MAX = 64  # of one list that are asked for in a row
RELAY_PUTS_MAX = 4  # times that one object is put at relays before it counts as expired for good
RELAY_DAYS_MAX = 90  # that a relay keeps a delivery
RELAY_REGISTRATION_DAYS = 30  # that a registration holds without being renewed
RELAY_POLL_MS = 300_000  # how often a relay is asked for its list without a reason

# Rates and quotas (section 30)
GRANT_BYTES_SECOND_MIN = 131_072  # what the largest frame needs to come within REQUEST_MS
GRANT_BYTES_SECOND = 4_194_304  # what a node grants to each peer where its settings say nothing else
GRANT_BYTES_BURST = 16_777_216
GRANT_REQUESTS_SECOND = 1_024
BURSTS_EXCEEDED_MAX = 16  # of what is granted at once, taken without a pause beyond it: then the session ends
VERIFICATIONS_SECOND = 512  # signatures that one peer may have verified
VERIFICATIONS_BURST = 4_096
HEADS_PAGE_VERIFICATIONS = 16  # what a page of heads counts as at least
RANGE_SHARE = 4  # what a /24 or /48 may do together, in times of what one peer may
RANGES_MAX = 1_024  # address ranges that are remembered
REQUESTS_REMEMBERED_MAX = 256  # own requests whose late answers are not held against the peer
CONNECTIONS_SECOND = 8  # connections that are taken from one address range
CONNECTIONS_BURST = 128
CONNECTIONS_WAITING_MAX = 32  # connections that have not asked for the WebSocket yet
RANGE_PLACES_MAX = 16  # of these, and of HANDSHAKES_MAX, those that one address range may take
SESSIONS_FOUND_MAX = 64  # sessions with communities that are not followed, of SESSIONS_MAX
OUTBOX_BYTES_MAX = 4_194_304  # what waits to be sent to one peer; then its session ends
OUTBOXES_BYTES_MAX = 33_554_432  # what waits to be sent to all peers; then the session with the most ends
QUOTA_ENTRY_BYTES = 64  # what a kept entry counts besides its packed bytes, for the hashes over it
STEPS_BYTES_MAX = 16_777_216  # what waits to be stored; while it is more, no frame is read

# Bundles and the audit (sections 19 and 21)
INDEX_LANES_MAX = 131_072
INDEX_BYTES_MAX = 16_777_216
FINDINGS_LISTED_MAX = 100  # findings of each code that a report names; it counts all
WAITING_LISTED_MAX = 1_000  # pending records and awaited postings that a report names; it counts all
COPY_DAMAGES_MAX = 1_000  # damaged files of one copy, then the rest of it is not read
STATEMENTS_SHOWN_MAX = 1_024  # about one community, over HTTP and in a bundle: an auditor holds them all
EPOCHS_AUDITED_MAX = 1_000
LANES_MERGED_MAX = 64  # lanes of trade that are folded side by side, in order of time
PORTION_BYTES_MAX = 1_048_576  # entries of one lane that an audit holds at a time
UNKNOWN_KINDS_LISTED_MAX = 64
ROLES_LISTED_MAX = 64

# Discovery, invites and trust (section 26)
ADDRESSES_MAX = 8  # ways to one community that its record names
ADDRESS_RECORD_BYTES_MAX = 4_096
ADDRESS_RECORD_MS_MAX = 30 * 24 * 3_600_000  # how long a record may hold
ADDRESS_RECORD_RENEWED_MS = 24 * 3_600_000  # how old one's own is allowed to become
ADDRESS_RECORD_AHEAD_MS_MAX = 600_000  # by how much a record may be dated ahead of the reader's clock
SECTORS_TOLD_MAX = 16
GENESIS_TOLD_BYTES_MAX = 16_384  # a larger genesis is got from its own community only
ADDRESS_PAGE_MAX = 32  # records in one answer, and communities in one question
ADDRESS_ASKED_MS = 600_000  # how often a peer is asked for addresses without a reason
ADDRESS_SEARCHED_MS = 30_000  # how often while a followed community is not reached
ADDRESS_RECORDS_READ_MAX = 128  # records of one peer that are read within `ADDRESS_WINDOW_MS`
ADDRESS_QUESTIONS_MAX = 16  # questions of one peer that are answered within `ADDRESS_WINDOW_MS`
ADDRESS_WINDOW_MS = 60_000
COMERS_MAX = 512  # communities that proved themselves here and that nobody has chosen
TOLD_MAX = 1_024  # communities that are known by hearsay alone
FOUND_BYTES_MAX = 8_388_608  # what all these hold, `COMERS_MAX` among them
FOUND_BYTES = 2_048  # what one of them counts there besides its genesis and, twice, its address record
TOLD_BY_ONE_MAX = 64  # of them, those that one peer told
TOLD_DIALLED_BY_ONE_MAX = 4  # of them, those that are tried, without being wanted, at a time
TOLD_TRIES_MAX = 3  # times that one of them is tried
HINTS_MAX = 8  # addresses of one community that it did not sign: seen nearby, reached before, typed
DIAL_TARGETS_MAX = 1_024
INVITE_BYTES_MAX = 1_024
INVITES_MAX = 256  # of one community, used and ended ones of the last months among them
INVITES_ACCEPTED_MAX = 32  # invites of others that wait to be redeemed
INVITE_GUESSES_MAX = 8  # wrong invites in one session
INVITE_RETRIED_MS = 60_000
PAIRINGS_MAX = 32  # offers of peers that no steward has answered
PAIRING_MS = 600_000
FOLLOW_RULES_MAX = 64
FOLLOWED_BY_RULES_MAX = 64  # communities that rules follow, in all
DIAL_PROBE_MS = 12_000  # how often one that failed is dialled before its time
DIAL_HASTE_MS = 5_000  # within so long all that failed are dialled, after one of them has come back
DIALS_MAX = 32  # connections that are being made or held by dialling without a session yet
