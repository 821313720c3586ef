"""The auditor: a fourth process that knows addresses, tokens and files it was given, and none of the folders.

auditor = Auditor(folder, village.communities, display)
over_http, from_files = await auditor.audit(["further-bundle"])
"""

from collections.abc import Sequence
from gettext import gettext as _
from pathlib import Path

import msgspec

from node.files import make_folder, write_private
from node.operations.demo.api_client import together
from node.operations.demo.display import Display
from node.operations.demo.processes import run_command
from node.operations.demo.village import Community
from protocol.audit.findings import EXIT_CODES, Report

LABEL = "Demo auditor"

_TOKENS = "tokens"
_REPORTED = frozenset(EXIT_CODES.values())


class Auditor:
    """Works in a folder of its own, outside those of the communities."""

    def __init__(self, folder: Path, communities: Sequence[Community], display: Display) -> None:
        """Take an own folder, whom to audit, and where the progress is shown."""
        self._folder = folder
        self._communities = communities
        self._display = display

    @property
    def bundles(self) -> Path:
        """Where the bundles lie that the communities handed over, one a community."""
        return self._folder / "bundles"

    async def audit(self, further: Sequence[str]) -> tuple[Report, Report]:
        """Return the reports over HTTP and from bundle files; `further` are bundles that both read too."""
        with self._display.chapter("admit", _("Each admits an auditor, with a token")):
            make_folder(self._folder)
            await self._collect_tokens()
        with self._display.chapter("audit_http", _("A fourth process audits all of it over HTTP")) as chapter:
            addresses = [community.url for community in self._communities]
            over_http = await self._run(*addresses, *further, "--token-file", _TOKENS)
            chapter.note(_verdict(over_http))
        with self._display.chapter("bundle", _("Each hands over a bundle of files")):
            await together(self._take_bundle(community) for community in self._communities)
        with self._display.chapter("audit_files", _("The same process audits the files alone")) as chapter:
            files = [str(self._bundle_of(community)) for community in self._communities]
            from_files = await self._run(*files, *further)
            chapter.note(_verdict(from_files))
        return over_http, from_files

    async def _collect_tokens(self) -> None:
        """One line a node, as `--token-file` takes it; a token opens trade and ledger for reading, no more."""
        admitted = await together(
            community.command("auditor", "admit", LABEL, "--days", "1") for community in self._communities
        )
        lines = [
            f"{community.url} {done.answer['token']}\n"
            for community, done in zip(self._communities, admitted, strict=True)
        ]
        write_private(self._folder / _TOKENS, "".join(lines).encode("ascii"))

    async def _take_bundle(self, community: Community) -> None:
        await community.command("bundle", str(self._bundle_of(community)))

    async def _run(self, *arguments: str) -> Report:
        done = await run_command("audit", *arguments, "--json", cwd=self._folder, exit_codes=_REPORTED)
        return msgspec.convert(done.answer, Report)

    def _bundle_of(self, community: Community) -> Path:
        return self.bundles / f"{community.key}.tar.gz"


def _verdict(report: Report) -> str:
    if report.verdict == "clean":
        return _("{records} records in {copies} copies of lanes: all of it holds").format(
            records=report.records, copies=len(report.copies)
        )
    return _("{findings} findings").format(findings=sum(report.by_code.values()))
