"""Hostile sources: archives with tricks, servers that lie, stall or send too much."""

import gzip
import io
import socket
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from node.audit import audit_sources, open_source, write_bundle
from node.audit.archive import ArchiveSource
from node.audit.http_source import HttpSource
from protocol.errors import AuditError
from tests.bundles import MemorySource, write_villages
from tests.market_day import market_day

TOKEN = "auditors-token"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_villages(tmp_path_factory.mktemp("bundle"), *market_day())


def refused(location: Path | str) -> str:
    with pytest.raises(AuditError) as error, open_source(str(location)):
        pass
    return error.value.code


def tar_of(path: Path, *members: tarfile.TarInfo, **files: bytes) -> Path:
    with tarfile.open(path, "w") as archive:
        for member in members:
            archive.addfile(member)
        for name, raw in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    return path


def member_of(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    ("member", "code"),
    [
        (member_of("/etc/passwd"), "path_refused"),
        (member_of("../index"), "path_refused"),
        (member_of("lanes/../../index"), "path_refused"),
        (member_of("lanes\\index"), "path_refused"),
        (member_of("lanes/index", tarfile.SYMTYPE, "/etc/passwd"), "archive_refused"),
        (member_of("lanes/index", tarfile.LNKTYPE, "lanes/other"), "archive_refused"),
        (member_of("lanes/index", tarfile.FIFOTYPE), "archive_refused"),
        (member_of("lanes/index", tarfile.CHRTYPE), "archive_refused"),
        (member_of("/lanes", tarfile.DIRTYPE), "path_refused"),
        (member_of("lanes/..", tarfile.DIRTYPE), "path_refused"),
    ],
)
def test_an_archive_with_tricks_is_refused(tmp_path: Path, member: tarfile.TarInfo, code: str) -> None:
    """Links, special files and names that lead elsewhere: not one byte of it is used."""
    assert refused(tar_of(tmp_path / "bad.tar", member)) == code


def test_a_name_that_stands_twice_refuses_the_archive(tmp_path: Path) -> None:
    """Which of the two is meant nobody can say."""
    path = tar_of(tmp_path / "bad.tar", member_of("lanes/index"), member_of("./lanes/index"))
    assert refused(path) == "path_refused"


def test_a_header_that_claims_a_huge_name_is_refused(tmp_path: Path) -> None:
    """GNU long names and pax records are read into memory by `tarfile`: not of any size."""
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE):
        raw = bytes(200_000)
        member = tarfile.TarInfo("long")
        member.type, member.size = kind, len(raw)
        with tarfile.open(tmp_path / "bad.tar", "w") as archive:
            archive.addfile(member, io.BytesIO(raw))
        assert refused(tmp_path / "bad.tar") == "archive_refused"


def test_a_truncated_archive_is_unreadable_or_named(bundle: Path, tmp_path: Path) -> None:
    """Cut anywhere: either it cannot be opened, or the files that are gone are findings. Never clean."""
    for name in ("whole.tar", "whole.tar.gz"):
        with open_source(str(bundle)) as source:
            write_bundle(source, tmp_path / name)
        raw = (tmp_path / name).read_bytes()
        content = len(raw) if name.endswith("gz") else len(raw) - 10_240  # an archive ends in empty blocks
        for cut in range(0, content - 600, content // 23):
            short = tmp_path / f"short-{name}"
            short.write_bytes(raw[:cut])
            try:
                with open_source(str(short)) as source:
                    assert audit_sources([source]).verdict != "clean", cut
            except AuditError:
                continue


def test_a_small_archive_does_not_unpack_to_a_large_one(tmp_path: Path) -> None:
    """A gzip bomb is stopped at the bound."""
    (tmp_path / "bomb.tar.gz").write_bytes(gzip.compress(bytes(5_000_000)))
    with pytest.raises(AuditError) as error:
        ArchiveSource(tmp_path / "bomb.tar.gz", unpacked_bytes_max=1_000_000)
    assert error.value.code == "archive_refused"


def test_what_is_no_source_is_unreadable(tmp_path: Path) -> None:
    """No file, an empty one, text, an address that is none: one code, and the place in the detail."""
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("hello")
    places = [tmp_path / "none", tmp_path / "empty", tmp_path / "text"]
    addresses = ["http://", "https://user@host/", "http://host:port/"]
    for location in (*places, *addresses):
        assert refused(location) == "source_unreadable"


def test_a_directory_with_links_and_devices_is_read_no_further(bundle: Path, tmp_path: Path) -> None:
    """A file that is a link is not followed, a folder in a file's place is no file."""
    with open_source(str(bundle)) as source:
        write_bundle(source, tmp_path / "copy")
    index = tmp_path / "copy" / "lanes" / "index"
    index.unlink()
    index.symlink_to(bundle / "lanes" / "index")
    with open_source(str(tmp_path / "copy")) as source:
        report = audit_sources([source])
    assert [(finding.code, finding.path) for finding in report.findings] == [
        ("file_unreadable", "lanes/index")
    ]
    index.unlink()
    index.mkdir()
    with open_source(str(tmp_path / "copy")) as source:
        assert audit_sources([source]).by_code == {"file_unreadable": 1}


def test_nothing_is_written_over_what_is_there(bundle: Path, tmp_path: Path) -> None:
    """A bundle gets a new name; a source that breaks off leaves nothing behind."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    (tmp_path / "there.tar").touch()
    with open_source(str(bundle)) as source:
        for name in ("there", "there.tar"):
            with pytest.raises(AuditError) as error:
                write_bundle(source, tmp_path / name)
            assert error.value.code == "destination_not_empty"
    broken = MemorySource.of(bundle)
    broken.files.pop(next(path for path in broken.files if "/tile/0/" in path))
    for name in ("new", "new.tar.gz"):
        with pytest.raises(AuditError) as error:
            write_bundle(broken, tmp_path / name)
        assert error.value.code == "file_missing"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there", "there.tar"]


Answer = Callable[[BaseHTTPRequestHandler, str], None]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer(self, self.path.removeprefix("/base/"))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/base/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def send(handler: BaseHTTPRequestHandler, status: int, raw: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(raw)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(raw)


def test_lanes_for_peers_are_read_with_the_token(bundle: Path) -> None:
    """The token goes into the header; without it the server refuses, which is not opened, not failed."""
    source = MemorySource.of(bundle)
    seen: set[str] = set()

    def answer(handler: BaseHTTPRequestHandler, path: str) -> None:
        seen.add(handler.path)
        is_admitted = handler.headers["Authorization"] == f"Bearer {TOKEN}"
        if ("/trade/" in path or "/ledger/" in path) and not is_admitted:
            send(handler, 401, b"<html>who are you?</html>")
        elif path in source.files:
            send(handler, 200, source.files[path])
        else:
            send(handler, 404, bytes(100_000))

    with serving(answer) as address:
        with open_source(address, TOKEN) as node:
            assert audit_sources([node]).verdict == "clean"
        with open_source(address) as node:
            report = audit_sources([node])
    checks = {check.name: check for check in report.checks}
    assert report.verdict == "clean"
    assert (checks["checkpoints"].passed, checks["checkpoints"].not_opened) == (4, 4)
    assert not any(TOKEN in path for path in seen)


def test_a_lane_that_grows_meanwhile_is_no_finding(bundle: Path) -> None:
    """A live index may be behind its checkpoints; a size ahead of them is a lie all the same."""
    source = MemorySource.of(bundle)
    index = source.files["lanes/index"].decode()
    first, size = index.splitlines()[0].split()

    def serve(lie: int) -> Answer:
        altered = index.replace(f"{first} {size}\n", f"{first} {int(size) + lie}\n")

        def answer(handler: BaseHTTPRequestHandler, path: str) -> None:
            raw = altered.encode() if path == "lanes/index" else source.files.get(path)
            send(handler, 404 if raw is None else 200, raw or b"")

        return answer

    for lie, code in ((-1, {}), (1, {"index_mismatch": 1})):
        with serving(serve(lie)) as address, open_source(address) as node:
            assert audit_sources([node]).by_code == code


@pytest.mark.parametrize("is_chunked", [False, True])
def test_an_endless_answer_is_cut_off(*, is_chunked: bool) -> None:
    """Announced or not: no more is read than the file may have."""

    def answer(handler: BaseHTTPRequestHandler, _: str) -> None:
        handler.send_response(200)
        if is_chunked:
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
            try:
                while True:
                    handler.wfile.write(chunk)
            except OSError:
                handler.close_connection = True
                return
        handler.send_header("Content-Length", str(2**40))
        handler.end_headers()
        handler.close_connection = True

    with serving(answer) as address, open_source(address) as node:
        with pytest.raises(AuditError) as error:
            node.read("lanes/index", 1_000_000)
        assert error.value.code == "file_too_large"


def test_redirects_errors_and_half_answers_are_refused(bundle: Path) -> None:
    """A redirect is not followed, so the token never goes elsewhere; a torn answer is no file."""
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler, path: str) -> None:
        asked.append(path)
        if path == "redirect":
            send(handler, 302, Location="/base/elsewhere")
        elif path == "error":
            send(handler, 500, b"oops")
        else:
            handler.send_response(200)
            handler.send_header("Content-Length", "100")
            handler.end_headers()
            handler.wfile.write(b"half")
            handler.close_connection = True

    with serving(answer) as address, open_source(address, TOKEN) as node:
        for path, code in (
            ("redirect", "file_unreadable"),
            ("error", "file_unreadable"),
            ("torn", "source_unreadable"),
        ):
            with pytest.raises(AuditError) as error:
                node.read(path, 1_000)
            assert error.value.code == code
    assert "elsewhere" not in asked


def test_a_silent_or_dead_server_is_given_up() -> None:
    """Each wait has an end, and after two failures nothing more is asked."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with HttpSource(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.1) as node:
            report = audit_sources([node])
            assert report.verdict == "unreadable"
            assert report.by_code == {"source_unreadable": 1}
            with pytest.raises(AuditError):
                node.read("lanes/index", 1_000)


def test_what_was_read_once_is_read_again_as_it_was() -> None:
    """A server cannot show one thing to the check of bytes and another to the fold."""
    answers = iter([b"first", b"second"])

    def answer(handler: BaseHTTPRequestHandler, _: str) -> None:
        send(handler, 200, next(answers))

    with serving(answer) as address, open_source(address) as node:
        assert [node.read("lanes/index", 100) for _ in range(2)] == [b"first", b"first"]


def test_a_source_that_changes_under_the_audit_is_refused(bundle: Path) -> None:
    """Files that are others at the second reading end the audit with a code of their own."""

    class Changing(MemorySource):
        reads = 0

        def read(self, path: str, bytes_max: int) -> bytes | None:
            raw = super().read(path, bytes_max)
            if raw is not None and "trade/tile/entries" in path:
                self.reads += 1
                return raw[:-1] + b"!" if self.reads > 2 else raw
            return raw

    with pytest.raises(AuditError) as error:
        audit_sources([Changing(MemorySource.of(bundle).files)])
    assert error.value.code == "source_changed"
