"""Which commands there are, and from which module each one comes when it is used."""

from gettext import gettext as _
from importlib import import_module

import click

from node.cli.session import HELP
from node.version import VERSION

EXIT_CODES = (
    (0, _("done")),
    (1, _("findings of an audit, or refused")),
    (2, _("wrong usage, or the input cannot be read")),
    (3, _("no node answers")),
    (4, _("this machine: port, disk, folder, clock, settings")),
)


class LazyGroup(click.Group):
    """A group that knows its commands by name and one line, and imports the one that is called."""

    def __init__(self, *, modules: dict[str, tuple[str, str]], **given: object) -> None:
        """Take name -> (`module:command`, one line)."""
        super().__init__(**given)  # type: ignore[arg-type]  # what click takes
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click names it
        """All names, in the order in which a newcomer meets them."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click names it
        """The command of a name, or None."""
        if cmd_name not in self._modules:
            return None
        module, _colon, name = self._modules[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click names it
        """The list for --help, without importing anything."""
        with formatter.section(_("Commands")):
            formatter.write_dl([(name, line) for name, (_module, line) in self._modules.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click names it
        """The exit codes."""
        with formatter.section(_("Exit codes")):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES])


wildgrass = LazyGroup(
    name="wildgrass",
    help=_("The router of a co-operative economy: one community's own node."),
    context_settings=HELP,
    no_args_is_help=True,
    modules={
        "up": (
            "node.cli.up:up",
            _("Start this community's node; the first start makes everything it needs."),
        ),
        "init": ("node.cli.init:init", _("Found a community: its keys, its genesis, its emergency kit.")),
        "status": ("node.cli.status:status", _("Show how the node is and where its settings come from.")),
        "shop": ("node.cli.shop:shop", _("Publish and list shops.")),
        "listing": ("node.cli.listing:listing", _("Publish, withdraw, show and search listings.")),
        "order": ("node.cli.order:order", _("Place, answer, fulfil, refund and show orders.")),
        "policy": ("node.cli.policy:policy", _("Adopt, retire and list revenue-share policies.")),
        "member": ("node.cli.member:member", _("Admit, release and list members.")),
        "person": (
            "node.cli.person:person",
            _("Admit, dismiss and list the people who log in; make login links."),
        ),
        "witness": ("node.cli.witness:witness", _("Name who cosigns our heads, and see who has seen what.")),
        "peer": ("node.cli.peer:peer", _("Add, follow, vouch for and dismiss other communities.")),
        "relay": (
            "node.cli.relay:relay",
            _("Name relays for sealed parts, and say for whom this node is one."),
        ),
        "continue-alone": (
            "node.cli.alone:continue_alone",
            _("Sign without waiting for the neighbours any longer."),
        ),
        "auditor": ("node.cli.auditor:auditor", _("Admit and revoke auditors.")),
        "audit": ("node.cli.audit:audit", _("Recompute everything from the lanes, trusting no node.")),
        "bundle": ("node.cli.bundle:bundle", _("Copy lanes into a directory or an archive.")),
        "receipt": ("node.cli.receipt:receipt", _("Write the proof of one record as a small file.")),
        "verify": ("node.cli.verify:verify", _("Check a receipt or a checkpoint that was handed over.")),
        "key": (
            "node.cli.key:key",
            _("Show, rotate and recover the community's keys; make and sign for recovery sheets."),
        ),
        "recover": (
            "node.cli.recover:recover",
            _("Bring a community back with its recovery words and two peers."),
        ),
        "demo": ("node.cli.demo:demo", _("Three communities trade, share the revenue and are audited.")),
        "service": ("node.cli.service:service", _("Print a systemd unit or a container file for this node.")),
    },
)
click.version_option(VERSION, "-V", "--version")(wildgrass)
