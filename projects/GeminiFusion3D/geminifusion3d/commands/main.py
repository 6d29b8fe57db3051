"""`gemini3d COMMAND`: finds the command's module, reads its arguments, runs it.

A command is a module with `add_arguments(parser)`, `run(args)` and a docstring, which is its help. What takes
long to import is imported in `run`: `--help` and a mistyped flag cost no more than Python's start.
Other packages add commands through entry points of the group `gemini3d.commands`, each a list of `Command`.
"""
import argparse
import difflib
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Collection, Dict, List, NoReturn, Optional, Sequence

from .. import __version__
from ..cli import PACKAGE, run_cli
from ..errors import UserError
from .arguments import Parser

PROGRAM = 'gemini3d'
ENTRY_POINTS = 'gemini3d.commands'
DATA, MODEL, LOOK, MEASURE, CHAIN = ('Data', 'Train, test, submit', 'Look', 'Measure', 'This installation')
GROUPS = (DATA, MODEL, LOOK, MEASURE, CHAIN)
HEAD = """\
usage: gemini3d COMMAND [ARGUMENTS]
       gemini3d COMMAND --help

Camera-LiDAR 3D object detection with GeminiFusion on nuScenes. From a dataset to a submission:

  gemini3d convert --dataroot data/nuscenes --version v1.0-trainval
  gemini3d train configs/RECIPE.py
  gemini3d test configs/RECIPE.py work_dirs/RECIPE/epoch_6.pth
  gemini3d export configs/RECIPE.py work_dirs/RECIPE/epoch_6.pth --split test --out work_dirs/submission
"""
FOOT = """\
The dataset is --dataroot, --version, --split everywhere; files go to --out, runs to --work-dir.
Several GPUs: tools/dist_train.sh, tools/dist_test.sh. Completion: source <(gemini3d completion bash)"""


@dataclass(frozen=True)
class Command:
    """One sub-command.

    Attributes:
        name: as it is typed.
        group: one of GROUPS.
        summary: its line in the list of all commands.
        module: absolute name of its module.
    """

    name: str
    group: str
    summary: str
    module: str


def _own(name: str, group: str, summary: str, module: str) -> Command:
    return Command(name, group, summary, f'{__package__}.{module}')


COMMANDS = (
    _own('convert', DATA, "nuScenes' tables to the files that training and testing read", 'convert'),
    _own('convert-kitti', DATA, "KITTI's folders to the files that training reads", 'convert_kitti'),
    _own('convert-checkpoint', DATA, "weights of mmdet3d's BEVFusion, CenterPoint, or the official MVX-Net",
         'convert_checkpoint'),
    _own('train', MODEL, 'trains a recipe, or goes on with it', 'train'),
    _own('test', MODEL, 'mAP and NDS of a checkpoint by the official devkit', 'test'),
    _own('predict', MODEL, 'boxes and pictures of samples of your own, or of nuScenes', 'predict'),
    _own('export', MODEL, 'a checked leaderboard submission: JSON, zip, provenance', 'export_submission'),
    _own('validate', MODEL, 'judges a submission file by every rule', 'validate'),
    _own('export-onnx', MODEL, 'the dense parts of a detector as ONNX, compared with PyTorch', 'export_onnx'),
    _own('completion', CHAIN, 'prints the completion of bash or zsh', 'completion'),
)


def all_commands() -> Dict[str, Command]:
    """Returns every command of this installation by name, those of other packages included."""
    others = [command for point in entry_points(group=ENTRY_POINTS) for command in point.load()]
    return {command.name: command for command in (*COMMANDS, *others)}


def main(*first: str) -> NoReturn:
    """Runs the command line and exits.

    Args:
        *first: words before those of the command line: a tool that is one command gives its name.
    """
    words = [*first, *sys.argv[1:]]
    run_cli(lambda: execute(words))


def execute(words: Sequence[str]) -> Optional[int]:
    """Runs a command line without the program; returns the exit code, None for 0."""
    if not words or words[0] in ('-h', '--help', 'help'):
        print(overview(all_commands().values()))
        return 0
    if words[0] in ('-V', '--version'):
        print(f'{PROGRAM} {__version__}, {PACKAGE}')
        return 0
    args = parse(*words)
    return import_module(find(words[0]).module).run(args)


def parse(name: str, *words: str) -> argparse.Namespace:
    """Reads the arguments of a command; UserError if one is unknown, absent or wrong."""
    return make_parser(find(name)).parse_args(words)


def make_parser(command: Command) -> Parser:
    """Returns what reads the arguments of a command."""
    module = import_module(command.module)
    parser = Parser(prog=f'{PROGRAM} {command.name}', description=module.__doc__)
    module.add_arguments(parser)
    return parser


def find(name: str) -> Command:
    """Returns the command of a name; UserError if there is none, with the nearest ones."""
    own = next((command for command in COMMANDS if command.name == name), None)
    if own is not None:
        return own
    known = all_commands()
    if name not in known:
        near = difflib.get_close_matches(name, known, cutoff=0.5)
        hint = f'did you mean {" or ".join(near)}?' if near else f'{PROGRAM} --help lists them'
        if len(known) == len(COMMANDS):
            hint += (' (this copy is not installed, and the instruments, such as synthetic and report, are '
                     'found through an installation: run pip install -e . at the root of its checkout)')
        raise UserError(f'{PROGRAM} has no command {name}; {hint}')
    return known[name]


def overview(commands: Collection[Command]) -> str:
    """Returns the help of the program: every command in its group."""
    lines: List[str] = [HEAD]
    width = max(len(command.name) for command in commands)
    for group in GROUPS:
        listed = [f'  {command.name:<{width}}  {command.summary}' for command in commands
                  if command.group == group]
        lines += [f'{group}:', *listed, ''] if listed else []
    return '\n'.join([*lines, FOOT])
