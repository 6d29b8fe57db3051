"""One sample of a results file as a picture: six cameras and the view from above, boxes over both.

The geometry is that of the page (projection, drawing): what is drawn here and there agrees. The delta: lines
are pixels of a PNG, not vectors.
"""
import io
from typing import Iterable, Tuple

import cv2
import numpy as np
from nuscenes import NuScenes
from nuscenes.eval.detection.data_classes import DetectionBox
from PIL import Image

from geminifusion3d.errors import UserError
from geminifusion3d.geometry.frames import transform_points

from .dataset import RIG, Camera, Records, Sample, predicted_boxes, read_sample, truth_boxes
from .drawing import BevCanvas, is_truth, load_picture, load_points, points_picture, short_label
from .projection import FOOTPRINT, box_corners, box_segments_px

CAMERA_WH_PX = (640, 360)
CANVAS = BevCanvas(px_per_m=2 * CAMERA_WH_PX[1] / 108.0)
# Blue, green, red, as OpenCV has them; the report's colours of truth and predictions.
TRUTH_BGR, PREDICTION_BGR = (255, 184, 34), (31, 138, 255)
EGO_BGR, CIRCLE_BGR = (90, 62, 44), (205, 205, 205)
CIRCLE_STEP_M = 10


def read_file_sample(nusc: NuScenes, results: Records, token: str, *,
                     min_score: float) -> Sample:
    """Returns a sample with its predictions from a score on; dataset and file must have it."""
    if token not in results:
        raise UserError(f'the predictions hold no sample {token}; without --sample the first is drawn')
    if all(row['token'] != token for row in nusc.sample):
        raise UserError(f'{nusc.version} has no sample {token}; check --dataroot and --version')
    found = [box for box in predicted_boxes(nusc, results, [token])[token]
             if box.detection_score >= min_score]
    return read_sample(nusc, token, truth=truth_boxes(nusc, [token])[token], predictions=found)


def picture_of(sample: Sample) -> np.ndarray:
    """Returns the six cameras as they sit around the car and, to their right, the view from above, BGR."""
    by_channel = {camera.channel: camera for camera in sample.cameras}
    width_px, height_px = CAMERA_WH_PX
    blank = np.zeros((height_px, width_px, 3), np.uint8)
    rows = [np.hstack([camera_picture(by_channel[channel], sample) if channel in by_channel else blank
                       for channel in row]) for row in RIG]
    sheet = bev_picture(sample)
    _write(sheet, f'predictions: {len(sample.predictions)}', (8, 18), PREDICTION_BGR)
    _write(sheet, f'ground truth: {len(sample.truth)}', (8, 36), TRUTH_BGR)
    return np.hstack([np.vstack(rows), sheet])


def camera_picture(camera: Camera, sample: Sample) -> np.ndarray:
    """Returns one camera's picture with the edges of the boxes that it sees."""
    image, raw_width_px, raw_height_px = load_picture(camera)
    picture = cv2.resize(_decode(image), CAMERA_WH_PX, interpolation=cv2.INTER_AREA)
    scale = np.array(CAMERA_WH_PX) / (raw_width_px, raw_height_px)
    for box in _truth_first(sample):
        corners_cam = transform_points(camera.cam_from_global,
                                       box_corners(box.translation, box.size, box.rotation))
        segments_px = box_segments_px(corners_cam, camera.intrinsic, raw_width_px, raw_height_px) * scale
        for start, end in segments_px:
            cv2.line(picture, _pixel(start), _pixel(end), colour_of(box), 1, cv2.LINE_AA)
        if len(segments_px) and not is_truth(box):
            _write(picture, short_label(box), segments_px.reshape(-1, 2).min(axis=0), colour_of(box))
    _write(picture, camera.channel, (4, 16), (255, 255, 255))
    return picture


def bev_picture(sample: Sample) -> np.ndarray:
    """Returns the view from above, heading up, with the footprints of the boxes and where they head."""
    picture = _decode(points_picture(load_points(sample), CANVAS))
    middle = _pixel(CANVAS.pixels(np.zeros(2)))
    for radius_m in range(CIRCLE_STEP_M, int(CANVAS.range_m) + 1, CIRCLE_STEP_M):
        cv2.circle(picture, middle, round(radius_m * CANVAS.px_per_m), CIRCLE_BGR, 1, cv2.LINE_AA)
    cv2.circle(picture, middle, 4, EGO_BGR, -1, cv2.LINE_AA)
    for box in _truth_first(sample):
        corners_global = box_corners(box.translation, box.size, box.rotation)[list(FOOTPRINT)]
        outline_px = CANVAS.pixels(transform_points(sample.ego_from_global, corners_global))
        cv2.polylines(picture, [np.rint(outline_px).astype(np.int32)], True, colour_of(box), 1, cv2.LINE_AA)
        front_px = outline_px[:2].mean(axis=0)
        cv2.line(picture, _pixel(outline_px.mean(axis=0)), _pixel(front_px), colour_of(box), 1, cv2.LINE_AA)
    return picture


def colour_of(box: DetectionBox) -> Tuple[int, int, int]:
    """Returns the colour of ground truth or of a prediction."""
    return TRUTH_BGR if is_truth(box) else PREDICTION_BGR


def _truth_first(sample: Sample) -> Iterable[DetectionBox]:
    """Yields all boxes; the surest prediction is drawn last."""
    yield from sample.truth
    yield from sorted(sample.predictions, key=lambda box: box.detection_score)


def _decode(image: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(image)) as opened:
        return np.ascontiguousarray(np.array(opened.convert('RGB'))[..., ::-1])


def _pixel(point_px: np.ndarray) -> Tuple[int, int]:
    u_px, v_px = np.rint(point_px).astype(int).tolist()
    return u_px, v_px


def _write(picture: np.ndarray, text: str, at_px: Iterable[float], colour: Tuple[int, int, int]) -> None:
    u_px, v_px = at_px
    cv2.putText(picture, text, (int(u_px), max(12, int(v_px) - 3)), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1,
                cv2.LINE_AA)
