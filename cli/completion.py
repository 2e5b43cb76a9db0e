"""``cisdl-bench completion``."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a shell's completion script.

    For bash and zsh, `eval "$(cisdl-bench completion bash)"` goes into ~/.bashrc or ~/.zshrc; for
    fish, the output into ~/.config/fish/completions/cisdl-bench.fish.

    \b
    Example:
      cisdl-bench completion bash
    """
    from cisdl_bench.cli.main import main

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(main, {}, "cisdl-bench", "_CISDL_BENCH_COMPLETE").source())
