"""The command ``cisdl-bench``."""

import importlib
from typing import Any

import click

from cisdl_bench import __version__
from cisdl_bench.bars import LOGGER
from cisdl_bench.cli import door
from cisdl_bench.cli.run_log import close_logs

#: Commands with a line each, under the headings of the help.
_SECTIONS = {
    "Data": {
        "fetch": "Download COCO 2014, VGG-16's weights or HED's.",
        "specs": "List the sets, or print one's description.",
        "generate": "Make test sets or the training set from photographs.",
        "datasets": "List other people's data sets that can be read, and check them.",
        "import": "Turn other people's pairs into a set of shards.",
        "info": "Count and describe a set, or write its parameters as CSV.",
        "verify": "Check sets on disk: structure, hashes, fingerprint.",
        "export": "Write a set in another format.",
    },
    "Models": {
        "models": "List what can be scored, and where to get it.",
        "train": "Train DMAC or DMVN-BN as the paper does.",
        "profile": "Count a network's parameters and time it.",
    },
    "Scores": {
        "score": "Score a network or another detector on sets.",
        "table": "Write tables of results: CSV, LaTeX or Markdown.",
        "compare": "Compare two detectors on the same pairs.",
        "submit": "Write a submission to NIST's splice task, and check it.",
        "reproduce": "Reproduce a table or figure of the paper, with a verdict row by row.",
    },
    "Looking": {
        "demo": "See everything once, small: sets, scores, tables, figures, the report.",
        "preview": "Draw a contact sheet of pairs with their masks outlined.",
        "detect": "Look at one pair of pictures: two masks, an overlay, a probability.",
        "plot": "Draw figures: pair sheets, curves, where a method breaks, training.",
        "report": "Write one page about scoring runs: tables, figures, the worst failures.",
    },
    "This machine": {
        "env": "Say what this machine has: versions, devices, data.",
        "completion": "Print a shell's completion script.",
    },
}
_COMMANDS = {name: line for lines in _SECTIONS.values() for name, line in lines.items()}


class _Commands(click.Group):
    """Commands by name, each imported when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        word = "import_" if name == "import" else name  # a keyword is no module's name
        command = getattr(importlib.import_module(f"cisdl_bench.cli.{word}"), word)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from difflib import get_close_matches

        if args and args[0] not in _COMMANDS:
            near = get_close_matches(args[0], _COMMANDS, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"no such command: {args[0]}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, lines in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(lines.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            door.flush()
            LOGGER.info("finished")
            return result
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except BaseException as error:
            code = door.exit_code(error)
            if code is None:
                raise
            ctx.exit(code)
        finally:
            close_logs()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="cisdl-bench")
@click.option(
    "-v", "--verbose", count=True, help="Say more on stderr, such as why candidates were refused."
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors; no progress bars.")
@click.pass_context
def main(ctx: click.Context, verbose: int, quiet: bool) -> None:
    """Generate and score data sets for constrained image splicing detection and localization.

    \b
    Example:
      cisdl-bench generate --set rotation --difficulty hard
      cisdl-bench preview rotation-difficult -o sheet.png

    CISDL_DATA and CISDL_SCORES name the folders of sets and of results (else cisdl-data and
    cisdl-scores), CISDL_COCO that of COCO 2014, CISDL_CACHE one for what can be made again.
    """
    door.prepare(verbose)
    ctx.obj = {"quiet": quiet, "verbose": verbose}
