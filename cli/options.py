"""Options that several commands share."""

import click

device = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="WORD",
    help="auto (a GPU where there is one), cpu, cuda or cuda:N.",
)
