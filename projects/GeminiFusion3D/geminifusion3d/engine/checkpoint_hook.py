"""Saves checkpoints so that a kill at any moment leaves one to resume from, and finds it."""
import logging
from pathlib import Path
from typing import Any, Dict, List, Optional

from mmdet3d.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmengine.runner import Runner

from ..atomic import write_whole
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


@HOOKS.register_module()
class GeminiCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook; outdated files go only after the new one is whole.

    mmengine removes the outdated checkpoint first, and rewrites `last_checkpoint` in place. Files
    are renamed into place by `GeminiRunner.save_checkpoint`.
    """

    is_checked = False

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: Dict[str, Any]) -> None:
        """Saves, notes the file as the last one, then removes the outdated one."""
        outdated = None
        if self.max_keep_ckpts > 0 and (not self.keep_ckpt_ids or self.keep_ckpt_ids[-1] != step):
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                outdated = self.keep_ckpt_ids.popleft()
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        filename = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, filename)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(self.out_dir, filename, self.file_client_args,
                               save_optimizer=self.save_optimizer,
                               save_param_scheduler=self.save_param_scheduler, meta=meta,
                               by_epoch=self.by_epoch, backend_args=self.backend_args, **self.args)
        if is_main_process():
            write_whole(Path(runner.work_dir) / LAST_CHECKPOINT, self.last_ckpt)
            self._remove(outdated)
            self._check_once(runner)

    def _check_once(self, runner: Runner) -> None:
        """Warns at the first checkpoint, not after a crash, that it cannot be resumed."""
        if not self.is_checked:
            self.is_checked = True
            try:
                check_resumable(Path(self.last_ckpt))
            except UserError as error:
                runner.logger.warning(f'this training could not be resumed: {error}')

    def _remove(self, step: Any) -> None:
        """Removes the checkpoint of an outdated step, if there is one."""
        if step is None:
            return
        path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)
