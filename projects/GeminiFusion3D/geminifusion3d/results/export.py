"""From a trained model, or a results file, to a submission: results_nusc.json and .zip.

What was used is declared by the config's `modality`; a model that reads other sensors than it says
is refused, because a wrong declaration disqualifies a submission.
"""
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from mmengine.config import Config
from mmengine.model import is_model_wrapper

from ..engine.config_file import load_config
from ..engine.mistakes import config_mistakes
from ..engine.runner import GeminiRunner
from ..errors import UserError
from .content_rules import META_FLAGS
from .info_file import InfoFile, read_info_file
from .nuscenes_metric import RESULTS_NAME
from .submission import Submission

# What a short name means for the mini version, which has neither `val` nor `train`.
_MINI_SPLITS = {'val': 'mini_val', 'train': 'mini_train'}


@dataclass(frozen=True)
class ExportPlan:
    """Which samples of which dataset a config's model shall be run on.

    Attributes:
        cfg: the config.
        data_root: folder of the dataset.
        infos: the info file of the split.
        meta: the five flags that the submission will declare.
    """

    cfg: Config
    data_root: Path
    infos: InfoFile
    meta: Dict[str, bool]


def plan_export(*, config: str, split: str, cfg_options: Optional[Mapping[str, Any]] = None
                ) -> ExportPlan:
    """Finds the dataset, the split and the declaration of a config.

    Args:
        config: path of the config; its test_dataloader says where the info files are.
        split: exact name of a split; `val` / `train` mean mini_val / mini_train for mini.
        cfg_options: settings of the config to replace.

    Raises:
        UserError: if the config has no usable `modality`, or the split no info file.
    """
    cfg = load_config(config, cfg_options)
    dataset = cfg.test_dataloader.dataset
    configured = Path(dataset.data_root) / dataset.ann_file
    names = [split] if split not in _MINI_SPLITS else [split, _MINI_SPLITS[split]]
    if 'mini' in configured.stem:
        names.reverse()
    candidates = [configured.parent / f'nuscenes_infos_{name}.pkl' for name in names]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise UserError(f'split {split!r} has no info file {candidates[0]}; write it with '
                        'tools/create_data.py, or name another split')
    return ExportPlan(cfg=cfg, data_root=Path(dataset.data_root), infos=read_info_file(found),
                      meta=_declared(cfg, config))


def predict(plan: ExportPlan, *, config: str, checkpoint: str, out_dir: Path, work_dir: str
            ) -> Submission:
    """Runs the model over the split.

    Args:
        plan: see plan_export.
        config: path of the config, for messages.
        checkpoint: weights trained with the config.
        out_dir: where results_nusc.json is written.
        work_dir: where the log goes.
    """
    cfg = plan.cfg
    ann_file = str(plan.infos.path.absolute())
    cfg.test_dataloader.dataset.ann_file = ann_file
    cfg.test_evaluator = dict(
        type='GeminiNuScenesMetric', data_root=str(plan.data_root), ann_file=ann_file,
        meta=plan.meta, out_dir=str(out_dir), format_only=True)
    cfg.load_from, cfg.resume, cfg.launcher, cfg.work_dir = checkpoint, False, 'none', work_dir
    with config_mistakes(config):
        runner = GeminiRunner.from_cfg(cfg)
        check_declaration(plan.meta, runner.model)
        runner.test()
    return Submission.from_json(out_dir / RESULTS_NAME)


def read_predictions(plan: ExportPlan, predictions: Path) -> Submission:
    """Reads a results file that a test run has written, of the same split and declaration.

    Raises:
        UserError: if it declares something else than the config, or is of other samples.
    """
    submission = Submission.from_json(predictions)
    if dict(submission.meta) != plan.meta:
        raise UserError(f'{predictions} declares {dict(submission.meta)}, the config {plan.meta}; '
                        'give the config that the predictions were made with')
    submission.check_covers(frame.token for frame in plan.infos.frames)
    return submission


def write_submission(submission: Submission, out_dir: Path) -> Dict[str, Path]:
    """Writes results_nusc.json and results_nusc.zip; each is whole or absent.

    Returns:
        The two paths by kind, `json` and `zip`.
    """
    paths = {'json': out_dir / RESULTS_NAME, 'zip': (out_dir / RESULTS_NAME).with_suffix('.zip')}
    paths['zip'].unlink(missing_ok=True)
    submission.to_json(paths['json'])
    submission.to_zip(paths['zip'])
    return paths


def check_declaration(meta: Mapping[str, bool], model: Any) -> None:
    """Refuses a declaration that differs from the sensors which the model reads.

    Raises:
        UserError: naming both.
    """
    model = model.module if is_model_wrapper(model) else model
    declared = {flag: meta[flag] for flag in ('use_camera', 'use_lidar')}
    if dict(model.modalities) != declared:
        raise UserError(f'the config declares modality {declared}, the model reads '
                        f'{dict(model.modalities)}; correct modality in the config')


def _declared(cfg: Config, config: str) -> Dict[str, bool]:
    """Returns the config's five flags."""
    modality = cfg.get('modality')
    if not isinstance(modality, dict) or set(modality) != set(META_FLAGS):
        raise UserError(f'config {config} has modality={modality}, expected a dict of the five '
                        f'flags {", ".join(META_FLAGS)}')
    return dict(modality)
