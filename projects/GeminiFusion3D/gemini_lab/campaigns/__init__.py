"""Attacks that are too long for the tests: each is a command that ends with figures and an exit code."""
import argparse
from pathlib import Path
from typing import Optional


def campaign_parser(about: Optional[str], left: str, *, n: int = 0, what: str = ''
                    ) -> argparse.ArgumentParser:
    """Returns a parser with --out and, of a campaign by lot, --n and --seed.

    Args:
        about: what the campaign does.
        left: what is left in the folder.
        n: how often it is done where nobody says.
        what: what there are so many of.
    """
    # Only here: whoever the mutants fork must not have the product's modules.
    from geminifusion3d.commands.arguments import at_least
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    if n:
        parser.add_argument('--n', type=at_least(1), default=n, help=f'how many {what}, default: {n}')
        parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/campaigns'), help=left)
    return parser
