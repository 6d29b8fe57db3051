"""From a trained model, or a results file, to a submission: JSON, zip and where they come from.

What was used is declared by the config's `modality`; a model that reads other sensors than it says
is refused, because a wrong declaration disqualifies a submission.
"""
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from mmengine.config import Config

from ..engine.config_file import load_config
from ..engine.mistakes import config_mistakes
from ..engine.runner import GeminiRunner
from ..errors import UserError
from ..learned_samples import Overlap
from ..results.evaluated_split import InfoFile, info_file_of_split, read_info_file
from ..results.nuscenes_metric import RESULTS_NAME
from ..results.run_record import InferenceClock, hardware
from ..submission.provenance import PROVENANCE_NAME, config_facts, declare_external_data, past_lidar_sweeps
from ..submission.rules import META_FLAGS
from ..submission.split_samples import SplitSamples, read_split_samples
from ..submission.submission import read_meta, read_samples, write_submission, zip_submission
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
    external = declare_external_data(cfg.to_dict(), meta, external_data)
    infos = read_info_file(info_file_of_split(data_root / dataset.ann_file, split))
    samples = read_split_samples(data_root=data_root, version=infos.version, split=infos.split)
    facts = {'version': infos.version, 'split': infos.split, 'config': config_facts(cfg.pretty_text, config),
             'external_data': external, 'past_lidar_sweeps': past_lidar_sweeps(cfg)}
    return ExportPlan(cfg=cfg, data_root=data_root, infos=infos, samples=samples, facts=facts,
                      meta={**meta, 'use_external': external['used']})


def predict(plan: ExportPlan, json_path: Path, *, config: str, checkpoint: str, work_dir: str,
            tta: Sequence[str] = ()) -> Tuple[Dict[str, Any], Optional[Overlap]]:
    """Runs the model over the split and writes the results JSON, whole or not at all.

    Args:
        plan: see plan_export.
        json_path: where the results go.
        config: path of the config, for messages.
        checkpoint: weights trained with the config.
        work_dir: where the log goes.
        tta: terms of test-time augmentation.

    Returns:
        How fast on which machine the results were made, and how many of the samples were learned.
    """
    cfg = plan.cfg
    ann_file = str(plan.infos.path.absolute())
    cfg.test_dataloader.dataset.ann_file = ann_file
    cfg.test_evaluator = dict(
        type='GeminiNuScenesMetric', data_root=str(plan.data_root), ann_file=ann_file,
        meta=plan.meta, format_only=True, out_dir=str(json_path.parent), results_name=json_path.name)
    cfg.load_from, cfg.resume, cfg.launcher, cfg.work_dir = checkpoint, False, 'none', work_dir
    augment_test_time(cfg, tta)
    clock = InferenceClock()
    with config_mistakes(config):
        runner = GeminiRunner.from_cfg(cfg)
        runner.register_hook(clock)
        runner.test()
    return {**clock.speed(), 'hardware': hardware()}, runner.overlap


def take_predictions(plan: ExportPlan, predictions: Path, json_path: Path, *, is_ensemble: bool = False
                     ) -> Dict[str, bool]:
    """Writes a results file of a test run, of the same split and declaration, as the results JSON.

    Args:
        plan: see plan_export.
        predictions: the results file, JSON or zip.
        json_path: where the results go, whole or not at all.
        is_ensemble: other models may have used more than this config's.

    Returns:
        The five flags that are declared.

    Raises:
        UserError: if the file declares something else than the config, is of other samples or breaks a
            rule.
    """
    meta = read_meta(predictions)
    declared = {**meta, 'use_external': plan.meta['use_external']} \
        if plan.facts['external_data']['used'] else meta
    adds_only = is_ensemble and all(declared[flag] or not plan.meta[flag] for flag in META_FLAGS)
    if declared != plan.meta and not adds_only:
        raise UserError(f'{predictions} declares {meta}, the config {plan.meta}; '
                        'give the config that the predictions were made with')
    write_submission(json_path, meta=declared, samples=read_samples(predictions),
                     expected=(frame.token for frame in plan.infos.frames))
    return declared


def pack(out_dir: Path, *, json_name: str = RESULTS_NAME, zip_name: Optional[str] = None) -> Dict[str, Path]:
    """Packs the results JSON into the zip, whole or not at all; returns the two paths by kind."""
    paths = {kind: out_dir / name for kind, name in file_names(json_name, zip_name).items()}
    # New results never stand beside the zip of others.
    paths['zip'].unlink(missing_ok=True)
    zip_submission(paths['json'], paths['zip'])
    return paths


def file_names(json_name: str, zip_name: Optional[str]) -> Dict[str, str]:
    """Returns the names of both files by kind; what is no name of such a file is refused."""
    names = {'json': json_name, 'zip': zip_name or str(Path(json_name).with_suffix('.zip'))}
    for kind, name in names.items():
        if Path(name).name != name or not name.endswith(f'.{kind}') or name == PROVENANCE_NAME:
            raise UserError(f'got {name!r} as name of the {kind} file; expected a file name that ends with '
                            f'.{kind}, not {PROVENANCE_NAME}, without a folder (--out names the folder)')
    return names


def _declared(cfg: Config, config: str) -> Dict[str, bool]:
    """Returns the config's five flags."""
    modality = cfg.get('modality')
    if not isinstance(modality, dict) or set(modality) != set(META_FLAGS):
        raise UserError(f'config {config} has modality={modality}, expected a dict of the five '
                        f'flags {", ".join(META_FLAGS)}')
    return dict(modality)
