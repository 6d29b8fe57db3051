"""Saves checkpoints so that a kill at any moment leaves one to resume from."""
from pathlib import Path
from typing import Any, Dict

from mmdet3d.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from ..atomic import write_whole
from ..errors import UserError
from .resume import LAST_CHECKPOINT, check_resumable


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
