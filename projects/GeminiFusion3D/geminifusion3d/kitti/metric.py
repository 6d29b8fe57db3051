"""mmdet3d's KittiMetric with overlaps that any processor computes, and an info file that is read as data."""
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from mmdet3d.evaluation.metrics import KittiMetric
from mmdet3d.registry import METRICS
from mmengine.logging import MMLogger

from ..atomic import write_json
from ..errors import UserError
from ..learned_samples import Overlap, said_of
from .average_precision import KINDS, kitti_average_precision
from .infos import read_infos

SCORES_NAME = 'kitti_metrics.json'
FRAME = 'frame'


@METRICS.register_module()
class GeminiKittiMetric(KittiMetric):
    """mmdet3d's KittiMetric: same arguments, same names of scores, and a file of them in the work folder.

    Args:
        **kwargs: arguments of KittiMetric.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # The runner sets it to its work folder.
        self.out_dir: Optional[Path] = None
        # Set by the runner: how many of the frames the weights had learned.
        self.overlap: Optional[Overlap] = None

    def process(self, data_batch: Any, data_samples: Sequence[Dict[str, Any]]) -> None:
        """As mmdet3d's, which takes the place of a frame in the dataset for that in its own file.

        Args:
            data_batch: inputs of the model, not needed.
            data_samples: outputs with `sample_idx`.
        """
        super().process(data_batch, data_samples)
        for result, sample in zip(self.results[-len(data_samples):], data_samples):
            result[FRAME] = Path(sample.get('lidar_path') or '').stem

    def compute_metrics(self, results: List[Dict[str, Any]]) -> Dict[str, float]:
        """As mmdet3d's.

        Args:
            results: of all frames.

        Raises:
            UserError: if the info file is damaged, holds more than plain data, or is of other frames.
        """
        infos = read_infos(Path(self.ann_file))['data_list']
        for result in results:
            frame, place = result.pop(FRAME, ''), result['sample_idx']
            held = Path(infos[place]['lidar_points']['lidar_path']).stem if place < len(infos) else 'none'
            if frame and frame != held:
                raise UserError(f'the dataset gives frame {frame} at place {place}, and {self.ann_file} has '
                                f'{held} there; ann_file of dataset and evaluator must be the same file')
        scores = super().compute_metrics(results)
        if self.out_dir is not None and scores:
            write_json(Path(self.out_dir) / SCORES_NAME, {**scores, **said_of(self.overlap)}, indent=2,
                       sealed=True)
        return scores

    def kitti_evaluate(self, results_dict: Dict[str, Any], gt_annos: List[Dict[str, Any]],
                       metric: Optional[str] = None, classes: Optional[List[str]] = None,
                       logger: Optional[MMLogger] = None) -> Dict[str, float]:
        """Returns the scores of each kind of result, in percent.

        Args:
            results_dict: per kind of result and frame its boxes as KITTI writes them.
            gt_annos: ground truth of the same frames.
            metric: 'bbox', or 'img_bbox' for pictures alone.
            classes: that are scored.
            logger: not used.
        """
        return {f'{name}/{key}': round(value, 4)
                for name, annos in results_dict.items()
                for key, value in kitti_average_precision(
                    gt_annos, annos, classes or [],
                    ('2D',) if name == 'pred_instances' or metric == 'img_bbox' else KINDS).items()}
