"""mmdet3d's KittiMetric with overlaps that any processor computes, and an info file that is read as data."""
from pathlib import Path
from typing import Any, Dict, List, Optional

from mmdet3d.evaluation.metrics import KittiMetric
from mmdet3d.registry import METRICS
from mmengine.logging import MMLogger

from ..atomic import write_json
from ..learned_samples import Overlap, said_of
from .average_precision import KINDS, kitti_average_precision
from .infos import read_infos

SCORES_NAME = 'kitti_metrics.json'


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

    def compute_metrics(self, results: List[Dict[str, Any]]) -> Dict[str, float]:
        """As mmdet3d's.

        Args:
            results: of all frames.

        Raises:
            UserError: if the info file is damaged or holds more than plain data.
        """
        read_infos(Path(self.ann_file))
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
