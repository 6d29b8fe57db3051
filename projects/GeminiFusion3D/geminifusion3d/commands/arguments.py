"""Arguments that several commands share, under the same names; nothing here takes long to import."""
import argparse
import difflib
from pathlib import Path
from typing import Any, Dict, List, NoReturn, Optional, Sequence, Tuple

from ..errors import UserError

RESULTS_ARE_WRITTEN = 'results_nusc.json is always written, to --work-dir'
LOOK = 'no window is opened; gemini3d test --show-dir, predict --draw and report write pictures'
CHECKPOINT = 'write the file behind the config'
# What users of mmdet3d and OpenPCDet type, and what does it here.
ELSEWHERE = {
    '--show': LOOK, '--wait-time': LOOK, '--show-dir': 'gemini3d test takes it',
    '--score-thr': 'gemini3d test takes it, other commands take --min-score',
    '--task': 'leave it out, a recipe knows its sensors',
    '--gpus': 'tools/dist_train.sh CONFIG GPUS does that',
    '--gpu-id': 'set CUDA_VISIBLE_DEVICES', '--gpu-ids': 'set CUDA_VISIBLE_DEVICES',
    '--eval': 'leave it out, mAP and NDS are always computed', '--format-only': 'gemini3d export does that',
    '--out': RESULTS_ARE_WRITTEN, '--eval-options': RESULTS_ARE_WRITTEN,
    '--sync-bn': 'write --cfg-options sync_bn=torch',
    '--extra-tag': 'name the folder of the run with --work-dir',
    '--load-from': 'write --cfg-options load_from=FILE', '--resume-from': 'write --resume FILE',
    '--options': 'write --cfg-options KEY=VALUE', '--autoscale-lr': 'write --auto-scale-lr',
    '--no-validate': 'write --cfg-options train_cfg.val_begin=9999',
    '--deterministic': 'leave it out, runs are deterministic', '--ceph': 'files are read from the disk only',
    '--config': 'write the file without a flag', '--cfg-file': 'write the file without a flag',
    '--checkpoint': CHECKPOINT, '--ckpt': CHECKPOINT,
    '--epochs': 'write --cfg-options max_epochs=N',
    '--batch-size': 'write --cfg-options train_dataloader.batch_size=N',
    '--workers': 'write --cfg-options train_dataloader.num_workers=N',
    '--gpu-collect': 'leave it out, results are collected on the disk', '--tmpdir': 'leave it out',
}


class Parser(argparse.ArgumentParser):
    """argparse that ends in one sentence and names what is nearest to a mistyped flag."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault('formatter_class', argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **settings)
        self.commands: Dict[str, 'Parser'] = {}

    def add_subparsers(self, **settings: Any) -> Any:
        """As argparse's; `commands` then holds the parsers by name."""
        action = super().add_subparsers(**settings)
        self.commands = action.choices
        return action

    def flags(self) -> List[str]:
        """Returns the flags that the help shows."""
        return [flag for action in self._actions if action.help is not argparse.SUPPRESS
                for flag in action.option_strings if flag.startswith('--')]

    def parse_known_args(self, args: Optional[Sequence[str]] = None, namespace: Any = None
                         ) -> Tuple[Any, List[str]]:
        """Looks for unknown flags first: argparse would name the value behind one, or what it replaces."""
        if not self.commands:
            for word in args or ():
                if word == '--':
                    break
                flag = word.partition('=')[0]
                if flag.startswith('--') and flag not in self._option_string_actions:
                    self.error(f'has no {flag}{self._instead_of(flag)}')
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raises the mistake as a UserError."""
        joint = ' ' if message.startswith('has no ') else ': '
        raise UserError(f'{self.prog}{joint}{message}; {self.prog} --help says more')

    def _instead_of(self, flag: str) -> str:
        with_dashes = flag.replace('_', '-')
        is_meant = ELSEWHERE.get(with_dashes) != RESULTS_ARE_WRITTEN or '--work-dir' in self.flags() and (
            self.prog.endswith(('train', 'test')))
        if with_dashes not in self.flags() and with_dashes in ELSEWHERE and is_meant:
            return f': {ELSEWHERE[with_dashes]}'
        near = difflib.get_close_matches(with_dashes, self.flags(), cutoff=0.6)
        return f', did you mean {" or ".join(near)}?' if near else ''


def add_alias(parser: Any, *names: str, dest: str, **settings: Any) -> None:
    """Adds old names of an argument, which the help does not show."""
    parser.add_argument(*names, dest=dest, help=argparse.SUPPRESS, default=argparse.SUPPRESS, **settings)


def add_dataset(parser: argparse.ArgumentParser, *, split: str = 'official, or a name of splits.json',
                recorded: bool = False) -> None:
    """Adds --dataroot, --version and --split.

    Args:
        parser: of the command.
        split: help of --split; empty for a command without it.
        recorded: a run's own record says them too.
    """
    otherwise = "what the results' test_run.json says, or " if recorded else ''
    group = parser.add_argument_group('dataset')
    group.add_argument('--dataroot', type=Path, metavar='DIR',
                       help=f'folder of the dataset; default: {otherwise}data/nuscenes')
    add_alias(group, '--root-path', '--data-root', dest='dataroot', type=Path)
    group.add_argument('--version', help=f'such as v1.0-trainval; default: {otherwise}the only one there')
    if split:
        group.add_argument('--split', metavar='NAME',
                           help=split + ('; default: what test_run.json says' if recorded else ''))


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Adds --cfg-options; `overrides` reads it."""
    parser.add_argument('--cfg-options', nargs='+', type=_key_value, metavar='KEY=VALUE',
                        help='settings of the config to replace: '
                             'optim_wrapper.optimizer.lr=0.001 train_cfg.max_epochs=2')


def _key_value(text: str) -> str:
    if '=' not in text:
        raise argparse.ArgumentTypeError(f'got {text!r}, expected KEY=VALUE, such as train_cfg.max_epochs=2')
    return text


def overrides(options: Optional[Sequence[str]]) -> Dict[str, Any]:
    """Returns what --cfg-options got, with the values that mmengine reads from them."""
    from mmengine.config import DictAction
    reader = argparse.ArgumentParser()
    reader.add_argument('--options', nargs='+', action=DictAction, default={})
    return reader.parse_args(['--options', *options] if options else []).options


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of every command that runs a recipe."""
    parser.add_argument('config', help='config file, such as those under configs/')
    parser.add_argument('--work-dir', help='folder for checkpoints, logs and metrics; '
                                           'default: work_dirs/<name of the config>')
    add_config_options(parser)
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none',
                        help='who started the processes; tools/dist_train.sh and others set it')
    # torch.distributed.launch passes this; torchrun sets the variable LOCAL_RANK instead.
    add_alias(parser, '--local-rank', '--local_rank', dest='local_rank', type=int)
    parser.set_defaults(local_rank=0)


def add_evaluation(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of every command that evaluates a checkpoint."""
    add_recipe(parser)
    parser.add_argument('checkpoint', help='checkpoint (.pth) that was trained with the config')
    parser.add_argument('--split', metavar='NAME',
                        help='evaluate another split than the recipe\'s, which has been converted: '
                             'mini_train, test, custom')


def add_restart(parser: argparse.ArgumentParser) -> None:
    """Adds --restart, of the commands that go on with finished evaluations."""
    parser.add_argument('--restart', action='store_true',
                        help='drop finished evaluations of another config, checkpoint or dataset')


def add_speed(parser: argparse.ArgumentParser) -> None:
    """Adds what makes predictions faster."""
    group = parser.add_argument_group('speed')
    group.add_argument('--fold-norms', action='store_true',
                       help='multiply the batch norms into the convolutions before them; results differ in '
                            'the last digits')
    add_faster_parts(group)


def add_faster_parts(group: Any) -> None:
    """Adds what makes the parts with fixed shapes faster: one of two flags."""
    one = group.add_mutually_exclusive_group()
    one.add_argument('--compile', action='store_true',
                     help='compile the parts with fixed shapes (image backbone, fuser, BEV backbone, head) '
                          'with torch.compile, on a GPU as CUDA graphs; the first sample takes minutes, '
                          'results differ in the last digits')
    one.add_argument('--cuda-graphs', action='store_true',
                     help='record the parts with fixed shapes as CUDA graphs, without a compiler; GPU only')


def add_silence(parser: argparse.ArgumentParser) -> None:
    """Adds what silences sensors."""
    group = parser.add_argument_group('missing sensors')
    group.add_argument('--drop-cameras', metavar='NAME[,NAME...]', default='',
                       help='cameras that deliver nothing, such as CAM_FRONT,CAM_BACK; or "all"')
    group.add_argument('--drop-lidar', action='store_true',
                       help='the LiDAR delivers nothing: every cloud is empty')
    group.add_argument('--drop-radar', action='store_true', help='likewise, of the radars')
    group.add_argument('--cameras-black', action='store_true',
                       help='all pictures are black and the model takes them for real ones: how much does '
                            'it look at them?')


def add_test_time_augmentation(parser: argparse.ArgumentParser) -> None:
    """Adds --tta."""
    parser.add_argument('--tta', nargs='+', metavar='TERM',
                        help='test-time augmentation: every combination of these, fused. flip-x (x becomes '
                             '-x), flip-y, flip (both, and their combination), rotate[=DEG,...], '
                             'scale[=FACTOR,...], image-flip; for example --tta flip rotate=6,-6')


def at_least(least: int) -> Any:
    """Returns a type for argparse: whole numbers from `least` on."""
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f'must be at least {least}, got {value}')
        return value
    return number
