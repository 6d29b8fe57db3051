"""Which checkpoint a killed training continues from."""
import logging
from pathlib import Path
from typing import List, Optional

from mmengine.logging import print_log

from ..checkpoints.checkpoint_file import read_checkpoint
from ..errors import UserError

TRAINING_STATE = ('meta', 'state_dict', 'message_hub', 'optimizer')
LAST_CHECKPOINT = 'last_checkpoint'


def check_resumable(path: Path) -> None:
    """Refuses a checkpoint that holds weights alone, without the state of a training."""
    missing = [key for key in TRAINING_STATE if key not in read_checkpoint(path)]
    if missing:
        raise UserError(f'checkpoint {path} holds no training state (no {", ".join(missing)}), '
                        f'training cannot continue from it: to start from its weights, pass '
                        f'--cfg-options load_from={path}')


def resume_candidates(work_dir: Path) -> List[Path]:
    """Lists the checkpoints of a work directory: the last one noted, then others, newest first."""
    note = work_dir / LAST_CHECKPOINT
    noted = note.read_text().strip() if note.is_file() else ''
    # A work directory that was moved still holds the file under its old name.
    named = [Path(noted), work_dir / Path(noted).name] if noted else []
    last = next((path for path in named if path.is_file()), None)
    others = sorted((path for pattern in ('epoch_*.pth', 'iter_*.pth')
                     for path in work_dir.glob(pattern) if last is None or path.name != last.name),
                    key=lambda path: (-path.stat().st_mtime_ns, path.name))
    return others if last is None else [last, *others]


def find_resumable(work_dir: Path) -> Optional[Path]:
    """Finds the newest checkpoint that training can continue from; skips unreadable ones aloud.

    Args:
        work_dir: the folder that the training writes to.

    Returns:
        The checkpoint, or None if there is none yet.

    Raises:
        UserError: if there are checkpoints but none is usable; starting anew would overwrite them.
    """
    reasons = []
    for path in resume_candidates(work_dir):
        try:
            check_resumable(path)
        except UserError as error:
            reasons.append(str(error))
            print_log(f'skipped while looking for a checkpoint to resume from: {error}',
                      logger='current', level=logging.WARNING)
        else:
            return path
    if reasons:
        raise UserError(f'none of the {len(reasons)} checkpoints in {work_dir} can be resumed, '
                        f'the newest because: {reasons[0]}; to start anew, leave --resume out or '
                        f'choose another --work-dir')
    return None
