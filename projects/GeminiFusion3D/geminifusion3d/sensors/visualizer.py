"""mmdet3d's visualizer for its visualization hook, `--show-dir` and `browse_dataset`, with any cameras.

Subclass of mmdet3d v1.4.0 `Det3DLocalVisualizer`. The delta: boxes are projected by the sample's own
matrices, which know whether a picture is the file or what augmentation made of it; cameras may differ in size
or be missing; 'multi-view_det' draws the pictures (mmdet3d draws nothing); without a window, points and boxes
are drawn from above, without Open3D; a picture is written where no box passes the threshold, too; segmented
cells get a picture of their own, labels beside predictions, x to the right and y up.
"""
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from mmdet3d.registry import VISUALIZERS
from mmdet3d.structures import Det3DDataSample
from mmdet3d.visualization import Det3DLocalVisualizer
from mmengine.dist import master_only
from mmengine.structures import InstanceData
from torch import Tensor

from ..geometry.bev_grid import UNKNOWN
from ..nuscenes_facts import MAP_CLASSES
from .draw import draw_bev, draw_footprint, tiled
from .load_images import resize_matrix

VIEW_PX, VIEW_RANGE_M = 900, 55.0
TRUTH_BGR = (255, 255, 255)
OF_CAMERAS = ('mono_det', 'multi-view_det', 'multi-modality_det')
OF_POINTS = ('lidar_det', 'multi-modality_det')
# Corners (8, 3) in the LiDAR frame, BGR.
ColouredBox = Tuple[np.ndarray, Tuple[int, int, int]]


@VISUALIZERS.register_module()
class GeminiVisualizer(Det3DLocalVisualizer):
    """Draws samples of this project; see the module for how it differs from mmdet3d's."""

    @master_only
    def add_datasample(self, name: str, data_input: Dict[str, Any],
                       data_sample: Optional[Det3DDataSample] = None, draw_gt: bool = True,
                       draw_pred: bool = True, show: bool = False, wait_time: float = 0,
                       out_file: Optional[str] = None, o3d_save_path: Optional[str] = None,
                       vis_task: str = 'mono_det', pred_score_thr: float = 0.3, step: int = 0,
                       show_pcd_rgb: bool = False) -> None:
        """As mmdet3d's; without `show`, the view from above goes to a file of its own or a backend.

        Args:
            name: of the picture in a backend.
            data_input: `img` and `points`, as the task needs them.
            data_sample: boxes, and the matrices of the sample.
            draw_gt: whether to draw ground truth.
            draw_pred: whether to draw predictions.
            show: open windows; needs Open3D and a display for points.
            wait_time: seconds that a window stays.
            out_file: where the cameras go, or, for 'lidar_det', the view from above.
            o3d_save_path: where the view from above goes.
            vis_task: 'mono_det' and 'multi-view_det' draw cameras, 'lidar_det' points, 'multi-modality_det'
                both.
            pred_score_thr: predictions with a lower score are not drawn.
            step: of the backend.
            show_pcd_rgb: whether points have colours of their own, in a window.
        """
        if not show and data_sample is not None and 'pred_cells' in data_sample:
            self._add_cells(name, data_sample, o3d_save_path or out_file, step)
        task = 'mono_det' if vis_task == 'multi-view_det' or not show and vis_task in OF_CAMERAS else vis_task
        if not show and vis_task in OF_POINTS:
            path = o3d_save_path or (out_file if vis_task == 'lidar_det' else None)
            boxes = self._boxes_to_draw(data_sample, draw_gt, draw_pred, pred_score_thr)
            view = _from_above(data_input['points'], boxes)
            if path:
                cv2.imwrite(path, view)
            else:
                self.add_image(f'{name} from above', view[..., ::-1], step)
        if show or vis_task in OF_CAMERAS:
            super().add_datasample(
                name, data_input, data_sample, draw_gt, draw_pred, show, wait_time, out_file, o3d_save_path,
                task, pred_score_thr, step, show_pcd_rgb)

    def _add_cells(self, name: str, sample: Det3DDataSample, path: Optional[str], step: int) -> None:
        labels = sample.gt_cells.cpu().numpy() if 'gt_cells' in sample else None
        view = draw_cells(sample.metainfo['cell_classes'], sample.pred_cells.cpu().numpy(), labels)
        if path:
            cv2.imwrite(str(Path(path).with_name(f'{Path(path).stem}_cells.png')), view[..., ::-1])
        else:
            self.add_image(f'{name} cells', view, step)

    def add_image(self, name: str, image: Optional[np.ndarray], step: int = 0) -> None:
        """Hands a picture to the backends.

        Args:
            name: of the picture.
            image: (H, W, 3) RGB; None, where mmdet3d had nothing to draw, is left out.
            step: of the run.
        """
        if image is not None:
            super().add_image(name, image, step)

    def _draw_instances_3d(self, data_input: Dict[str, Any], instances: InstanceData,
                           input_meta: Dict[str, Any], vis_task: str, show_pcd_rgb: bool = False,
                           palette: Any = None) -> Any:
        """As mmdet3d's, over the pictures that are there, brought to one size."""
        if vis_task in OF_CAMERAS:
            pictures, projections = _cameras(data_input['img'], input_meta)
            height, width = np.max([picture.shape[:2] for picture in pictures], axis=0)
            pictures = [cv2.copyMakeBorder(picture, 0, height - picture.shape[0], 0, width - picture.shape[1],
                                           cv2.BORDER_CONSTANT) for picture in pictures]
            if not len(instances):
                columns = self.multi_imgs_col
                rows = [pictures[start:start + columns] for start in range(0, len(pictures), columns)]
                return {'img': tiled(rows)}
            data_input, input_meta = {**data_input, 'img': pictures}, {'lidar2img': projections}
        return super()._draw_instances_3d(data_input, instances, input_meta, vis_task, show_pcd_rgb, palette)

    def _boxes_to_draw(self, sample: Optional[Det3DDataSample], draw_gt: bool, draw_pred: bool,
                       min_score: float) -> List[ColouredBox]:
        """Returns predictions, then the ground truth."""
        boxes: List[ColouredBox] = []
        if draw_pred and sample is not None and 'pred_instances_3d' in sample:
            found = sample.pred_instances_3d
            for corners, label, score in zip(found.bboxes_3d.corners.cpu().numpy(), found.labels_3d,
                                             found.scores_3d):
                if score > min_score:
                    red, green, blue = self.dataset_meta['palette'][int(label)]
                    boxes.append((corners, (blue, green, red)))
        if draw_gt and sample is not None and 'gt_instances_3d' in sample:
            truth = sample.gt_instances_3d.bboxes_3d.corners.cpu().numpy()
            boxes += [(corners, TRUTH_BGR) for corners in truth]
        return boxes


def _from_above(points_m: Any, boxes: List[ColouredBox]) -> np.ndarray:
    """Returns the BGR view from above, x to the right and y up."""
    points_m = np.asarray(points_m)[:, :3]
    view = draw_bev(points_m, np.zeros((0, 8, 3)), size_px=VIEW_PX, range_m=VIEW_RANGE_M)
    for corners_m, bgr in boxes:
        draw_footprint(view, corners_m, range_m=VIEW_RANGE_M, bgr=bgr, front_bgr=bgr)
    return view


def _cameras(images: Any, meta: Dict[str, Any]) -> Tuple[List[np.ndarray], List[np.ndarray]]:
    """Returns the pictures that are there, RGB, and px_from_lidar (4, 4) of each.

    Args:
        images: of a dataset, (N, 3, H, W) BGR and augmented, or those that the hook read from `img_path`.
        meta: of the sample.
    """
    from_lidar_aug = np.linalg.inv(np.asarray(meta.get('lidar_aug_matrix', np.eye(4)), np.float64))
    if isinstance(images, Tensor):
        present = np.flatnonzero(meta['camera_present'])
        pictures = [np.ascontiguousarray(images[index].permute(1, 2, 0).numpy()[..., ::-1])
                    for index in present]
        matrices = [[meta[key][index] for key in ('img_aug_matrix', 'cam2img', 'lidar2cam')]
                    for index in present]
    else:
        pictures = images
        cameras = [camera for camera in meta['images'].values() if isinstance(camera['img_path'], str)]
        matrices = [[_file_from_raw_px(picture, camera), camera['cam2img'], camera['lidar2cam']]
                    for picture, camera in zip(pictures, cameras)]
    return pictures, [_of_depth(px_aug) @ _square(cam2img) @ np.asarray(lidar2cam) @ from_lidar_aug
                      for px_aug, cam2img, lidar2cam in matrices]


def _file_from_raw_px(picture: np.ndarray, camera: Dict[str, Any]) -> np.ndarray:
    """Returns the scale between a file and the picture that its calibration belongs to."""
    height, width = picture.shape[:2]
    return resize_matrix(width / (camera.get('width') or width), height / (camera.get('height') or height))


def _of_depth(px_aug_matrix: np.ndarray) -> np.ndarray:
    """Lets a matrix of pixels act on (u * depth, v * depth, depth, 1)."""
    matrix = np.array(px_aug_matrix, np.float64)
    matrix[:2, 2], matrix[:2, 3] = matrix[:2, 3], 0.0
    return matrix


def _square(cam2img: Any) -> np.ndarray:
    """Completes a 3x3 or 4x4 matrix to 4x4."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.asarray(cam2img)[:3, :3]
    return matrix


# A road under everything that lies on it; colours of the devkit's map API, its order of drawing.
_MAP_RGB = {'drivable_area': (166, 206, 227), 'ped_crossing': (251, 154, 153), 'walkway': (227, 26, 28),
            'stop_line': (253, 191, 111), 'carpark_area': (255, 127, 0), 'divider': (106, 61, 154)}
BACKGROUND_RGB, UNKNOWN_RGB, TEXT_RGB = (245, 245, 245), (180, 180, 180), (20, 20, 20)
SMALLEST_PX, MARGIN_PX = 400, 24
FOUND = 0.5


def cell_colours(classes: Sequence[str]) -> Sequence[Tuple[int, int, int]]:
    """Returns an RGB colour per class: the devkit's for the classes of the map, different hues for others."""
    if set(classes) <= set(MAP_CLASSES):
        return [_MAP_RGB[name] for name in classes]
    hues = np.stack([np.arange(len(classes)) * 180 // max(len(classes), 1), np.full(len(classes), 200),
                     np.full(len(classes), 220)], axis=1).astype(np.uint8)
    rgb = cv2.cvtColor(hues[None], cv2.COLOR_HSV2RGB)[0].tolist()
    return [(red, green, blue) for red, green, blue in rgb]


def draw_cells(classes: Sequence[str], scores: Float[np.ndarray, 'k y x'],
               labels: Optional[Int[np.ndarray, 'k y x']] = None) -> UInt8[np.ndarray, 'h w 3']:
    """Draws predictions, beside the labels where there are some, and a legend below.

    Args:
        classes: names; later ones are drawn over earlier ones.
        scores: probabilities; from 0.5 on a cell is drawn.
        labels: 0, 1, or 255 (grey).

    Returns:
        An RGB picture.
    """
    panels = [] if labels is None else [('labels', labels == 1, (labels == UNKNOWN).all(axis=0))]
    panels.append(('prediction', scores >= FOUND, np.zeros(scores.shape[1:], bool)))
    return np.hstack([_panel(name, classes, is_class, is_unknown) for name, is_class, is_unknown in panels])


def _panel(name: str, classes: Sequence[str], is_class: np.ndarray, is_unknown: np.ndarray) -> np.ndarray:
    colours = cell_colours(classes)
    cells = np.full((*is_class.shape[1:], 3), BACKGROUND_RGB, np.uint8)
    cells[is_unknown] = UNKNOWN_RGB
    for mask, colour in zip(is_class, colours):
        cells[mask] = colour
    factor = max(1, -(-SMALLEST_PX // max(cells.shape[:2])))
    # Row 0 is the lowest y.
    view = cells[::-1].repeat(factor, axis=0).repeat(factor, axis=1)
    legend_px = MARGIN_PX * (len(classes) + 1)
    view = cv2.copyMakeBorder(view, MARGIN_PX, legend_px, 8, 8, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    _write(view, name, 8, MARGIN_PX - 7)
    top = MARGIN_PX + factor * cells.shape[0]
    for index, (text, colour) in enumerate(zip(classes, colours)):
        low = top + MARGIN_PX * index + 8
        cv2.rectangle(view, (8, low), (26, low + 14), colour, -1)
        _write(view, text, 34, low + 13)
    return view


def _write(picture: np.ndarray, text: str, left_px: int, bottom_px: int) -> None:
    cv2.putText(picture, text, (left_px, bottom_px), cv2.FONT_HERSHEY_SIMPLEX, 0.5, TEXT_RGB, 1, cv2.LINE_AA)
