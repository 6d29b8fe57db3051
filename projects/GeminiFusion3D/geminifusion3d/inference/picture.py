"""A sample with its detections as one picture: every camera, the view from above, legend, ground truth.

Everything is drawn through the matrices of the sample, the boxes as the detector returns them. A prediction
has the colour of its class, ground truth is white.
"""
from collections import Counter
from typing import Any, Dict, List, Sequence, Tuple

import cv2
import numpy as np
import torch
from mmdet3d.structures import LiDARInstance3DBoxes

from ..sensors import GeminiLoadImages, GeminiLoadPoints
from ..sensors.draw import camera_rows, draw_bev, draw_box, draw_footprint, tiled
from ..sensors.load_images import resize_matrix
from .detections import Detections
from .detector import Detector
from .sample import Sample

CAMERA_WIDTH_PX = 640
SMALLEST_VIEW_PX = 720
TRUTH_BGR, TEXT_BGR, FAINT_BGR = (255, 255, 255), (255, 255, 255), (150, 150, 150)
# Grey points leave the colours to the classes.
POINT_BGR, CIRCLE_BGR, CIRCLES_M = (125, 115, 105), (60, 55, 50), (10, 20, 30, 40, 50)
LINE_PX, LEGEND_COLUMNS = 18, 3
Colour = Tuple[int, int, int]
# A text, where it starts and its colour.
Label = Tuple[str, Tuple[float, float], Colour]


def draw_detections(detector: Detector, sample: Sample, detections: Detections, *, min_score: float = 0.3,
                    range_m: float = 55.0) -> np.ndarray:
    """Draws one sample.

    Args:
        detector: whose recipe says which cameras and classes there are.
        sample: what it saw; its annotations are drawn in white, where it has some.
        detections: what it found, in the LiDAR frame, all of them: the legend says how many are not shown.
        min_score: boxes with a lower score are not drawn.
        range_m: half the side of the view from above.

    Returns:
        A BGR picture (H, W, 3): the cameras, those of nuScenes left to right as seen from the car, then
        the view from above with the legend.
    """
    scene = _Scene(detector, sample, detections.above(min_score))
    names = list(scene.loaded.get('cam_names', ()))
    rows = [[scene.camera(names.index(name)) for name in row] for row in camera_rows(names)]
    cameras = tiled(rows) if rows else np.zeros((SMALLEST_VIEW_PX, 0, 3), np.uint8)
    height_px = max(SMALLEST_VIEW_PX, cameras.shape[0])
    side_px = height_px - scene.legend_height_px
    panel = np.vstack([scene.view_from_above(side_px, range_m), scene.legend(detections, min_score, side_px)])
    if not cameras.shape[1]:
        return panel
    below_px = height_px - cameras.shape[0]
    return np.hstack([cv2.copyMakeBorder(cameras, 0, below_px, 0, 0, cv2.BORDER_CONSTANT), panel])


def corners_of(detections: Detections) -> np.ndarray:
    """Returns the corners (N, 8, 3) in mmdet3d's order."""
    boxes = torch.from_numpy(np.asarray(detections.boxes, np.float32))
    return LiDARInstance3DBoxes(boxes, origin=(0.5, 0.5, 0.5)).corners.numpy()


class _Scene:
    """What is drawn: loaded sensors, shown boxes, true boxes."""

    def __init__(self, detector: Detector, sample: Sample, shown: Detections) -> None:
        self.shown, self.names = shown, detector.class_names
        self.palette: List[Colour] = [(blue, green, red) for red, green, blue in detector.palette_rgb]
        self.corners_m = corners_of(shown)
        truth = detector.truth_of(sample)
        self.has_truth = truth is not None
        self.truth_m = truth['gt_bboxes_3d'].corners.numpy() if truth else np.zeros((0, 8, 3))
        info = {'lidar_sweeps': [], **detector.sensors_of(sample)}
        load = GeminiLoadPoints(sweeps_num=0, missing='mark')
        self.loaded: Dict[str, Any] = load({**info, 'timestamp_us': 0})
        if detector.camera_names and 'images' in info:
            self.loaded = GeminiLoadImages(camera_names=detector.camera_names, missing='mark')(self.loaded)

    def camera(self, index: int) -> np.ndarray:
        """Draws one camera; a missing one stays black and says so."""
        image = self.loaded['img'][index]
        scale = CAMERA_WIDTH_PX / image.shape[1]
        size_px = (CAMERA_WIDTH_PX, round(image.shape[0] * scale))
        picture = cv2.resize(image, size_px, interpolation=cv2.INTER_AREA)
        is_present = self.loaded['camera_present'][index]
        title = self.loaded['cam_names'][index] + ('' if is_present else ': no picture')
        labels: List[Label] = [(title, (6, 16), TEXT_BGR)]
        if is_present:
            matrices = {key: self.loaded[key][index] for key in ('lidar2cam', 'cam2img')}
            matrices['img_aug_matrix'] = resize_matrix(scale, scale) @ self.loaded['img_aug_matrix'][index]
            matrices['lidar_aug_matrix'] = self.loaded['lidar_aug_matrix']
            # The surest is drawn last; thin lines of ground truth show on thick ones.
            for place in reversed(range(len(self.shown))):
                colour = self.colour(place)
                at = draw_box(picture, self.corners_m[place], matrices, colour, colour, thickness=2)
                if at is not None:
                    name = self.names[self.shown.labels[place]]
                    labels.insert(1, (f'{name} {self.shown.scores[place]:.2f}', at, colour))
            for corners in self.truth_m:
                draw_box(picture, corners, matrices, TRUTH_BGR, TRUTH_BGR)
        _write_apart(picture, labels)
        return picture

    def view_from_above(self, side_px: int, range_m: float) -> np.ndarray:
        """Draws points, true boxes and predictions with their scores, x to the right and y up."""
        points_m = self.loaded['points'].tensor[:, :3].numpy()
        picture = draw_bev(points_m, self.truth_m[:0], size_px=side_px, range_m=range_m)
        picture[picture.any(axis=2)] = POINT_BGR
        px_per_m = side_px / (2 * range_m)
        for radius_m in CIRCLES_M:
            cv2.circle(picture, (side_px // 2, side_px // 2), round(radius_m * px_per_m), CIRCLE_BGR, 1)
        for place in reversed(range(len(self.shown))):
            colour = self.colour(place)
            draw_footprint(picture, self.corners_m[place], range_m=range_m, bgr=colour, front_bgr=colour,
                           thickness=3)
        for corners in self.truth_m:
            draw_footprint(picture, corners, range_m=range_m, bgr=TRUTH_BGR, front_bgr=TRUTH_BGR)
        at_px = (self.shown.boxes[:, :2] * (1, -1) + range_m) * px_per_m + (6, -4)
        title = f'from above, {range_m:g} m to each side, circles every 10 m; x to the right, y up'
        _write_apart(picture, [(title, (6, 16), TEXT_BGR), *(
            (f'{self.shown.scores[place]:.2f}', (u, v), self.colour(place))
            for place, (u, v) in enumerate(at_px.tolist()))])
        if not len(points_m):
            _write(picture, 'no LiDAR points', (6, 34), TEXT_BGR)
        return picture

    def legend(self, found: Detections, min_score: float, width_px: int) -> np.ndarray:
        """Says what the colours mean and how many boxes are shown, or that none is."""
        counts = Counter(self.shown.labels.tolist())
        note = f'{len(self.shown)} of {len(found)} predictions with a score of at least {min_score:g}'
        if not len(self.shown):
            best = int(np.argmax(found.scores)) if len(found) else -1
            note = (f'nothing to show: none of {len(found)} scores reaches {min_score:g}'
                    + (f'; the best is {found.names[best]} {found.scores[best]:.3f}' if len(found) else ''))
        truth = f'ground truth: {len(self.truth_m)}' if self.has_truth else 'no ground truth known'
        entries = [(truth, TRUTH_BGR)]
        entries += [(f'{name}: {counts[label]}', self.palette[label])
                    for label, name in enumerate(self.names)]
        picture = np.zeros((self.legend_height_px, width_px, 3), np.uint8)
        _write(picture, note, (6, LINE_PX), TEXT_BGR)
        for place, (text, colour) in enumerate(entries):
            down, right = divmod(place, LEGEND_COLUMNS)
            left, top = 6 + right * (width_px // LEGEND_COLUMNS), LINE_PX * (2 + down)
            cv2.rectangle(picture, (left, top - 10), (left + 12, top), colour, -1)
            _write(picture, text, (left + 20, top), TEXT_BGR if self._occurs(place, counts) else FAINT_BGR)
        return picture

    @property
    def legend_height_px(self) -> int:
        """The note, then ground truth and the classes in columns."""
        return LINE_PX * (1 - -(1 + len(self.names)) // LEGEND_COLUMNS) + 10

    def _occurs(self, place: int, counts: Dict[int, int]) -> bool:
        return place == 0 or counts[place - 1] > 0

    def colour(self, place: int) -> Colour:
        """Returns the colour of a shown box."""
        return self.palette[self.shown.labels[place]]


def _write(picture: np.ndarray, text: str, at_px: Tuple[float, float], colour: Colour) -> None:
    place = (max(0, int(at_px[0])), max(11, int(at_px[1])))
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA)


def _write_apart(picture: np.ndarray, labels: Sequence[Label]) -> None:
    """Writes the labels that start in the picture; one that would cover an earlier one is left out."""
    taken = np.zeros(picture.shape[:2], bool)
    for text, (left, bottom), colour in labels:
        if not (0 <= left < picture.shape[1] and -LINE_PX < bottom < picture.shape[0]):
            continue
        (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
        # As far right as leaves it whole.
        left, bottom = max(0, min(int(left), picture.shape[1] - width)), max(11, int(bottom))
        place = taken[max(0, bottom - height - 2):bottom + 4, left:left + width]
        if not place.any():
            place[:] = True
            _write(picture, text, (left, bottom), colour)
