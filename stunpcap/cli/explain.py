"""`stunpcap explain`: what a finding means, from the rule itself."""

from __future__ import annotations

import sys

import click

from stunpcap.cli.output import write


@click.command(short_help="What a finding means.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
def explain(names: tuple[str, ...]) -> None:
    """Tell what a finding means: its evidence, its likely cause, what it is easily confused with, and what to try.

    Without a NAME it lists all that there are.

    \b
    Examples:
      stunpcap explain
      stunpcap explain one-way-nat
      stunpcap explain one-way-loss no-answer
    """
    import difflib

    from stunpcap.diagnose.explained import draw_list, draw_rule
    from stunpcap.diagnose.rules import all_rules
    from stunpcap.summary.terminal import paper_for

    rules = all_rules()
    for name in names:
        if name not in rules:
            near = difflib.get_close_matches(name, rules, 3)
            meant = f"; did you mean {' or '.join(near)}?" if near else "; stunpcap explain lists all"
            raise click.UsageError(f"there is no finding {name!r}{meant}")
    paper = paper_for(sys.stdout)
    if not names:
        write("\n".join(draw_list(rules, paper)) + "\n")
        return
    write("\n\n".join("\n".join(draw_rule(rules[name], paper)) for name in names) + "\n")
