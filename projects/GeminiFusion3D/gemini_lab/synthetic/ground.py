"""How the ground looks from above: asphalt, markings, zebra crossings, pavements, open blocks."""
from typing import NamedTuple

import numpy as np

from .city import HALF_WIDTH_M, PAVEMENT_EDGE_M, City
from .seeding import make_rng

_CELL_M = 0.125
_MARGIN_M = 75.0
_FAR_COLOR = (70, 70, 72)
# Distances from the centre of a crossing street: from where to where zebra crossings reach, and from where
# on markings run free. Distances from a street's own centre: of the line along parked cars, and how far from
# the kerb a zebra crossing ends.
ZEBRA_M = (HALF_WIDTH_M + 1, HALF_WIDTH_M + 4)
FREE_FROM_M = HALF_WIDTH_M + 5
PARKING_LINE_M = 4.6
ZEBRA_MARGIN_M = 0.4


class GroundPaint(NamedTuple):
    """A picture of the ground: image (rows, columns, 3) uint8 RGB, row 0 at the lowest y.

    low_xy_m: local coordinates of the picture's corner.
    """

    image: np.ndarray
    low_xy_m: np.ndarray

    def colors_at(self, xy_m: np.ndarray) -> np.ndarray:
        """Returns the colours (n, 3) in 0..1 at local points (n, 2)."""
        cell = ((xy_m - self.low_xy_m) * (1 / _CELL_M)).astype(np.int32)
        rows, columns = self.image.shape[:2]
        inside = ((cell >= 0) & (cell < (columns, rows))).all(1)
        flat = np.where(inside, cell[:, 1] * columns + cell[:, 0], 0)
        colors = self.image.reshape(-1, 3)[flat].astype(np.float32)
        colors[~inside] = _FAR_COLOR
        return colors / np.float32(255)


def _street_lines(image: np.ndarray, across: np.ndarray, along: np.ndarray) -> None:
    """Paints markings into rows (y) and columns (x) of an image.

    Args:
        image: (rows, columns, 3), painted in place; columns are across the streets.
        across: (columns,) distance to the nearest parallel centre line.
        along: (rows, 2): distance to the nearest crossing centre line, and the coordinate.
    """
    distance, coordinate = along[:, 0], along[:, 1]
    is_free = distance > FREE_FROM_M
    is_dash = is_free & (coordinate % 6.0 < 3.0)
    image[np.ix_(is_dash, across < 0.09)] = (205, 180, 60)
    image[np.ix_(is_free, np.abs(across - PARKING_LINE_M) < 0.07)] = (190, 190, 190)
    is_zebra = (distance > ZEBRA_M[0]) & (distance < ZEBRA_M[1])
    bars = (across < HALF_WIDTH_M - ZEBRA_MARGIN_M) & (across % 1.2 < 0.6)
    image[np.ix_(is_zebra, bars)] = (200, 200, 200)


def paint_ground(city: City, origin_xy_m: np.ndarray, path_xy_m: np.ndarray) -> GroundPaint:
    """Paints the ground around a path.

    Args:
        city: streets in the global frame.
        origin_xy_m: global position of the local frame.
        path_xy_m: the ego's path (n, 2) in the global frame.
    """
    low, high = path_xy_m.min(0) - _MARGIN_M, path_xy_m.max(0) + _MARGIN_M
    x_m, y_m = (np.arange(start + _CELL_M / 2, end, _CELL_M) for start, end in zip(low, high))
    to_x = np.abs(x_m[:, None] - city.x_m).min(1)
    to_y = np.abs(y_m[:, None] - city.y_m).min(1)
    nearest = np.minimum(to_x[None, :], to_y[:, None])
    column = np.searchsorted(city.x_m, x_m).clip(1, len(city.x_m) - 1) - 1
    row = np.searchsorted(city.y_m, y_m).clip(1, len(city.y_m) - 1) - 1
    is_open = city.is_open_block[column[None, :], row[:, None]]
    shade = np.where(is_open, 128, 96)
    image = np.stack([shade, np.where(is_open, 122, 106), np.where(is_open, 112, 78)], 2)
    image[nearest < PAVEMENT_EDGE_M] = (150, 148, 143)
    image[nearest < HALF_WIDTH_M + 0.15] = (175, 175, 172)
    is_asphalt = nearest < HALF_WIDTH_M
    image[is_asphalt] = (72, 72, 76)
    joints = ((x_m % 1.5 < _CELL_M)[None, :] | (y_m % 1.5 < _CELL_M)[:, None]) & ~is_asphalt
    image[joints & (nearest < PAVEMENT_EDGE_M)] -= 25
    _street_lines(image, to_x, np.stack([to_y, y_m], 1))
    _street_lines(image.transpose(1, 0, 2), to_y, np.stack([to_x, x_m], 1))
    rng = make_rng(0, city.location, 'ground grain')
    coarse = np.kron(rng.normal(0, 5, (len(y_m) // 16 + 1, len(x_m) // 16 + 1)), np.ones((16, 16)))
    grain = coarse[:len(y_m), :len(x_m)] + rng.normal(0, 5, nearest.shape)
    painted = (image + grain[..., None]).clip(0, 255).astype(np.uint8)
    return GroundPaint(painted, low - origin_xy_m)
