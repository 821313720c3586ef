"""What storage refuses or cannot do: one root, a stable code and a sentence each, as in `protocol/errors.py`.

These say that the world failed (a full disk, a wrong address, another node on the same folder) or that a
caller asked for what must not be (a second history, more stock than there is). Bugs of ours stay what
SQLAlchemy raises.

    raise StorageError("storage_in_use", "held by process 4711")
"""

from collections.abc import Mapping

SENTENCES: Mapping[str, str] = {
    "storage_url_wrong": "The database address cannot be used. Give a folder, or a URL that begins with "
    "postgresql:// and names a server and a database.",
    "storage_driver_missing": "The PostgreSQL driver is not installed. Install wildgrass[postgres], or "
    "use a folder.",
    "storage_cannot_open": "The database cannot be opened. Check that the folder exists and that this "
    "user may read and write in it.",
    "storage_read_only": "The data folder or database cannot be written to. Mount it for writing, or "
    "give this user the right to write.",
    "storage_full": "The disk is full, nothing was written. Free some space and try again; what was "
    "acknowledged before is safe.",
    "storage_io_failed": "The disk refused to read or write. Check the disk or card, and restore the "
    "newest backup on a sound one.",
    "storage_damaged": "The database file is damaged or is no database. Restore the newest backup, or "
    "let the node regrow from its peers.",
    "storage_busy": "Another process holds the database for longer than we wait. Stop it, or try again.",
    "storage_in_use": "Another node already works on this data. Stop that one first, or give this one a "
    "folder or database of its own.",
    "storage_newer_version": "The data was written by a newer version of wildgrass. Install that "
    "version or a later one; nothing was changed.",
    "storage_older_version": "The data was written by an older version of wildgrass. Start the node "
    "once, it brings the data forward; then try again.",
    "storage_upgrade_failed": "The data could not be brought to this version; it stands as it was. Go "
    "back to the version before, and report what is said here.",
    "storage_reader_only": "The data was opened for reading only. Open it as the writer to change it.",
    "storage_unreachable": "The database server does not answer. Check that it runs and that the "
    "address is right.",
    "storage_login_refused": "The database server refuses this user. Check user, password and the "
    "rights of that user.",
    "storage_database_missing": "The server has no such database. Create it with `createdb`, or correct "
    "the address.",
    "storage_not_utf8": "The database does not keep its text as UTF-8. Create it with `createdb -E UTF8 "
    "-T template0`.",
    "guard_missing": "The guard database beside the main one is missing and this user may not create "
    "it. Create it with `createdb`, under the name of the main one followed by _guard, or give its own "
    "URL.",
    "guard_conflict": "Another process signed for this lane since we last did. This node stops signing; "
    "restart it when the other one has stopped.",
    "lane_forked": "A lane holds other bytes at this place. Nothing was changed; both versions are evidence.",
    "lane_gap": "Entries in between are missing. Append them first.",
    "lane_range": "The lane has no such entries. Ask for entries below its size.",
    "head_backwards": "A head may not become smaller. The newer one stays.",
    "head_ahead": "A head may not be ahead of the entries that are stored. Fetch them first.",
    "stock_unknown": "No stock is kept for this listing. Set it first.",
    "stock_short": "There is not enough stock. Take fewer, or add stock first.",
    "stock_release_beyond": "More would be released or shipped than is committed. Check the order.",
    "backup_by_server": "A PostgreSQL database is backed up by its own tools. Use `pg_dump`.",
    "backup_exists": "A file already stands where the copy should go. Choose another name.",
    "backup_missing": "There is no such backup file. Check its name.",
}


class StorageError(Exception):
    """Storage refused or failed. `code` is stable; `detail` is for a person and holds no password."""

    def __init__(self, code: str, detail: str = "") -> None:
        """Take a code of `SENTENCES`; an unknown one is a bug of ours."""
        assert code in SENTENCES, f"error code {code!r} is not in storage/errors.py"
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        """The sentence for this code, followed by the particulars."""
        sentence = SENTENCES[self.code]
        return f"{sentence} ({self.detail})" if self.detail else sentence


class LogForked(StorageError):
    """Other bytes, or another root, stand where these were to go; nothing was changed."""

    def __init__(self, detail: str = "") -> None:
        """Take the place, for a person."""
        super().__init__("lane_forked", detail)
