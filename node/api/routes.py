"""Every route of the JSON API, room by room: method, path, action, types, who may, and one sentence.

Our own listings, shops and policies are public, like the lanes that they stand in; orders, members, peers and
everything that writes are for the holder of the node's token.
"""

from node.actions.auditors import (
    AuditorDraft,
    AuditorName,
    AuditorsAnswer,
    AuditorsQuery,
    AuditorToken,
    RevokedAnswer,
    admit_auditor,
    dismiss_auditor,
    list_auditors,
)
from node.actions.audits import AuditAnswer, show_audit, start_audit
from node.actions.buying import (
    CancellationDraft,
    OrderDraft,
    OrderPreview,
    OwnOrderName,
    PlacedOrder,
    PreviewedOrder,
    confirm_receipt,
    place_order,
    preview_order,
    request_cancellation,
)
from node.actions.desk import DeskAnswer, DeskQuery, show_desk
from node.actions.keys import (
    CancellationQuery,
    KeysAnswer,
    KeysQuery,
    NoteChoice,
    PreparationDraft,
    PreparedNote,
    RehearsalDraft,
    RehearsedAnswer,
    RotatedAnswer,
    RotationDraft,
    SignedNote,
    cancel_note,
    choose_note,
    combine_note,
    prepare_note,
    rehearse_recovery,
    rotate_keys,
    show_keys,
)
from node.actions.listings import (
    ListingAnswer,
    ListingDraft,
    ListingPlace,
    ListingsAnswer,
    ListingsQuery,
    PublishedListing,
    SearchQuery,
    list_listings,
    publish_listing,
    search_listings,
    show_listing,
    withdraw_listing,
)
from node.actions.members import (
    AdmittedMember,
    MemberDraft,
    MemberName,
    MembersAnswer,
    MembersQuery,
    admit_member,
    list_members,
    release_member,
)
from node.actions.order_book import OrderAnswer, OrdersAnswer, OrdersQuery, list_orders, show_order
from node.actions.peers import (
    AddedPeer,
    PeerAddress,
    PeerAnswer,
    PeerName,
    PeerQuota,
    PeersAnswer,
    PeersQuery,
    add_peer,
    block_peer,
    dismiss_peer,
    follow_peer,
    list_peers,
    set_peer_quota,
    show_peer,
    unfollow_peer,
    vouch_peer,
)
from node.actions.people import (
    LoginLinkDraft,
    LoginLinkToken,
    PeopleAnswer,
    PeopleQuery,
    PersonAnswer,
    PersonDraft,
    PersonName,
    RoleDraft,
    admit_person,
    change_role,
    dismiss_person,
    list_people,
    make_login_link,
)
from node.actions.photos import MEDIA_TYPES, PHOTO_BYTES_MAX, AddedPhoto, PhotoDraft, add_photo
from node.actions.policies import (
    AdoptedAnswer,
    PoliciesAnswer,
    PoliciesQuery,
    PolicyDraft,
    PolicyName,
    SplitAnswer,
    SplitQuery,
    adopt_policy,
    list_policies,
    preview_split,
    retire_policy,
)
from node.actions.relays import (
    RelaysAnswer,
    RelaysDraft,
    RelaysQuery,
    admit_recipient,
    dismiss_recipient,
    name_relays,
    show_relays,
)
from node.actions.resuming import AloneDraft, continue_alone
from node.actions.selling import (
    CodedAnswer,
    OrderName,
    RefundDraft,
    accept_order,
    cancel_order,
    fulfil_order,
    refund_order,
    refuse_cancellation,
    reject_order,
)
from node.actions.sessions import EndedAnswer, SessionName, SessionsAnswer, end_session, list_sessions
from node.actions.shapes import Said
from node.actions.shops import (
    PublishedShop,
    ShopAnswer,
    ShopDraft,
    ShopPlace,
    ShopsAnswer,
    ShopsQuery,
    list_shops,
    publish_shop,
    show_shop,
)
from node.actions.status import StatusAnswer, StatusQuery, show_status
from node.actions.witnesses import (
    WitnessesAnswer,
    WitnessesDraft,
    WitnessesQuery,
    adopt_witnesses,
    list_witnesses,
)
from node.api.route import Route, Upload
from node.api.trust_routes import TRUST_ROUTES

_STOCK = frozenset({"stock_available_steps", "stock_on_hand_steps"})  # exact stock is the shop's own affair

_STATUS = (Route("GET", "/status", show_status, StatusQuery, StatusAnswer, "admin", "Show how the node is."),)

_MARKET = (
    Route("POST", "/shops", publish_shop, ShopDraft, PublishedShop, "admin", "Publish a shop.", 201),
    Route("GET", "/shops", list_shops, ShopsQuery, ShopsAnswer, "public", "List a community's shops."),
    Route("GET", "/shops/{shop_id}", show_shop, ShopPlace, ShopAnswer, "public", "Show a shop."),
    Route(
        "POST",
        "/listings",
        publish_listing,
        ListingDraft,
        PublishedListing,
        "admin",
        "Publish a listing.",
        201,
    ),
    Route(
        "POST",
        "/photos",
        add_photo,
        PhotoDraft,
        AddedPhoto,
        "admin",
        "Add a photo, which is the body; a listing's `images` take its name.",
        201,
        upload=Upload("content", MEDIA_TYPES, PHOTO_BYTES_MAX, "photo_too_large"),
    ),
    Route(
        "POST",
        "/listings/{listing_id}/withdrawal",
        withdraw_listing,
        ListingPlace,
        Said,
        "admin",
        "Withdraw one of our listings.",
        201,
    ),
    Route(
        "GET",
        "/listings",
        list_listings,
        ListingsQuery,
        ListingsAnswer,
        "public",
        "List a sector.",
        hidden=_STOCK,
    ),
    Route(
        "GET",
        "/listings/{listing_id}",
        show_listing,
        ListingPlace,
        ListingAnswer,
        "public",
        "Show a listing.",
        hidden=_STOCK,
    ),
    Route(
        "GET",
        "/search",
        search_listings,
        SearchQuery,
        ListingsAnswer,
        "public",
        "Search all communities that this node follows.",
        hidden=_STOCK,
    ),
)

_BUYING = (
    Route("POST", "/orders", place_order, OrderDraft, PlacedOrder, "admin", "Place an order.", 201),
    Route(
        "POST",
        "/orders/preview",
        preview_order,
        OrderPreview,
        PreviewedOrder,
        "public",
        "Compute what an order would come to and give to whom.",
    ),
    Route(
        "POST",
        "/purchases/{order_id}/cancellation",
        request_cancellation,
        CancellationDraft,
        Said,
        "admin",
        "Ask the seller to cancel an order of ours.",
        201,
    ),
    Route(
        "POST",
        "/purchases/{order_id}/receipt",
        confirm_receipt,
        OwnOrderName,
        Said,
        "admin",
        "Confirm the receipt of an order of ours.",
        201,
    ),
)

_ORDERS = (
    Route("GET", "/orders", list_orders, OrdersQuery, OrdersAnswer, "admin", "List our orders."),
    Route("GET", "/desk", show_desk, DeskQuery, DeskAnswer, "admin", "List orders that wait for our word."),
    Route(
        "GET", "/orders/{buyer}/{order_id}", show_order, OrderName, OrderAnswer, "admin", "Show one order."
    ),
)


def _sale(word: str, action: object, request: type, summary: str) -> Route:
    path = "/orders/{buyer}/{order_id}/" + word
    return Route("POST", path, action, request, Said, "admin", summary, 201)  # type: ignore[arg-type]  # one table


_SELLING = (
    _sale("acceptance", accept_order, OrderName, "Accept an order and promise its stock."),
    _sale("rejection", reject_order, CodedAnswer, "Decline an order."),
    _sale("cancellation", cancel_order, CodedAnswer, "End an order before fulfilment."),
    _sale("cancellation-refusal", refuse_cancellation, CodedAnswer, "Let an order stand."),
    _sale("fulfilment", fulfil_order, OrderName, "Say that an order was handed over."),
    _sale("refund", refund_order, RefundDraft, "Refund to new totals."),
)

_CHARTER = (
    Route("POST", "/policies", adopt_policy, PolicyDraft, AdoptedAnswer, "admin", "Adopt a policy.", 201),
    Route(
        "POST",
        "/policies/{policy_id}/retirement",
        retire_policy,
        PolicyName,
        Said,
        "admin",
        "Retire a policy.",
        201,
    ),
    Route("GET", "/policies", list_policies, PoliciesQuery, PoliciesAnswer, "public", "List policies."),
    Route("POST", "/splits", preview_split, SplitQuery, SplitAnswer, "public", "Compute who gets what."),
    Route("POST", "/members", admit_member, MemberDraft, AdmittedMember, "admin", "Admit a member.", 201),
    Route("GET", "/members", list_members, MembersQuery, MembersAnswer, "admin", "List members."),
    Route(
        "POST",
        "/members/{member_id}/departure",
        release_member,
        MemberName,
        Said,
        "admin",
        "Let a member go.",
        201,
    ),
)

_RELAYS = (
    Route("GET", "/relays", show_relays, RelaysQuery, RelaysAnswer, "admin", "Show relays, ours and as one."),
    Route("POST", "/relays", name_relays, RelaysDraft, Said, "admin", "Name our relays.", 201),
    Route(
        "POST",
        "/relays/{community}/admission",
        admit_recipient,
        PeerName,
        RelaysAnswer,
        "admin",
        "Be a relay for a community.",
    ),
    Route(
        "POST",
        "/relays/{community}/dismissal",
        dismiss_recipient,
        PeerName,
        RelaysAnswer,
        "admin",
        "Be its relay no longer.",
    ),
)

_WITNESSES = (
    Route(
        "POST",
        "/witnesses",
        adopt_witnesses,
        WitnessesDraft,
        Said,
        "admin",
        "Name who cosigns our heads.",
        201,
    ),
    Route(
        "GET",
        "/witnesses",
        list_witnesses,
        WitnessesQuery,
        WitnessesAnswer,
        "admin",
        "List them, and what each has seen.",
    ),
)

_PEERS = (
    Route(
        "POST",
        "/writing/alone",
        continue_alone,
        AloneDraft,
        Said,
        "admin",
        "Sign without waiting for the neighbours any longer.",
        201,
    ),
    Route("POST", "/peers", add_peer, PeerAddress, AddedPeer, "admin", "Dial an address from now on.", 201),
    Route("GET", "/peers", list_peers, PeersQuery, PeersAnswer, "admin", "List known communities."),
    Route("GET", "/peers/{community}", show_peer, PeerName, PeerAnswer, "admin", "Show one community."),
    Route("POST", "/peers/{community}/following", follow_peer, PeerName, PeerAnswer, "admin", "Follow one."),
    Route(
        "POST",
        "/peers/{community}/unfollowing",
        unfollow_peer,
        PeerName,
        PeerAnswer,
        "admin",
        "Stop following.",
    ),
    Route(
        "POST", "/peers/{community}/block", block_peer, PeerName, PeerAnswer, "admin", "Block a community."
    ),
    Route(
        "POST",
        "/peers/{community}/vouch",
        vouch_peer,
        PeerName,
        Said,
        "admin",
        "Let it read trade and ledger.",
        201,
    ),
    Route(
        "PUT",
        "/peers/{community}/quota",
        set_peer_quota,
        PeerQuota,
        PeerAnswer,
        "admin",
        "Keep more or less of a community's lanes.",
    ),
    Route("POST", "/peers/{community}/dismissal", dismiss_peer, PeerName, Said, "admin", "End that.", 201),
    Route(
        "POST",
        "/peers/{community}/audit",
        start_audit,
        PeerName,
        AuditAnswer,
        "admin",
        "Audit what is stored of it, in the background.",
        202,
    ),
    Route(
        "GET",
        "/peers/{community}/audit",
        show_audit,
        PeerName,
        AuditAnswer,
        "admin",
        "Show how far its audit is.",
    ),
)

_AUDITORS = (
    Route("POST", "/auditors", admit_auditor, AuditorDraft, AuditorToken, "admin", "Admit an auditor.", 201),
    Route("GET", "/auditors", list_auditors, AuditorsQuery, AuditorsAnswer, "admin", "List auditors."),
    Route(
        "POST",
        "/auditors/revocation",
        dismiss_auditor,
        AuditorName,
        RevokedAnswer,
        "admin",
        "Close the tokens of an auditor.",
    ),
)

_PEOPLE = (
    Route("POST", "/people", admit_person, PersonDraft, PersonAnswer, "admin", "Let a person log in.", 201),
    Route("GET", "/people", list_people, PeopleQuery, PeopleAnswer, "admin", "List who may log in."),
    Route(
        "POST",
        "/people/{person_id}/login-link",
        make_login_link,
        LoginLinkDraft,
        LoginLinkToken,
        "admin",
        "Make a link that logs a person in, once.",
        201,
    ),
    Route("POST", "/people/{person_id}/role", change_role, RoleDraft, PersonAnswer, "admin", "Give a role."),
    Route(
        "POST",
        "/people/{person_id}/dismissal",
        dismiss_person,
        PersonName,
        PersonAnswer,
        "admin",
        "Let a person in no more.",
    ),
    Route(
        "GET",
        "/people/{person_id}/sessions",
        list_sessions,
        PersonName,
        SessionsAnswer,
        "admin",
        "List where a person is logged in.",
    ),
    Route(
        "POST",
        "/people/{person_id}/sessions/{session_id}/end",
        end_session,
        SessionName,
        EndedAnswer,
        "admin",
        "End one session of a person.",
    ),
)

_KEYS = (
    Route("GET", "/keys", show_keys, KeysQuery, KeysAnswer, "admin", "Show how the keys stand."),
    Route(
        "POST", "/keys/rotation", rotate_keys, RotationDraft, RotatedAnswer, "admin", "Open the next epoch."
    ),
    Route(
        "POST",
        "/keys/note",
        prepare_note,
        PreparationDraft,
        PreparedNote,
        "admin",
        "Prepare new sheets.",
        201,
    ),
    Route(
        "POST", "/keys/note/signed", combine_note, SignedNote, RotatedAnswer, "admin", "Bring it back signed."
    ),
    Route("DELETE", "/keys/note", cancel_note, CancellationQuery, KeysAnswer, "admin", "Give the note up."),
    Route(
        "POST",
        "/keys/rehearsal",
        rehearse_recovery,
        RehearsalDraft,
        RehearsedAnswer,
        "admin",
        "Try a recovery without harm, and say what would be lost.",
    ),
    Route("POST", "/keys/choice", choose_note, NoteChoice, KeysAnswer, "admin", "Choose a contested note."),
)

ROUTES: tuple[Route, ...] = (
    *_STATUS,
    *_MARKET,
    *_BUYING,
    *_ORDERS,
    *_SELLING,
    *_CHARTER,
    *_WITNESSES,
    *_PEERS,
    *_RELAYS,
    *TRUST_ROUTES,
    *_AUDITORS,
    *_PEOPLE,
    *_KEYS,
)
