"""Whether cameras look where their calibration says: edges of the cloud against edges of the pictures.

A point much nearer than its neighbour to the side lies on the border of an object, and so does a vertical
edge of the picture (Levinson and Thrun, Automatic Online Calibration of Cameras and Lasers, RSS 2013). The
delta: the heading alone is searched, over the whole circle, in the samples of a file together. A tilt or a
shift is not seen.
"""
from typing import NamedTuple, Optional

import cv2
import numpy as np
from jaxtyping import Float, UInt8

# Of the cylinder around a camera: columns of 0.5 degrees, rows by height over distance.
STEP_DEG, COLUMNS, ROWS, STEEPEST = 0.5, 720, 120, 0.6
WIDEST_DEG = 75.0
# What counts as one beam of the LiDAR, as neighbours in it, and as a border between near and far.
BEAM_DEG, NEIGHBOUR_DEG, BORDER_SHARE, LARGEST_ROOT_M = 0.4, 1.0, 0.05, 3.0
NEAREST_M = 2.0
# A picture is reduced to this many pixels per column, edges above this percentile are alike.
PIXELS_PER_COLUMN, STRONGEST_PERCENTILE = 1.5, 97.0
# A camera counts as turned where the best heading is this far off, stands this many times out of the noise,
# and the calibration reaches less than this share of it.
LEAST_TURN_DEG, LEAST_CLEARNESS, LARGEST_SHARE = 2.0, 5.0, 0.5


class Fit(NamedTuple):
    """How a camera's pictures fit to the clouds.

    Attributes:
        turn_deg: by how much the camera looks farther to the right than its calibration says, for the best
            fit.
        best: correlation of edges there.
        given: that within a degree of the calibration.
        noise: spread of the correlation over all headings.
    """

    turn_deg: float
    best: float
    given: float
    noise: float


def border_strengths(points_m: Float[np.ndarray, 'n 3']) -> Float[np.ndarray, ' n']:
    """Returns by how much the background beside each point is farther: its root in metres, 0 for no border.

    Args:
        points_m: of one sweep, in the LiDAR frame.
    """
    range_m = np.linalg.norm(points_m, axis=1)
    azimuth = np.degrees(np.arctan2(points_m[:, 1], points_m[:, 0]))
    beam = np.floor(np.degrees(np.arcsin(points_m[:, 2] / np.maximum(range_m, NEAREST_M))) / BEAM_DEG)
    order = np.lexsort((azimuth, beam))
    is_pair = (np.diff(beam[order]) == 0) & (np.diff(azimuth[order]) < NEIGHBOUR_DEG)
    step_m = np.where(is_pair, np.diff(range_m[order]), 0.0)
    farther_m = np.zeros(len(points_m))
    farther_m[order[:-1]] = np.maximum(step_m, 0)
    farther_m[order[1:]] = np.maximum(farther_m[order[1:]], -step_m)
    is_border = farther_m > BORDER_SHARE * range_m
    return np.where(is_border, np.minimum(np.sqrt(farther_m), LARGEST_ROOT_M), 0.0)


class HeadingFit:
    """Collects pictures and clouds of one camera."""

    def __init__(self) -> None:
        self.samples = 0
        self._sums = np.zeros((6, COLUMNS))

    def add(self, points_m: Float[np.ndarray, 'n 3'], strengths: Float[np.ndarray, ' n'],
            picture: UInt8[np.ndarray, 'h w 3'], cam2img: Float[np.ndarray, '3 3'],
            lidar2cam: Float[np.ndarray, '4 4']) -> None:
        """Takes one sample.

        Args:
            points_m: in the LiDAR frame.
            strengths: `border_strengths` of them.
            picture: of the camera.
            cam2img: its matrix.
            lidar2cam: camera from LiDAR coordinates.
        """
        cloud = _cloud_cylinder(points_m @ lidar2cam[:3, :3].T + lidar2cam[:3, 3], strengths)
        edges, is_seen = _picture_cylinder(picture, cam2img)
        number, borders, squares = (np.fft.rfft(one, axis=1) for one in cloud)
        image, squared, mask = (np.fft.rfft(one, axis=1).conj() for one in (
            edges, np.square(edges), is_seen.astype(float)))
        pairs = ((number, mask), (borders, mask), (number, image), (borders, image), (squares, mask),
                 (number, squared))
        self._sums += np.fft.irfft(np.stack([(a * b).sum(axis=0) for a, b in pairs]), COLUMNS, axis=1)
        self.samples += 1

    def curve(self) -> Float[np.ndarray, ' c']:
        """Returns the correlation of borders and edges by heading, NaN where few points are seen."""
        count, x, e, xe, xx, ee = self._sums
        is_known = count > max(count[0] / 3, 100)
        count = np.where(is_known, count, np.nan)
        x, e = x / count, e / count
        spread = np.sqrt(np.maximum((xx / count - x * x) * (ee / count - e * e), 1e-12))
        return (xe / count - x * e) / spread

    def fit(self) -> Optional[Fit]:
        """Returns how well the calibration fits; None where too little is seen."""
        curve = self.curve()
        if not self.samples or np.isfinite(curve).mean() < 0.1:
            return None
        place = int(np.nanargmax(curve))
        turn = place if place <= COLUMNS // 2 else place - COLUMNS
        near = [-2, -1, 0, 1, 2]
        middle = np.nanmedian(curve)
        noise = 1.4826 * float(np.nanmedian(np.abs(curve - middle)))
        return Fit(turn * STEP_DEG, float(curve[place] - middle), float(np.nanmax(curve[near]) - middle),
                   noise)

    def turned_deg(self) -> Optional[float]:
        """Returns how much farther to the right than lidar2cam says the camera looks; None if not."""
        fit = self.fit()
        if fit is None or fit.best < LEAST_CLEARNESS * fit.noise or fit.given > LARGEST_SHARE * fit.best:
            return None
        return fit.turn_deg if abs(fit.turn_deg) >= LEAST_TURN_DEG else None


def _cloud_cylinder(in_cam_m: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """Returns number, sum and sum of squares of the strengths by row and column."""
    reach_m = np.hypot(in_cam_m[:, 0], in_cam_m[:, 2])
    is_far = reach_m > NEAREST_M
    in_cam_m, reach_m, strengths = in_cam_m[is_far], reach_m[is_far], strengths[is_far]
    heading_deg = np.degrees(np.arctan2(in_cam_m[:, 0], in_cam_m[:, 2]))
    column = np.round(heading_deg / STEP_DEG).astype(int) % COLUMNS
    row = np.floor((in_cam_m[:, 1] / reach_m / STEEPEST + 1) * ROWS / 2).astype(int)
    is_in = (row >= 0) & (row < ROWS)
    cell, strengths = (row * COLUMNS + column)[is_in], strengths[is_in]
    return np.stack([np.bincount(cell, weights, ROWS * COLUMNS).reshape(ROWS, COLUMNS)
                     for weights in (np.ones(len(cell)), strengths, np.square(strengths))])


def _picture_cylinder(picture: np.ndarray, cam2img: np.ndarray) -> 'tuple[np.ndarray, np.ndarray]':
    """Returns vertical edges by row and column, and where the picture is."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    scale = min(1.0, PIXELS_PER_COLUMN / (cam2img[0, 0] * np.radians(STEP_DEG)))
    size = max(8, round(grey.shape[1] * scale)), max(8, round(grey.shape[0] * scale))
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    edges = np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0))
    edges = cv2.GaussianBlur(np.minimum(edges, np.percentile(edges, STRONGEST_PERCENTILE)), (0, 0), 1.0)
    edges = (edges - edges.mean()) / (edges.std() + 1e-6)
    angle = np.radians(np.arange(COLUMNS) * STEP_DEG)
    angle = np.where(angle > np.pi, angle - 2 * np.pi, angle)
    is_ahead = np.abs(angle) < np.radians(WIDEST_DEG)
    angle = np.where(is_ahead, angle, 0)
    height = (2 * (np.arange(ROWS) + 0.5) / ROWS - 1) * STEEPEST
    rays = np.stack(np.broadcast_arrays(np.tan(angle), height[:, None] / np.cos(angle), 1.0), axis=-1)
    u, v = np.moveaxis(rays @ cam2img[:2].T, -1, 0)
    # Integer coordinates are pixel centres.
    u, v = (u + 0.5) * size[0] / picture.shape[1] - 0.5, (v + 0.5) * size[1] / picture.shape[0] - 0.5
    is_seen = is_ahead[None] & (u >= 0) & (u <= size[0] - 1) & (v >= 0) & (v <= size[1] - 1)
    found = cv2.remap(edges, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR)
    return np.where(is_seen, found, 0.0), is_seen
