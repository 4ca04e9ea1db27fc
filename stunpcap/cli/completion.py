"""`stunpcap completion`: what a shell needs to complete commands, options and file names."""

from __future__ import annotations

import click

from stunpcap.cli.output import write


@click.command(short_help="Completion for bash, zsh or fish.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete stunpcap's commands and options.

    \b
    Put it where your shell finds it:
      bash   echo 'eval "$(stunpcap completion bash)"' >> ~/.bashrc
      zsh    echo 'eval "$(stunpcap completion zsh)"' >> ~/.zshrc
      fish   stunpcap completion fish > ~/.config/fish/completions/stunpcap.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    maker = found(ctx.find_root().command, {}, "stunpcap", "_STUNPCAP_COMPLETE")
    # The template alone: `source()` would first start the shell to look at its version.
    write(maker.source_template % maker.source_vars())
