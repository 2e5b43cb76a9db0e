"""Commands whose help shows its options in groups."""

from collections.abc import Callable
from typing import Any

import click


class SectionOption(click.Option):
    """An option with the heading that it stands under in its command's help."""

    def __init__(self, *names: Any, section: str = "Options", **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.section = section


class SectionCommand(click.Command):
    """A command whose help has a heading for each group of options, in the order they come."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under their headings; what has none comes last."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(getattr(parameter, "section", "Options"), []).append(record)
        others = sections.pop("Options", [])
        for title, records in [*sections.items(), ("Options", others)]:
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def option(*names: str, section: str = "Options", **settings: Any) -> Callable[..., Any]:
    """Return an option under a heading, as ``click.option`` does.

    Args:
        names: Its names, such as ``-o`` and ``--out``.
        section: Heading in the help.
        settings: Those of ``click.option``.
    """
    return click.option(*names, cls=SectionOption, section=section, **settings)


def command(**settings: Any) -> Callable[..., Any]:
    """Return a command whose options stand in groups, as ``click.command`` does."""
    return click.command(cls=SectionCommand, **settings)
