"""The official nuScenes score of a model, computed by the unmodified devkit.

Last stage of validation and testing: predictions of every process -> boxes in the global frame -> one
submission -> devkit. Files written to `out_dir`: results_nusc.json (the submission), metrics_summary.json
and metrics_details.json (the devkit's, see devkit_eval).
"""
import logging
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from mmdet3d.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from ..atomic import write_json
from ..errors import UserError
from ..nuscenes_facts import CLASS_NAMES
from ..submission.findings import errors_among
from ..submission.rules import check_meta
from ..submission.submission import write_submission
from .devkit_eval import ERROR_NAMES, evaluate_file, format_table, open_tables
from .evaluated_split import InfoFile, KeyFrame, read_info_file
from .nuscenes_boxes import GlobalBoxes, check_class_names, to_global_boxes

RESULTS_NAME = 'results_nusc.json'
SUMMARY_NAME, DETAILS_NAME = 'metrics_summary.json', 'metrics_details.json'


@METRICS.register_module()
class GeminiNuScenesMetric(BaseMetric):
    """Scores LiDAR-frame boxes with the official devkit.

    The differences with mmdet3d's NuScenesMetric: version and split come from the info file, so
    that any split can be scored; metric and dataset must read the same info file; the meta flags
    are five and given; predictions become a validated submission; results do not depend on how
    many processes made them or in which order; metrics are not rounded.

    A model of some of nuScenes' classes (the dataset's metainfo names them) is scored as the devkit scores
    it: mAP and NDS are means over all ten, in which a class without predictions has AP 0 and errors 1. The
    mean AP of the model's own classes is given beside them as `mAP_of_own_classes`.

    Args:
        data_root: folder of the dataset, with the tables in `<data_root>/<version>`.
        ann_file: info file of the split, relative to `data_root` or absolute, the same as the
            dataset's.
        meta: the five flags use_camera, use_lidar, use_radar, use_map, use_external.
        out_dir: where the files go; without it they are removed after the evaluation.
        results_name: name of the submission in `out_dir`.
        format_only: write the predictions, do not score. A split without annotations is never
            scored.
        prefix: put before the names of the metrics. Defaults to 'NuScenes'.
        collect_device: how the processes exchange results, 'cpu' or 'gpu'.
    """

    default_prefix = 'NuScenes'

    def __init__(self, *, data_root: str, ann_file: str, meta: Mapping[str, bool],
                 out_dir: Optional[str] = None, results_name: str = RESULTS_NAME, format_only: bool = False,
                 prefix: Optional[str] = None, collect_device: str = 'cpu') -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        errors = errors_among(check_meta(dict(meta)))
        if errors:
            raise UserError('; '.join(map(str, errors)))
        if format_only and out_dir is None:
            raise ValueError('got format_only=True without out_dir; say where predictions go')
        self.data_root = Path(data_root)
        self.ann_path = self.data_root / ann_file
        self.meta = dict(meta)
        self.out_dir = out_dir
        self.results_name = results_name
        self.format_only = format_only
        self._infos: Optional[InfoFile] = None
        if not self.ann_path.is_file():
            raise UserError(f'info file {self.ann_path} does not exist (ann_file={ann_file!r} is taken '
                            f'relative to data_root={str(data_root)!r}); write it with gemini3d convert')

    @property
    def scores(self) -> bool:
        """Says whether an evaluation ends with scores in a file."""
        return not self.format_only and self.infos.has_annotations

    @property
    def infos(self) -> InfoFile:
        """The info file, read at the first use."""
        if self._infos is None:
            self._infos = read_info_file(self.ann_path)
        return self._infos

    def dataset(self) -> Dict[str, str]:
        """Returns what is scored, as commands ask for it: dataroot, version, split."""
        return dict(dataroot=str(self.data_root), version=self.infos.version, split=self.infos.split)

    @property
    def class_names(self) -> Sequence[str]:
        """Classes of the model, in the order of its labels."""
        names: Sequence[str] = (self.dataset_meta or {}).get('classes', CLASS_NAMES)
        return names

    def process(self, data_batch: Any, data_samples: Sequence[Dict[str, Any]]) -> None:
        """Moves the predictions of a batch into the global frame.

        Args:
            data_batch: inputs of the model, not needed.
            data_samples: outputs with `pred_instances_3d`, `sample_idx` and `token`.

        Raises:
            UserError: if the model has classes that nuScenes does not score, or the dataset reads another
                info file than the metric.
        """
        check_class_names(self.class_names)
        for sample in data_samples:
            if 'pred_instances_3d' not in sample:
                raise UserError('the model predicts no boxes, which this metric scores; expected one with a '
                                'bbox_head; GeminiSegmentationMetric scores a seg_head')
            boxes = sample['pred_instances_3d']
            self.results.append(to_global_boxes(
                boxes=boxes['bboxes_3d'], scores=boxes['scores_3d'], labels=boxes['labels_3d'],
                class_names=self.class_names, frame=self._frame_of(sample)))

    def compute_metrics(self, results: List[GlobalBoxes]) -> Dict[str, float]:
        """Writes the submission, scores it and returns the metrics by name.

        Args:
            results: what `process` made, of all processes, in any order, padding included. The list is
                emptied: the devkit needs the memory.

        Returns:
            The metrics without prefix; none where nothing can be scored.
        """
        n_degenerate = sum(boxes.n_degenerate for boxes in results)
        if n_degenerate:
            print_log(f'{n_degenerate} predicted boxes were dropped: numbers not finite or sizes '
                      'not positive', logger='current', level=logging.WARNING)
        if self.out_dir is not None:
            return self._write_and_score(results, Path(self.out_dir))
        with tempfile.TemporaryDirectory() as folder:
            return self._write_and_score(results, Path(folder))

    def _frame_of(self, sample: Dict[str, Any]) -> KeyFrame:
        """Returns the key frame of a prediction; the dataset's token must be the info file's."""
        frames, index = self.infos.frames, sample['sample_idx']
        token = frames[index].token if 0 <= index < len(frames) else None
        if token != sample['token']:
            raise UserError(
                f'the dataset gives token {sample["token"]} for sample_idx {index}, the metric reads {token} '
                f'from {self.infos.path}; ann_file of dataset and evaluator must be the same file')
        return frames[index]

    def _write_and_score(self, results: List[GlobalBoxes], folder: Path) -> Dict[str, float]:
        """Writes the files and returns the metrics; none where nothing can be scored."""
        by_token = {boxes.token: boxes for boxes in results}
        tokens = {frame.token for frame in self.infos.frames}
        if set(by_token) != tokens:
            raise UserError(
                f'the dataset gave {len(by_token)} samples, the metric expects the {len(tokens)} in '
                f'{self.infos.path}; ann_file of dataset and evaluator must be the same file, read whole')
        write_submission(folder / self.results_name, meta=self.meta, samples=(
            (token, by_token[token].records()) for token in sorted(by_token)))
        by_token.clear()
        results.clear()
        self.results.clear()
        if self.format_only:
            return {}
        if not self.infos.has_annotations:
            print_log(f'split {self.infos.split} has no annotations: predictions are written, '
                      'not scored', logger='current')
            return {}
        tables = open_tables(data_root=self.data_root, version=self.infos.version, split=self.infos.split)
        evaluation = evaluate_file(result_path=folder / self.results_name, tables=tables,
                                   split=self.infos.split)
        write_json(folder / DETAILS_NAME, evaluation.details)
        # Last: where it stands, the evaluation has come to its end.
        write_json(folder / SUMMARY_NAME, evaluation.summary, indent=2)
        table = format_table(evaluation.summary)
        print_log(f'{self.infos.version} {self.infos.split}\n{table}', logger='current')
        return {**flat_metrics(evaluation.summary), **self._own_mean(evaluation.summary)}

    def _own_mean(self, summary: Dict[str, Any]) -> Dict[str, float]:
        """Returns the mean AP of the model's classes, where they are not all ten."""
        if len(self.class_names) == len(CLASS_NAMES):
            return {}
        mean = sum(summary['mean_dist_aps'][name] for name in self.class_names) / len(self.class_names)
        print_log(f'the model has {len(self.class_names)} of the ten classes, mAP and NDS are over all ten; '
                  f'mAP of {", ".join(self.class_names)}: {mean:.4f}', logger='current')
        return {'mAP_of_own_classes': mean}


def flat_metrics(summary: Dict[str, Any]) -> Dict[str, float]:
    """Returns the devkit's summary as named floats; undefined errors are left out."""
    metrics = {'mAP': summary['mean_ap'], 'NDS': summary['nd_score']}
    metrics.update({ERROR_NAMES[name]: value for name, value in summary['tp_errors'].items()})
    for class_name, by_threshold in summary['label_aps'].items():
        metrics[f'{class_name}_AP'] = summary['mean_dist_aps'][class_name]
        for threshold_m, value in by_threshold.items():
            metrics[f'{class_name}_AP_dist_{threshold_m}'] = value
        for name, value in summary['label_tp_errors'][class_name].items():
            if value is not None:
                metrics[f'{class_name}_{name}'] = value
    return metrics
