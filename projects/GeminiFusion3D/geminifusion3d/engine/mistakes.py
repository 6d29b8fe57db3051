"""Turns errors that a user can mend into one sentence; others keep their traceback.

What an error is about is read off where it was raised, not off its words: below a call that builds a part
from a config, the config is wrong; a ValueError of this package explains itself; a loading worker's error
carries the text of the one that it met.
"""
import difflib
import inspect
import os
import re
import traceback
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Iterator, List, Optional

from mmdet3d import registry as mmdet3d_registry
from mmengine.registry import Registry
from torch.distributed import DistError

from ..cli import FULL_DISK
from ..errors import UserError

PACKAGE = Path(__file__).resolve().parents[1]
NOT_REGISTERED = re.compile(r'(\S+) is not in the (\S+?)::(.+?) registry')
WRONG_ARGUMENTS = re.compile(r'(\w+)\.__init__\(\) (got an unexpected keyword argument \S+'
                             r'|missing \d+ required .*)', re.DOTALL)
# The last line of the traceback that torch.utils.data hands over from a worker: type, then message.
OF_A_WORKER = re.compile(r'^Caught \w+ in DataLoader worker process.*\n(?:[\w.]+\.)?(\w+): '
                         r'([^\n]*)\s*$', re.DOTALL)
# Methods of a runner that read the config, beside those that build.
OF_THE_RUNNER = ('__init__', 'from_cfg', 'setup_env', 'scale_lr')
LEAVE_THEIR_TRACEBACK = (MemoryError, NotImplementedError)
SHARED_MEMORY = ('give it more (docker run --shm-size=2g, or --ipc=host), or load without workers '
                 '(--cfg-options train_dataloader.num_workers=0, and the same for val_ and test_dataloader)')


@contextmanager
def config_mistakes(config: str) -> Iterator[None]:
    """Reports what a user can mend, a wrong config above all, as the user's mistake.

    Args:
        config: the config's path, for the message.

    Raises:
        UserError: in place of the error that a wrong value, a lost worker or a full memory leads to.
    """
    try:
        yield
    except Exception as error:
        sentence = _of_worker(error) or (None if isinstance(error, UserError) else _explain(error, config))
        if sentence is None:
            raise
        raise UserError(sentence) from error


def _explain(error: Exception, config: str) -> Optional[str]:
    """Returns what is wrong, or None if the error is of another kind."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, RuntimeError) and _is_of_loader(frames):
        return _of_loader(str(error))
    if isinstance(error, DistError) or isinstance(error, RuntimeError) and 'gloo/transport' in str(error):
        return (f'process {os.environ.get("RANK", 0)} lost another process of this run '
                f'({" ".join(str(error).split())[:120]}): the one that ended first has said why, or was '
                'killed, mostly because the memory was full, or stands still; then continue with --resume '
                'auto')
    if 'out of memory' in str(error) and type(error).__name__ == 'OutOfMemoryError':
        return ('the GPU\'s memory is full: lower train_dataloader.batch_size (the learning rate follows '
                'where auto_scale_lr is on), use --amp, or a preset with activation_checkpointing')
    if isinstance(error, LEAVE_THEIR_TRACEBACK) or getattr(error, 'errno', None) in FULL_DISK:
        return None
    raised_in = Path(frames[-1].f_code.co_filename).resolve()
    is_own = isinstance(error, ValueError) and PACKAGE in raised_in.parents
    built = _built(frames)
    if built is not None:
        return f'config {config}: ' + _of_config(error, built, is_own)
    return str(error) if is_own else None


def _of_config(error: Exception, built: str, is_own: bool) -> str:
    """Says what is wrong with the part of a config that was being built."""
    text = ' '.join(str(error.args[0] if error.args else '').split())
    unknown = NOT_REGISTERED.search(text)
    if unknown:
        name, kind = unknown.group(1), unknown.group(3)
        close = difflib.get_close_matches(name, registered_names(kind))
        hint = f'did you mean {" or ".join(close)}?' if close else (
            'correct the name, or import the module that registers it with custom_imports')
        return f"type={name!r} is no registered {kind}: {hint}"
    wrong = WRONG_ARGUMENTS.search(text)
    if wrong:
        return f'{wrong.group(1)} {wrong.group(2)}: correct the keys of type={wrong.group(1)!r}'
    if is_own:
        return f'{built}: {text}'
    # The words of other libraries are for their developers: the place helps to look it up.
    place = traceback.extract_tb(error.__traceback__)[-1]
    said = text or place.line
    return (f'{built}: {type(error).__name__}: {said} ({Path(place.filename).name}:{place.lineno}); '
            'correct its values')


def _built(frames: List[FrameType]) -> Optional[str]:
    """Returns what was being made from the config when an error was raised, if anything was."""
    for frame in reversed(frames):
        module, function = frame.f_globals.get('__name__', ''), frame.f_code.co_name
        if module.startswith('mmengine.registry') and function == 'build_from_cfg':
            kind = frame.f_locals.get('obj_type')
            return f'type={getattr(kind, "__name__", kind)!r}'
        if module in ('mmengine.runner.runner', f'{__package__}.runner') and (
                function.startswith('build_') or function in OF_THE_RUNNER):
            return function.replace('build_', '').replace('__init__', 'runner').replace('from_cfg', 'runner')
    return None


def _of_worker(error: Exception) -> Optional[str]:
    """Returns the sentence of a loading worker's mistake, which torch wraps in a traceback."""
    found = OF_A_WORKER.match(str(error))
    if not found or not isinstance(error, (ValueError, OSError)):
        return None
    return found.group(2)


def _is_of_loader(frames: List[FrameType]) -> bool:
    return any(frame.f_globals.get('__name__') == 'torch.utils.data.dataloader' for frame in frames)


def _of_loader(text: str) -> Optional[str]:
    """Explains the end of a loading worker that said nothing itself."""
    if 'shared memory' in text or 'Bus error' in text or 'No space left' in text:
        return f'the shared memory, /dev/shm, is full: {SHARED_MEMORY}'
    words = ' '.join(text.split())[:120]
    if 'timed out' in text:
        return (f'no sample came from the loading workers ({words}): look at the disk that the '
                f'dataset lies on; if /dev/shm is full, {SHARED_MEMORY}; slow disks need a larger '
                '--cfg-options train_dataloader.timeout=SECONDS')
    if 'DataLoader worker' in text:
        return (f'a loading worker was killed, mostly because the memory was full '
                f'({words}): lower num_workers of the data loaders, then continue with --resume auto')
    return None


def _chains(kind: Optional[str] = None) -> Iterator[Registry]:
    """Yields mmdet3d's registries, all or those of one kind, each before its parents."""
    for found in vars(mmdet3d_registry).values():
        if isinstance(found, Registry) and kind in (None, found.name):
            while found is not None:
                # Modules register themselves when they are imported, which registries put off; one
                # of mmdet3d's registries names a module that its wheel lacks.
                with suppress(ModuleNotFoundError):
                    found.import_from_location()
                yield found
                found = found.parent


def registered_names(kind: str) -> List[str]:
    """Lists the names that a `type` of this kind can have."""
    return sorted({name for registry in _chains(kind) for name in registry.module_dict})


def accepts_argument(type_name: Optional[str], argument: str) -> bool:
    """Says whether a registered class (or function) has a constructor argument of this name.

    Args:
        type_name: as in a config's `type`; None, of a dictionary without one, accepts nothing.
        argument: a key beside it.
    """
    for registry in _chains() if type_name else ():
        found = registry.module_dict.get(type_name)
        if found is not None:
            return argument in inspect.signature(found).parameters
    return False
