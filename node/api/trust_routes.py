"""The routes by which communities come to trust each other: invites and pairing."""

from node.actions.invites import (
    AcceptedInvite,
    InviteAnswer,
    InviteDraft,
    InviteName,
    InvitesAnswer,
    InvitesQuery,
    InviteText,
    MadeInvite,
    accept_invite,
    list_invites,
    make_invite,
    revoke_own_invite,
)
from node.actions.pairing import (
    PairingAnswer,
    PairingsAnswer,
    PairingsQuery,
    cancel_pairing,
    confirm_pairing,
    list_pairings,
    show_pairing,
    start_pairing,
)
from node.actions.peers import PeerName
from node.api.route import Route

TRUST_ROUTES = (
    Route("POST", "/invites", make_invite, InviteDraft, MadeInvite, "admin", "Make an invite.", 201),
    Route("GET", "/invites", list_invites, InvitesQuery, InvitesAnswer, "admin", "List invites."),
    Route(
        "POST",
        "/invites/accepted",
        accept_invite,
        InviteText,
        AcceptedInvite,
        "admin",
        "Accept another community's invite.",
        201,
    ),
    Route(
        "POST",
        "/invites/{invite}/revocation",
        revoke_own_invite,
        InviteName,
        InviteAnswer,
        "admin",
        "Let an invite hold no more.",
    ),
    Route("GET", "/pairings", list_pairings, PairingsQuery, PairingsAnswer, "admin", "List pairings."),
    Route(
        "GET",
        "/peers/{community}/pairing",
        show_pairing,
        PeerName,
        PairingAnswer,
        "admin",
        "Show where a pairing stands.",
    ),
    Route(
        "POST",
        "/peers/{community}/pairing",
        start_pairing,
        PeerName,
        PairingAnswer,
        "admin",
        "Ask a neighbour to compare words, or take up its offer.",
    ),
    Route(
        "POST",
        "/peers/{community}/pairing/confirmation",
        confirm_pairing,
        PeerName,
        PairingAnswer,
        "admin",
        "Say that both see the same words.",
    ),
    Route(
        "POST",
        "/peers/{community}/pairing/cancellation",
        cancel_pairing,
        PeerName,
        PairingAnswer,
        "admin",
        "Break off a pairing.",
    ),
)
