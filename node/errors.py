"""What the node cannot do, and how any refusal is told: cause, next step, HTTP status, exit code.

Three tables of sentences exist, one a package: `protocol/error_codes.py`, `storage/errors.py` and this one.
Each sentence is the cause, then what to do; the first full stop parts them. `report` turns an exception of
any of these families into one form, which the API, the command line and the pages show alike.

    raise NodeError("port_busy", "8470")
    report(error, language="zh-Hans").next_step
"""

import errno
import re
from collections.abc import Mapping
from dataclasses import dataclass

from node.locale import translate
from protocol.error_codes import SENTENCES as PROTOCOL_SENTENCES
from protocol.errors import AuditError, ProtocolError
from storage.errors import SENTENCES as STORAGE_SENTENCES
from storage.errors import StorageError

OK = 0
REFUSED = 1  # findings of an audit, or a request that was understood and refused
UNREADABLE = 2  # wrong usage, or an input that cannot be read at all
UNREACHABLE = 3  # no node answers
ENVIRONMENT = 4  # port, disk, folder, clock, settings: this machine

SENTENCES: Mapping[str, str] = {
    # this machine
    "port_busy": "Every port that was tried is in use. Name a free one with --listen-http or "
    "--listen-federation.",
    "port_refused": "This user may not listen on that port. Choose one from 1024 to 32767.",
    "address_refused": "This machine has no such address to listen on. Give one of its own addresses, or "
    "0.0.0.0 for all of them.",
    "disk_full": "The disk is full, so nothing was written. Free some space and try again.",
    "folder_read_only": "The folder cannot be written to. Mount it for writing, or give this user the right "
    "to write in it.",
    "folder_unusable": "The folder cannot be used. Name another one with --folder, or repair this one.",
    "not_permitted": "This user is not allowed to do that. Run the command as the user who owns the node's "
    "folder.",
    "file_missing": "There is no such file. Check its name.",
    "file_exists": "A file already stands there. Choose another name, or move it away.",
    "files_exhausted": "Too many files and connections are open. Raise the limit with ulimit -n, then start "
    "again.",
    "memory_exhausted": "The machine has no memory left. Stop another program, then start again.",
    "system_refused": "The operating system refused. Read the particulars, mend them, and try again.",
    "clock_before_release": "The clock of this machine stands before this software was made. Set it, or let "
    "it be set over the network; the node writes again by itself.",
    "clock_behind": "The clock of this machine stands before the newest record. Set it, or wait until it has "
    "caught up; the node writes again by itself.",
    "clock_apart": "The clock of this machine is far from those of the peers. Set it; the node writes again "
    "by itself.",
    "store_restored": "The data is an older copy of what this community has signed. Connect the neighbours: what "
    "is missing is fetched back from them, and the node signs on by itself.",
    "waiting_for_neighbours": "The neighbours were not reached that could know more of this community's records "
    "than this machine. Wait for them, or, if nothing was restored from a copy, continue alone.",
    "own_lane_forked": "This community's key has signed two histories, so nothing more is signed with it. Close "
    "this epoch with the recovery words, which opens the next one with a new key.",
    "epoch_closed": "A successor note gave this community another log key, which is not on this machine. Write "
    "on the machine that holds it; this one reads, and signs nothing more.",
    "epoch_contested": "Two successor notes of this community contradict each other. Let the stewards choose one; "
    "until then this node signs nothing.",
    "note_prepared": "A successor note waits for signatures of recovery sheets. Bring it back signed, or cancel it; "
    "until then nothing is written.",
    "note_other": "This is not the successor note that is asked for. Bring the one that was prepared here, or choose "
    "one of those that are shown.",
    "alone_refused": "This node does not wait for its neighbours, so there is nothing to decide. See its "
    "status for why it does not write.",
    # trade
    "record_not_here": "The record cites one that has not arrived yet. Try again when the node has caught up.",
    "sector_unknown": "There is no such sector. Choose one of the nine.",
    "not_ours": "This belongs to another community. Only that one can change it.",
    "relays_full": "A community names at most four relays. Leave one of them out first.",
    "community_unknown": "This node does not follow that community. Add it as a peer first.",
    "listing_unavailable": "The listing is not offered any more. Choose another one.",
    "listing_changed": "Somebody changed this listing while you were editing it. Look at both versions, and save "
    "yours over it or keep theirs.",
    "photo_kind": "This is no photo that can be used. Choose a JPEG, PNG or WebP picture.",
    "photo_too_large": "The photo is too large. Choose one of at most 12 MB and 40 megapixels.",
    "photo_damaged": "The photo is damaged or incomplete. Take it again, or choose another one.",
    "photo_unknown": "The photo is not here any more. Add it to the listing again.",
    "order_link_unknown": "This link shows no order of this community. Check that it is whole, as it was sent to you.",
    "form_foreign": "This form has grown old, or comes from another page. Open the page again and fill it in there.",
    "role_missing": "Your role in this community does not include that. Ask a steward for it.",
    "currencies_mixed": "The order mixes currencies. Place one order for each currency.",
    "policy_not_common": "The two communities have adopted no common policy. Adopt the seller's policy first.",
    "order_ended": "The order has ended already. There is nothing to cancel.",
    "order_not_fulfilled": "The seller has not fulfilled this order yet. Confirm the receipt when it has "
    "arrived.",
    "details_missing": "The private part of the order has not arrived. Wait for the buyer's node, or reject "
    "the order with the code details_missing.",
    "details_mismatch": "The private part of the order does not match what was signed. Reject the order with "
    "the code details_mismatch.",
    # other communities
    "peer_blocked": "That community is blocked here. Unblock it first.",
    "peer_not_connected": "No session with that community stands just now. Wait until it is connected.",
    "pairing_not_ready": "There are no words to compare yet. Wait until both sides have clicked.",
    "invite_own": "This is an invite of this community itself. Send it to another one.",
    "invite_unknown": "There is no such invite here. See: wildgrass peer invite list.",
    "invites_full": "There are as many invites as can be kept. Wait until old ones have expired.",
    "rules_full": "There are as many rules as can be kept. Remove one first.",
    "rule_unknown": "There is no such rule. See: wildgrass peer rule list.",
    "block_list_malformed": "The list cannot be read as CSV. Correct what is named here; nobody was blocked.",
    # settings
    "setting_unknown": "There is no setting of this name. Check its spelling; wildgrass up --help lists all.",
    "setting_refused": "A setting has a value that cannot be used. Correct it.",
    "setting_twice": "A setting is given both as a value and as a file. Keep one of the two.",
    "setting_owned": "The setting is fixed where the node was started. Change it there, then start the node "
    "again.",
    "settings_malformed": "The file config.toml cannot be read as TOML. Correct the line that is named.",
    # the community's keys
    "vault_missing": "The folder holds no community yet. Run wildgrass init, or wildgrass up, which does so "
    "itself.",
    "vault_exists": "The folder holds a community already. Nothing was changed; use another folder for "
    "another one.",
    "vault_damaged": "The key files are damaged or incomplete. Put them back from a backup, or recover with "
    "the emergency kit.",
    "vault_permissions": "Other users of this machine can read the secret keys. Take their right away with "
    "chmod.",
    "vault_newer": "The keys were written by a newer version of wildgrass. Install that version or a later "
    "one.",
    "words_refused": "These are not the words of an emergency kit. Check each word, their number and their "
    "order.",
    # recovery
    "recovering": "The community is being brought back; nothing is written meanwhile. Wait until it is done.",
    "recovery_unfinished": "A recovery on this folder was not finished. Go on with it on the page to bring a community "
    "back, or with wildgrass recover.",
    "recovery_of_another": "This folder is being recovered for another community. Use another folder.",
    "recovery_forked": "The peers show two histories of this community that contradict each other. Nothing was "
    "signed; settle with the other holders of recovery sheets which one goes on.",
    "recovery_stuck": "The peers do not hand over all that they show. Try again, or name other peers.",
    "peers_few": "Too few peers were named. Name at least two, so that they can be compared.",
    "peers_unreachable": "Not enough of these peers answer. Check their addresses, or name others.",
    "key_box_missing": "None of these peers keeps the keys of a community with these words. Check the words, or name "
    "peers that this community followed.",
    "words_of_several": "These words belong to several communities. Recover from peers that know only one of them.",
    "words_of_another": "These words may not open the next epoch of this community. Use the sheet that was printed "
    "last, or collect signatures of the other recovery sheets.",
    # a running node
    "node_not_running": "No node is running on this folder. Start it with wildgrass up.",
    "node_running": "A node is already running on this folder. Use it, or stop it first.",
    "node_silent": "The node does not answer. See whether it is still running, and try again.",
    "node_answer_malformed": "What answers at this address is no wildgrass node of this version. Check "
    "address and version.",
    "node_stopping": "The node is stopping. Try again when it is back.",
    "writing_paused": "The node may read but not write just now. See wildgrass status for the reason.",
    "inbox_full": "The node has more work waiting than it takes. Try again in a moment.",
    "guard_conflict": "Another process signed for this community. This node writes nothing any more; stop "
    "the other one, then start this one again.",
    # requests
    "request_malformed": "The request is not JSON of the expected form. Correct what is named.",
    "request_field_refused": "A field of the request is missing, unknown or out of bounds. Correct that "
    "field.",
    "request_too_large": "The request is larger than the limit. Send less at a time.",
    "request_too_slow": "The request did not arrive in time. Send it again over a better connection.",
    "unauthorised": "This needs a token. Send the one of the node's folder, or the one that an auditor was "
    "given.",
    "forbidden": "This token does not allow that. Ask a steward of the community for one that does.",
    "address_private": "The node serves its own network only. Ask its steward to open it to the internet.",
    "not_found": "There is nothing of that name here. Check the id or the address.",
    "method_refused": "The address does not answer to this method. See /api/v1/openapi.json for what it does.",
    "conflict": "This was done already, or something else stands in its place. Look at what is there.",
    "internal": "The node made a mistake of its own. Try again; if it recurs, report the request id.",
    # the people who log in
    "login_refused": "Name or password is wrong. Try again, or ask a steward for a login link.",
    "login_paused": "Too many attempts to log in have failed. Wait as long as is named here, or ask a "
    "steward for a login link.",
    "link_unknown": "This login link is not known here. See that it is complete, or ask a steward for a new "
    "one.",
    "link_used": "This login link was used already. Log in with your password, or ask a steward for a new "
    "link.",
    "link_expired": "This login link has expired. Ask a steward for a new one.",
    "last_steward": "Nobody else is a steward of this node. Make somebody else a steward first.",
    "person_name_refused": "That name cannot be used. Choose one of 1 to 60 characters on one line.",
    "person_name_taken": "Somebody has that name already. Choose another one.",
    "password_wrong": "That is not the password until now. Type it again, or ask a steward for a login link: "
    "within an hour of using one you need not know it.",
    "password_refused": "The password is too short or too long. Choose one of 8 to 200 characters.",
    # audits that the node runs itself
    "audit_running": "Another audit is running. Wait until it is done, then start this one.",
    "copy_missing": "Nothing of this community is stored here yet. Follow it, wait until its records have "
    "arrived, then audit it.",
    "audit_broken_off": "The audit ended before it had a report. Start it again; if it recurs, look into the "
    "node's log.",
    # the demo
    "demo_node_died": "A node of the demo ended by itself. Its last lines stand here and say why.",
    "demo_stalled": "The demo waited in vain. Try again when the machine has less to do; what it waited for "
    "stands here.",
    "demo_command_failed": "A command of the demo failed. Its last lines stand here and say why.",
    "demo_folder_used": "The folder for the demo holds something already. Name a new one, or empty it.",
    "demo_sabotage_missed": "The audit did not name what the demo had falsified. Report this: an audit must "
    "find it.",
    "replay_malformed": "A file of the orders to be replayed cannot be read. Correct the file and the line that "
    "are named.",
    "replay_differs": "The audited totals are not those of the orders that were replayed. Report this: not one "
    "cent may be lost.",
    # the command line
    "usage_refused": "The command is not written as it has to be. See --help of this command.",
}

_STATUS = {
    "node_stopping": 503,
    "writing_paused": 503,
    "inbox_full": 429,
    "record_not_here": 409,
    "request_malformed": 400,
    "request_field_refused": 422,
    "request_too_large": 413,
    "request_too_slow": 408,
    "sector_unknown": 422,
    "not_ours": 403,
    "unauthorised": 401,
    "forbidden": 403,
    "form_foreign": 403,
    "role_missing": 403,
    "order_link_unknown": 404,
    "address_private": 403,
    "not_found": 404,
    "method_refused": 405,
    "conflict": 409,
    "audit_running": 409,
    "copy_missing": 409,
    "community_unknown": 404,
    "peer_blocked": 409,
    "peer_not_connected": 409,
    "pairing_not_ready": 409,
    "invite_own": 422,
    "invite_unknown": 404,
    "invites_full": 409,
    "rules_full": 409,
    "rule_unknown": 404,
    "block_list_malformed": 422,
    "order_ended": 409,
    "order_not_fulfilled": 409,
    "listing_unavailable": 409,
    "listing_changed": 409,
    "photo_too_large": 413,
    "photo_kind": 422,
    "photo_damaged": 422,
    "photo_unknown": 422,
    "details_missing": 409,
    "details_mismatch": 409,
    "policy_not_common": 409,
    "clock_before_release": 503,
    "clock_behind": 503,
    "clock_apart": 503,
    "store_restored": 503,
    "waiting_for_neighbours": 503,
    "alone_refused": 409,
    "own_lane_forked": 503,
    "guard_conflict": 503,
    "login_refused": 401,
    "login_paused": 429,
    "link_unknown": 404,
    "link_used": 410,
    "link_expired": 410,
    "last_steward": 409,
    "person_name_refused": 422,
    "person_name_taken": 409,
    "password_wrong": 422,
    "password_refused": 422,
    "internal": 500,
    "setting_owned": 409,
    "setting_refused": 422,
    "setting_unknown": 422,
    "words_refused": 422,
    "words_of_several": 422,
    "words_of_another": 422,
    "note_prepared": 409,
    "note_other": 409,
    "epoch_closed": 409,
    "epoch_contested": 409,
    "relays_full": 409,
    "currencies_mixed": 422,
    "disk_full": 507,
    "storage_full": 507,
    "stock_unknown": 404,
    "stock_short": 409,
    "stock_release_beyond": 409,
    "lane_range": 404,
    "backup_missing": 404,
    "backup_exists": 409,
}
_STATUS_REFUSED = 422
_STATUS_WORLD = 503
_STATUS_BUG = 500
_UNREACHABLE_CODES = frozenset({"node_not_running", "node_silent", "node_answer_malformed"})
_ENVIRONMENT_CODES = frozenset({"setting_unknown", "setting_refused", "setting_twice", "settings_malformed"})
_UNREADABLE_CODES = frozenset({"usage_refused", "file_missing", "replay_malformed", "words_refused"})

_SYSTEM_CODES = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EROFS: "folder_read_only",
    errno.EACCES: "not_permitted",
    errno.EPERM: "not_permitted",
    errno.ENOENT: "file_missing",
    errno.ENOTDIR: "folder_unusable",
    errno.EISDIR: "folder_unusable",
    errno.EEXIST: "file_exists",
    errno.EMFILE: "files_exhausted",
    errno.ENFILE: "files_exhausted",
    errno.ENOMEM: "memory_exhausted",
    errno.EADDRINUSE: "port_busy",
    errno.EADDRNOTAVAIL: "address_refused",
    errno.ECONNREFUSED: "node_silent",
    errno.ECONNRESET: "node_silent",
    errno.EPIPE: "node_silent",
    errno.ETIMEDOUT: "node_silent",
    errno.EHOSTUNREACH: "node_silent",
    errno.ENETUNREACH: "node_silent",
}

_CAUSE_END = re.compile(r"(?<=\.)\s+|(?<=。)\s*")


class NodeError(Exception):
    """The node cannot do this. `code` is stable; `detail` is for a person and holds no secret."""

    def __init__(self, code: str, detail: str = "") -> None:
        """Take a code of `SENTENCES`; an unknown one is a bug of ours."""
        assert code in SENTENCES, f"error code {code!r} is not in node/errors.py"
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        """The sentence for this code, followed by the particulars."""
        sentence = SENTENCES[self.code]
        return f"{sentence} ({self.detail})" if self.detail else sentence


class ApiRefusal(Exception):
    """A running node refused a request of ours; what it said is passed on as it said it."""

    def __init__(self, said: "Report") -> None:
        """Take the report that the node sent, in the language that we asked for."""
        super().__init__(said.code, said.detail)
        self.said = said


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A refusal as people and programs read it: `sentence` is the cause, in the language asked for."""

    code: str
    sentence: str
    detail: str
    next_step: str
    status: int
    exit_code: int

    def as_json(self) -> dict[str, str]:
        """Return the inside of {"error": ...}; status and exit code go another way."""
        return {
            "code": self.code,
            "sentence": self.sentence,
            "detail": self.detail,
            "next_step": self.next_step,
        }


def report(error: BaseException, *, language: str) -> Report:
    """Return how to tell a person of one of `REFUSALS`, in a language of `node.locale`.

    Any other exception is a bug of ours and raises TypeError: it has to be seen, not told.
    """
    if isinstance(error, ApiRefusal):
        return error.said
    code, detail, sentences = _code_of(error)
    cause, next_step = parted(translate(sentences[code], language))
    status = _STATUS.get(code, _STATUS_REFUSED if isinstance(error, ProtocolError) else _STATUS_WORLD)
    return Report(
        code=code,
        sentence=cause,
        detail=detail,
        next_step=next_step,
        status=status,
        exit_code=UNREADABLE if isinstance(error, AuditError) else exit_code_of(code, status),
    )


def parted(sentence: str) -> tuple[str, str]:
    """Return the cause and the next step of a sentence of the tables, in either language."""
    parts = _CAUSE_END.split(sentence, maxsplit=1)
    return parts[0], parts[1] if len(parts) > 1 else ""


def exit_code_of(code: str, status: int) -> int:
    """Return the exit code of the command line for a refusal with this HTTP status."""
    if code in _UNREACHABLE_CODES:
        return UNREACHABLE
    if code in _UNREADABLE_CODES:
        return UNREADABLE
    return REFUSED if status < _STATUS_BUG and code not in _ENVIRONMENT_CODES else ENVIRONMENT


def _code_of(error: BaseException) -> tuple[str, str, Mapping[str, str]]:
    if isinstance(error, NodeError):
        return error.code, error.detail, SENTENCES
    if isinstance(error, ProtocolError):
        return error.code, error.detail, PROTOCOL_SENTENCES
    if isinstance(error, StorageError):
        return error.code, error.detail, STORAGE_SENTENCES
    if isinstance(error, TimeoutError):
        return "node_silent", str(error), SENTENCES
    if isinstance(error, OSError):
        return _SYSTEM_CODES.get(error.errno or 0, "system_refused"), _system_detail(error), SENTENCES
    if isinstance(error, MemoryError):
        return "memory_exhausted", "", SENTENCES
    raise TypeError(f"{type(error).__name__} is a bug, not a refusal") from error


def _system_detail(error: OSError) -> str:
    said = error.strerror or str(error)
    return f"{error.filename}: {said}" if error.filename else said


REFUSALS = (ProtocolError, StorageError, NodeError, ApiRefusal, OSError, MemoryError)
