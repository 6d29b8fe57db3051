"""mmdet3d's inferencer interface for the recipes of this project.

mmdet3d v1.4.0 `MultiModalityDet3DInferencer` and `LidarDet3DInferencer` put loading transforms of their own,
for one picture and one cloud, in place of the recipe's, so that neither several cameras nor sweeps reach a
model; the delta is that samples run through the recipe's own test pipeline, as Detector does it.
"""
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Union

import mmengine
import numpy as np
from mmdet3d.apis import Base3DInferencer
from mmdet3d.registry import INFERENCERS
from mmdet3d.structures import Det3DDataSample
from mmengine.config import Config
from mmengine.infer import BaseInferencer
from torch import nn

from ..paths import safe_name
from ..picture_files import write_picture
from .detector import Detector, Sensors
from .picture import draw_detections


@INFERENCERS.register_module()
class GeminiDet3DInferencer(Base3DInferencer):
    """Predicts with a recipe of this project as mmdet3d's inferencers do.

        inferencer = GeminiDet3DInferencer('configs/RECIPE.py', 'work_dirs/RECIPE/epoch_6.pth', device='cuda')
        found = inferencer(dict(points='cloud.bin', images={...}, cam2img={...}, lidar2cam={...}))

    Args:
        model: the recipe, as a file or loaded.
        weights: checkpoint that was trained with it; nothing in it is run.
        device: as mmdet3d's.
        scope: as mmdet3d's.
        palette: as mmdet3d's.
    """

    def __call__(self, inputs: Union[Sensors, Sequence[Sensors]], batch_size: int = 1,
                 return_datasamples: bool = False, **kwargs: Any) -> Dict[str, Any]:
        """Predicts.

        Args:
            inputs: a Sample or the arguments of `Sample.from_sensors`, or a list of these.
            batch_size: of the model.
            return_datasamples: Det3DDataSamples instead of dictionaries of numbers.
            **kwargs: as mmdet3d's, `out_dir` and `pred_score_thr` above all.

        Returns:
            `predictions`, boxes as mmdet3d's (bottom centre, LiDAR frame), and `visualization`, BGR pictures
            where `out_dir` or `return_vis` asks for them.
        """
        # mmdet3d's repeats the predictions of earlier batches.
        return BaseInferencer.__call__(self, inputs, return_datasamples, batch_size, **kwargs)

    def _init_model(self, cfg: Config, weights: str, device: Optional[str] = None) -> nn.Module:
        self.detector = Detector.from_files(cfg, weights, device or 'cpu')
        return self.detector.model

    def _init_pipeline(self, cfg: Config) -> Any:
        return self.detector.prepared

    def _init_visualizer(self, cfg: Config) -> None:
        """Draws by `draw_detections`."""

    def _inputs_to_list(self, inputs: Any, **kwargs: Any) -> List[Sensors]:
        given = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        return [self.detector.sample_of(one) for one in given]

    def visualize(self, inputs: List[Any], preds: List[Det3DDataSample], return_vis: bool = False,
                  pred_score_thr: float = 0.3, no_save_vis: bool = False, img_out_dir: str = '', **kwargs: Any
                  ) -> Optional[List[np.ndarray]]:
        """Draws each sample as `draw_detections` does.

        Args:
            inputs: Samples.
            preds: what was found.
            return_vis: whether to return the pictures.
            pred_score_thr: boxes with a lower score are not drawn.
            no_save_vis: write nothing.
            img_out_dir: where `vis/` goes.
            **kwargs: of mmdet3d's windows, which are not opened.
        """
        is_saved = bool(img_out_dir) and not no_save_vis
        if not (is_saved or return_vis):
            return None
        pictures = [draw_detections(self.detector, sample, self.detector.detections(sample, found),
                                    min_score=pred_score_thr) for sample, found in zip(inputs, preds)]
        for sample, picture in zip(inputs, pictures) if is_saved else ():
            write_picture(Path(img_out_dir, 'vis', f'{safe_name(sample.token)}.jpg'), picture)
        return pictures

    def pred2dict(self, data_sample: Det3DDataSample, pred_out_dir: str = '') -> Dict[str, Any]:
        """Returns labels, scores and boxes as lists, and writes them to a file of the sample's name.

        Args:
            data_sample: what was found.
            pred_out_dir: where `preds/` goes; nothing is written where it is empty.
        """
        result: Dict[str, Any] = super().pred2dict(data_sample)
        if pred_out_dir:
            mmengine.dump(result, str(Path(pred_out_dir, 'preds', f'{safe_name(data_sample.token)}.json')))
        return result
