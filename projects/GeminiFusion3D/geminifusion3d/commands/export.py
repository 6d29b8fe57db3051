"""From a trained model, or a results file, to a submission: JSON, zip and where they come from.

What was used is declared by the config's `modality`; a model that reads other sensors than it says
is refused, because a wrong declaration disqualifies a submission.
"""
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from mmengine.config import Config
from mmengine.model import is_model_wrapper

from ..engine.config_file import load_config
from ..engine.mistakes import config_mistakes
from ..engine.runner import GeminiRunner
from ..errors import UserError
from ..results.evaluated_split import info_file_of_split
from ..results.inference_clock import InferenceClock
from ..results.info_file import InfoFile, read_info_file
from ..results.nuscenes_metric import RESULTS_NAME
from ..submission.content_rules import META_FLAGS
from ..submission.external_data import declare_external_data
from ..submission.provenance import PROVENANCE_NAME, config_facts, hardware, past_lidar_sweeps
from ..submission.split_samples import SplitSamples, read_split_samples
from ..submission.submission import Submission
from .test_time_augmentation_flags import augment_test_time


@dataclass(frozen=True)
class ExportPlan:
    """Which samples of which dataset a config's model shall be run on.

    Attributes:
        cfg: the config.
        data_root: folder of the dataset.
        infos: the info file of the split.
        meta: the five flags that the submission will declare.
        samples: the samples of the split, as the validator knows them.
        facts: what the provenance says about config and data.
    """

    cfg: Config
    data_root: Path
    infos: InfoFile
    meta: Dict[str, bool]
    samples: SplitSamples
    facts: Dict[str, Any]


def plan_export(*, config: str, split: str, cfg_options: Optional[Mapping[str, Any]] = None,
                external_data: str = '') -> ExportPlan:
    """Finds the dataset, the split and the declaration of a config.

    Args:
        config: path of the config; its test_dataloader says where the info files are.
        split: exact name of a split; `val` / `train` mean mini_val / mini_train for mini.
        cfg_options: settings of the config to replace.
        external_data: what else than nuScenes was used; declares it.

    Raises:
        UserError: if the config has no usable `modality`, or the split no info file.
    """
    cfg = load_config(config, cfg_options)
    dataset = cfg.test_dataloader.dataset
    meta, data_root = _declared(cfg, config), Path(dataset.data_root)
    external = declare_external_data(cfg, meta, external_data)
    infos = read_info_file(info_file_of_split(data_root / dataset.ann_file, split))
    samples = read_split_samples(data_root=data_root, version=infos.version, split=infos.split)
    facts = {'version': infos.version, 'split': infos.split, 'config': config_facts(cfg, config),
             'external_data': external, 'past_lidar_sweeps': past_lidar_sweeps(cfg)}
    return ExportPlan(cfg=cfg, data_root=data_root, infos=infos, samples=samples, facts=facts,
                      meta={**meta, 'use_external': external['used']})


def predict(plan: ExportPlan, *, config: str, checkpoint: str, work_dir: str,
            tta: Sequence[str] = ()) -> Tuple[Submission, Dict[str, Any]]:
    """Runs the model over the split.

    Args:
        plan: see plan_export.
        config: path of the config, for messages.
        checkpoint: weights trained with the config.
        work_dir: where the log goes.
        tta: terms of test-time augmentation.

    Returns:
        The submission, and how fast on which machine it was made.
    """
    cfg = plan.cfg
    Path(work_dir).mkdir(parents=True, exist_ok=True)
    ann_file = str(plan.infos.path.absolute())
    cfg.test_dataloader.dataset.ann_file = ann_file
    cfg.test_evaluator = dict(
        type='GeminiNuScenesMetric', data_root=str(plan.data_root), ann_file=ann_file,
        meta=plan.meta, format_only=True)
    cfg.load_from, cfg.resume, cfg.launcher, cfg.work_dir = checkpoint, False, 'none', work_dir
    augment_test_time(cfg, tta)
    clock = InferenceClock()
    # Under work_dir: a test split's results are too large for many a /tmp.
    with config_mistakes(config), tempfile.TemporaryDirectory(dir=work_dir) as folder:
        cfg.test_evaluator.out_dir = folder
        runner = GeminiRunner.from_cfg(cfg)
        check_declaration(plan.meta, runner.model)
        runner.register_hook(clock)
        runner.test()
        submission = Submission.from_json(Path(folder) / RESULTS_NAME)
    return submission, {**clock.speed(), 'hardware': hardware()}


def read_predictions(plan: ExportPlan, predictions: Path, *, is_ensemble: bool = False) -> Submission:
    """Reads a results file that a test run has written, of the same split and declaration.

    Args:
        plan: see plan_export.
        predictions: the results JSON.
        is_ensemble: other models may have used more than this config's.

    Raises:
        UserError: if it declares something else than the config, or is of other samples.
    """
    submission = Submission.from_json(predictions)
    declared = {**submission.meta, 'use_external': plan.meta['use_external']} \
        if plan.facts['external_data']['used'] else dict(submission.meta)
    adds_only = is_ensemble and all(declared[flag] or not plan.meta[flag] for flag in META_FLAGS)
    if declared != plan.meta and not adds_only:
        raise UserError(f'{predictions} declares {dict(submission.meta)}, the config {plan.meta}; '
                        'give the config that the predictions were made with')
    submission.check_covers(frame.token for frame in plan.infos.frames)
    return submission if declared == dict(submission.meta) else replace(submission, meta=declared)


def write_submission(submission: Submission, out_dir: Path, *, json_name: str = RESULTS_NAME,
                     zip_name: Optional[str] = None) -> Dict[str, Path]:
    """Writes JSON and zip; each is whole or absent.

    Args:
        submission: what to write.
        out_dir: where.
        json_name: name of the JSON file, beside the zip and in it.
        zip_name: name of the zip; default: that of the JSON file with `.zip`.

    Returns:
        The two paths by kind, `json` and `zip`.
    """
    paths = {kind: out_dir / name for kind, name in file_names(json_name, zip_name).items()}
    paths['zip'].unlink(missing_ok=True)
    submission.to_json(paths['json'])
    submission.to_zip(paths['zip'], json_name=json_name)
    return paths


def file_names(json_name: str, zip_name: Optional[str]) -> Dict[str, str]:
    """Returns the names of both files by kind.

    Args:
        json_name: of the JSON file.
        zip_name: of the zip; None: that of the JSON file with `.zip`.

    Raises:
        UserError: if one is no name of such a file.
    """
    names = {'json': json_name, 'zip': zip_name or str(Path(json_name).with_suffix('.zip'))}
    for kind, name in names.items():
        if Path(name).name != name or not name.endswith(f'.{kind}') or name == PROVENANCE_NAME:
            raise UserError(f'got {name!r} as name of the {kind} file; expected a file name that ends with '
                            f'.{kind}, not {PROVENANCE_NAME}, without a folder (--out names the folder)')
    return names


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
