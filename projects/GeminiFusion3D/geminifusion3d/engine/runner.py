"""Training and testing: mmengine's Runner where its assumptions do not hold for this project.

The delta to `mmengine.runner.Runner` 0.10.7, method by method: processes on CPUs (`setup_env`,
`wrap_model`), parts that are frozen or compute their activations again (`wrap_model`, `train`), a learning
rate and schedule for the real batch size (`build_optim_wrapper`, `scale_lr`), checkpoints that are read
safely, fit the model and are written whole (`_init_model_weights`, `load_or_resume`, `load_checkpoint`,
`save_checkpoint`), data loaders that feed a GPU and do not hang (`build_dataloader`), collected results
inside the work directory (`build_evaluator`), and a console that shows progress only (`build_logger`).
"""
import logging
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Set, Union

import torch
from mmengine.config import Config
from mmengine.dist import broadcast_object_list, is_distributed, is_main_process
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper, revert_sync_batchnorm
from mmengine.registry import RUNNERS
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.runner.base_loop import BaseLoop
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from torch import nn
from torch.utils.data import DataLoader

from ..atomic import locked_folder, sync_to_disk, write_whole
from ..checkpoints.checkpoint_file import read_checkpoint
from ..checkpoints.checkpoint_fit import (CONFIG, SETTINGS, STRICT, Tolerance, check_learned_classes,
                                          fit_weights, said_of_config, said_of_settings, summarise)
from ..learned_samples import LEARNED, Overlap, SampleRecord, overlap_sentence, samples_of
from ..modalities import check_declaration
from .checkpoint_hook import check_resumable, find_resumable
from .config_file import check_classes, check_ranges, trained_config
from .data_loading import (DevicePrefetch, check_classes_have_boxes, check_shared_memory, loader_config,
                           set_clock, with_counted_draws)
from .distributed import runs_on_gpu, start_process_group
from .learning_rate import (batch_size_ratio, check_length, check_same_batches, check_same_schedule,
                            last_epoch, scaled_schedules, schedule_ends, with_group_rates)
from .named_modules import checkpoint_activations, freeze_modules
from .optim_wrapper import GeminiOptimWrapper

PART_SUFFIX = '.part'
TWO_TRAININGS = ('wait for it to end, stop it (on a cluster a job that was started again may still run: '
                 'squeue, scancel), or give another --work-dir')
# Under this name a checkpoint remembers samples per iteration and iterations per step.
BATCHES = 'batches'
# What is unknown of weights; a suite evaluates them under many conditions.
_said_once: Set[str] = set()
# Longer messages, such as one line of a hundred metrics, are for the log file.
CONSOLE_CHARACTERS = 2000
# Long dumps, and notes of mmengine to its own developers.
NOT_FOR_CONSOLE = ('Config:\n', 'Hooks will be executed in the following order', '\n' + '-' * 60,
                   'Exp name:', '"FileClient" will be deprecated', '"HardDiskBackend" is',
                   'Distributed training is not used, all SyncBatchNorm')


@RUNNERS.register_module()
class GeminiRunner(Runner):
    """mmengine's Runner for CPUs and GPUs alike, with safe checkpoints (see the module)."""

    # What `_find_checkpoint` found, in a list; None before it has looked.
    _found: Optional[List[Optional[Path]]] = None
    # The checkpoint that this training goes on with, None for a new one.
    resumed_from: Optional[Union[str, Path]] = None
    # What the loaded weights have learned, None without any; what this training adds, once it is known.
    _loaded_samples: Optional[SampleRecord] = None
    _learned_samples: Optional[SampleRecord] = None
    # Of the samples that a test scores, on the first process.
    overlap: Optional[Overlap] = None

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'GeminiRunner':
        """As mmengine's; refuses data of another range than the model's grid covers, or of other classes."""
        check_ranges(cfg)
        check_classes(cfg)
        return super().from_cfg(cfg)

    def setup_env(self, env_cfg: Dict[str, Any]) -> None:
        """Joins the process group with a backend that the machine has, then does as mmengine.

        Beside mmengine's keys, `env_cfg.torch_threads` fixes the number of CPU threads: sums are
        rounded differently for another number, and launchers of several processes set it to 1.
        """
        if env_cfg.get('torch_threads'):
            torch.set_num_threads(env_cfg['torch_threads'])
        # cuBLAS is deterministic only with this, and only if it is set before CUDA starts.
        os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
        if self.distributed and not is_distributed():
            start_process_group(self.launcher, env_cfg.get('dist_cfg', {}))
        super().setup_env(env_cfg)

    def set_randomness(self, seed: Optional[int], diff_rank_seed: bool = False,
                       deterministic: bool = False) -> None:
        """As mmengine's; on a GPU, an operator without a deterministic form warns and runs."""
        super().set_randomness(seed, diff_rank_seed, deterministic)
        # New memory is not filled with NaN first, thousands of times per step: that finds reads of what was
        # never written, and repeats nothing better.
        torch.utils.deterministic.fill_uninitialized_memory = False
        if deterministic and runs_on_gpu():
            torch.use_deterministic_algorithms(True, warn_only=True)

    def wrap_model(self, model_wrapper_cfg: Optional[Dict[str, Any]], model: nn.Module) -> nn.Module:
        """Freezes what `frozen_modules` names; on CPUs, wraps without device ids and SyncBatchNorm."""
        if self.cfg.get('frozen_modules') and not is_model_wrapper(model):
            frozen = freeze_modules(model, self.cfg.frozen_modules)
            self.logger.info(f'frozen: {", ".join(self.cfg.frozen_modules)}, {frozen} weights')
        if self.cfg.get('activation_checkpointing') and not is_model_wrapper(model):
            checkpoint_activations(model, self.cfg.activation_checkpointing)
        if self.distributed and not runs_on_gpu() and not is_model_wrapper(model):
            if self.cfg.pop('sync_bn', None) is not None:
                self.logger.warning('sync_bn is left out: SyncBatchNorm needs a GPU')
            model = revert_sync_batchnorm(model)
            model_wrapper_cfg = {
                'type': 'MMDistributedDataParallel', 'broadcast_buffers': False,
                'find_unused_parameters': self.cfg.get('find_unused_parameters', False),
                **(model_wrapper_cfg or {}), 'device_ids': None}
        return super().wrap_model(model_wrapper_cfg, model)

    @staticmethod
    def build_dataloader(dataloader: Union[DataLoader, Dict], seed: Optional[int] = None,
                         diff_rank_seed: bool = False) -> DataLoader:
        """As mmengine's; pinned for a GPU, with a limit for lost batches, refused where they cannot fit."""
        if isinstance(dataloader, dict):
            dataloader = with_counted_draws(loader_config(dataloader), seed=None if diff_rank_seed else seed)
        built = Runner.build_dataloader(dataloader, seed, diff_rank_seed)
        check_shared_memory(built)
        return built

    def build_train_loop(self, loop: Union[BaseLoop, Dict]) -> BaseLoop:
        """As mmengine's; samples learn whether epochs or iterations count, and travel ahead to a GPU."""
        built = super().build_train_loop(loop)
        check_classes_have_boxes(built.dataloader.dataset)
        set_clock(built.dataloader, by_epoch=isinstance(built, EpochBasedTrainLoop))
        # A loop by iterations has begun to iterate its loader already.
        is_new = isinstance(built, EpochBasedTrainLoop) and isinstance(built.dataloader, DataLoader)
        if is_new and runs_on_gpu():
            built.dataloader = DevicePrefetch(built.dataloader)
        return built

    def dump_config(self) -> None:
        """Does nothing while the runner is built: the folder may belong to another training."""

    @property
    def _bare_model(self) -> nn.Module:
        return self.model.module if is_model_wrapper(self.model) else self.model

    def _write_config(self) -> None:
        """Writes what mmengine's `dump_config` does, whole or not at all."""
        if is_main_process():
            name = Path(self.cfg.filename).name if self.cfg.filename else f'{self.timestamp}.py'
            write_whole(Path(self.work_dir) / name, self.cfg.dump())

    def train(self) -> nn.Module:
        """Trains as mmengine does, alone in its folder.

        Raises:
            UserError: if another training writes to the folder.
        """
        lock = (locked_folder(Path(self.work_dir), who='another training', advice=TWO_TRAININGS)
                if is_main_process() else nullcontext())
        # `wrap_model` has applied it.
        patterns = self.cfg.pop('activation_checkpointing', None)
        try:
            with lock:
                self._write_config()
                return super().train()
        finally:
            if patterns:
                self.cfg.activation_checkpointing = patterns

    def test(self) -> Dict[str, float]:
        """Tests as mmengine does."""
        self._write_config()
        return super().test()

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """As mmengine's; accumulated gradients are stepped at the end of each epoch."""
        built = super().build_optim_wrapper(optim_wrapper)
        if isinstance(built, GeminiOptimWrapper) and isinstance(self._train_loop, EpochBasedTrainLoop):
            built.epoch_length = len(self.train_dataloader)
        return built

    def scale_lr(self, optim_wrapper: Any, auto_scale_lr: Optional[Dict[str, Any]] = None) -> None:
        """Multiplies learning rate and schedule by the real batch size over the recipe's.

        UserError if the two differ and scaling is off.
        """
        sizes = dict(processes=self.world_size, batch_size=self.train_dataloader.batch_size,
                     accumulated=getattr(optim_wrapper, '_accumulative_counts', 1))
        self.message_hub.update_info(
            BATCHES, [sizes['processes'] * sizes['batch_size'], sizes['accumulated']])
        ratio = batch_size_ratio(auto_scale_lr, **sizes)
        rates = [group['lr'] for group in optim_wrapper.param_groups]
        self.param_schedulers = with_group_rates(
            self.param_schedulers, optim_wrapper.optimizer.defaults['lr'], rates)
        if ratio != 1.0:
            for group in optim_wrapper.param_groups:
                group['lr'] *= ratio
            self.param_schedulers = scaled_schedules(self.param_schedulers, ratio)
        if isinstance(self.train_loop, EpochBasedTrainLoop):
            problem = check_length(last_epoch(self.param_schedulers), self.max_epochs)
            if problem:
                self.logger.warning(problem)
        base = (auto_scale_lr or {}).get('base_batch_size')
        self.logger.info(f'learning rate {max(rates):g} x {ratio:g} = {max(rates) * ratio:g}: '
                         + (f'it belongs to batches of {base} samples, real ones have {base * ratio:g}'
                            if base else 'the config has no auto_scale_lr to say which batch size it is for'))

    def build_evaluator(self, evaluator: Union[Dict, List, Evaluator]) -> Evaluator:
        """Collects the processes' results in the log folder; keeps metric files in the work folder.

        mmengine collects in the current folder. A metric with an `out_dir` of its own keeps it; one that
        declares other sensors than the model reads is refused.
        """
        built = super().build_evaluator(evaluator)
        for metric in built.metrics:
            # Detectors and metrics of others declare nothing.
            if hasattr(self._bare_model, 'modalities') and hasattr(metric, 'meta'):
                check_declaration(metric.meta, self._bare_model.modalities)
            if getattr(metric, 'out_dir', '') is None:
                metric.out_dir = Path(self.work_dir)
            if metric.collect_device == 'cpu' and metric.collect_dir is None:
                metric.collect_dir = str(Path(self.log_dir) / 'collected_results')
        return built

    def build_logger(self, log_level: Union[int, str] = 'INFO', log_file: Optional[str] = None,
                     **kwargs: Any) -> MMLogger:
        """Keeps dumps of environment and hooks in the log file, off the console; the config lies beside."""
        # On a full disk each line of the log would print a traceback; the next file to be written says it.
        logging.raiseExceptions = False
        logger = super().build_logger(log_level, log_file, **kwargs)
        for handler in logger.handlers:
            handler.addFilter(_is_no_config if isinstance(handler, logging.FileHandler) else _is_for_console)
        return logger

    def build_visualizer(self, visualizer: Any = None) -> Any:
        """As mmengine's; runs of one process do not share one by its name, which browse_dataset needs."""
        if isinstance(visualizer, dict):
            visualizer = {**visualizer, 'name': self._experiment_name}
        return super().build_visualizer(visualizer)

    def _init_model_weights(self) -> None:
        """As mmengine's, unless a checkpoint replaces all weights: then no pretrained file is asked for."""
        if self._resume and self._find_checkpoint() is not None:
            return
        super()._init_model_weights()

    def load_or_resume(self) -> None:
        """Resumes from the newest readable checkpoint; loads strictly, but for `load_cfg` in training."""
        if self._has_loaded:
            return
        is_training = isinstance(self._train_loop, BaseLoop)
        if is_training and is_main_process():
            _remove_parts(Path(self.work_dir))
        source = self._find_checkpoint()
        if self._resume and self._load_from is None:
            self.logger.info(f'resuming from {source}' if source else
                             f'no checkpoint in {self.work_dir} yet: starting from the beginning')
        elif self._resume:
            check_resumable(Path(source))
        if source is not None and self._resume:
            self.resumed_from = source
            real, planned = self.message_hub.get_info(BATCHES), schedule_ends(self.param_schedulers)
            self.resume(str(source))
            check_same_batches(real, self.message_hub.get_info(BATCHES, real))
            check_same_schedule(planned, schedule_ends(self.param_schedulers), source=source)
        elif source is not None:
            self.load_checkpoint(source, strict=not is_training)
        if is_main_process():
            self._compare_samples(is_training)

    def _compare_samples(self, is_training: bool) -> None:
        """Says how many of the samples that are scored are learned."""
        loop = self._val_loop if is_training else self._test_loop
        if not isinstance(loop, BaseLoop):
            return
        learned = self.learned_samples() if is_training else self._loaded_samples
        self.overlap = Overlap.between(samples_of(loop.dataloader.dataset), learned or SampleRecord())
        for metric in loop.evaluator.metrics:
            if hasattr(metric, 'overlap'):
                metric.overlap = self.overlap
        said = overlap_sentence(self.overlap.to_plain())
        if self.overlap.learned:
            self.logger.warning(said)
        elif said and not is_training and said not in _said_once:
            _said_once.add(said)
            self.logger.info(said)

    def learned_samples(self) -> SampleRecord:
        """Returns what the weights of this training learn, and those that it began with had learned."""
        if self._learned_samples is None:
            self._learned_samples = samples_of(self.train_dataloader.dataset)
        return self._learned_samples | (self._loaded_samples or SampleRecord())

    def _find_checkpoint(self) -> Optional[Union[str, Path]]:
        """Returns what to load or to resume from; looks for the newest checkpoint once."""
        if not self._resume or self._load_from is not None:
            return self._load_from
        if self._found is None:
            found = [find_resumable(Path(self.work_dir)) if is_main_process() else None]
            broadcast_object_list(found)
            self._found = found
        return self._found[0]

    def load_checkpoint(self, filename: str, map_location: Union[str, Callable] = 'cpu',
                        strict: bool = True, revise_keys: Optional[list] = None) -> Dict[str, Any]:
        """As mmengine's, but nothing in the file is run, and every key must fit.

        Unless `strict`, what the config's `load_cfg` names may differ (see checkpoint_fit.Tolerance).

        Args:
            filename: a path or an address.
            map_location: as in `torch.load`.
            strict: whether every key must fit.
            revise_keys: patterns and replacements for keys, as mmengine's.

        Raises:
            UserError: if the file is unreadable, or of another config.
        """
        model = self._bare_model
        checkpoint = read_checkpoint(filename, map_location=map_location)
        meta = checkpoint.get('meta')
        self._loaded_samples = SampleRecord.read(
            meta.get(LEARNED) if isinstance(meta, dict) else None, Path(filename).name)
        if strict:
            # A training that starts from other weights may learn other classes.
            for loop in (self._train_loop, self._test_loop):
                meta = isinstance(loop, BaseLoop) and getattr(loop.dataloader.dataset, 'metainfo', None)
                check_learned_classes(checkpoint, (meta or {}).get('classes'), name=filename)
        said = (said_of_config(checkpoint, trained_config(self.cfg), name=filename) if strict
                else said_of_settings(model, checkpoint, name=filename))
        if said:
            self.logger.warning(said)
        if not revise_keys:
            tolerance = STRICT if strict else Tolerance.from_config(self.cfg.get('load_cfg'))
            weights = fit_weights(model, checkpoint, name=filename, tolerance=tolerance)
            checkpoint = {**(checkpoint if 'state_dict' in checkpoint else {}), 'state_dict': weights}
            self.logger.info(summarise(model, weights, name=filename))
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        # Its public relatives read the file again, or lose the versions of layers, which spconv's need.
        _load_checkpoint_to_model(model, checkpoint, strict=False,
                                  revise_keys=revise_keys or [(r'^module\.', '')])
        self._has_loaded = True
        if 'ema_state_dict' in checkpoint and not self._resume:
            self.logger.info(f'the weights of {filename} are the moving average of its training')
        return checkpoint

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """As mmengine's, under a name that is replaced when the file is whole; `meta` says what was learned.
        """
        part = filename + PART_SUFFIX
        written = Path(out_dir) / part
        if is_main_process():
            kwargs['meta'] = {**(kwargs.get('meta') or {}), LEARNED: self.learned_samples().to_plain(),
                              SETTINGS: getattr(self._bare_model, SETTINGS, {}),
                              CONFIG: trained_config(self.cfg)}
        try:
            super().save_checkpoint(out_dir, part, *args, **kwargs)
            if is_main_process() and written.is_file():
                sync_to_disk(written)
                os.replace(written, Path(out_dir) / filename)
                sync_to_disk(Path(out_dir))
        finally:
            # On a full disk half a checkpoint would keep it full.
            if is_main_process():
                written.unlink(missing_ok=True)


def _is_for_console(record: logging.LogRecord) -> bool:
    """Says whether a message is shown on the console too, not in the log file alone."""
    text = record.getMessage()
    return len(text) <= CONSOLE_CHARACTERS and not text.startswith(NOT_FOR_CONSOLE)


def _is_no_config(record: logging.LogRecord) -> bool:
    """Says whether a message is anything but the config, of which the folder holds a file."""
    return not str(record.msg).startswith('Config:\n')


def _remove_parts(work_dir: Path) -> None:
    """Removes what a killed run left half-written: nobody else writes to the folder."""
    for pattern in (f'*.pth{PART_SUFFIX}', f'.*{PART_SUFFIX}'):
        for part in work_dir.glob(pattern):
            part.unlink(missing_ok=True)
