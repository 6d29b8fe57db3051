"""Labels of BEV cells in the (augmented) LiDAR frame: from the map of nuScenes, or from a file per sample.

Either stands behind the augmentation of the scene, whose matrix it follows. It adds `gt_cells`, (K, Y, X)
uint8 of 0, 1 and 255 (unknown), `cell_grid` and `cell_classes`.

Source of the map labels: MIT's BEVFusion, mmdet3d/datasets/pipelines/loading.py, LoadBEVSegmentation.
"""
import io
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Union

import cv2
import numpy as np
from jaxtyping import UInt8
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ..errors import UserError
from ..geometry.bev_grid import UNKNOWN, BEVGrid
from ..nuscenes_facts import MAP_CLASSES
from ..picture_files import look_at
from ..point_files import check_same_file
from .map_expansion import cells_from_global, known_layer, open_map


@TRANSFORMS.register_module()
class GeminiLoadMapCells(BaseTransform):
    """Draws the map of nuScenes around the keyframe into cells.

    Args:
        data_root: of the dataset; the maps are `maps/expansion/<location>.json` below it.
        cell_grid: `range_m` and `cell_m` of the cells.
        classes: of MIT's BEVFusion (`MAP_CLASSES`), or layers of the map by their own names.

    Raises:
        ValueError: if a class is neither.
    """

    def __init__(self, *, data_root: str, cell_grid: Mapping[str, Any], classes: Sequence[str]) -> None:
        unknown = [name for name in classes if name not in MAP_CLASSES and not known_layer(name)]
        if unknown or not classes:
            raise ValueError(f'got the map class {", ".join(unknown) or "(none)"}; expected some of '
                             f'{", ".join(MAP_CLASSES)}, or layers of the map expansion')
        self.data_root, self.cell_grid = data_root, BEVGrid.from_config(cell_grid)
        self.layers_of = {name: MAP_CLASSES.get(name, (name, )) for name in classes}
        self.layers = tuple(dict.fromkeys(layer for layers in self.layers_of.values() for layer in layers))

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Adds the labels.

        Args:
            results: with `location`, `ego2global`, `lidar2ego`, `lidar_aug_matrix`.

        Raises:
            UserError: if the record does not say where it was recorded, or there is no map of that place.
        """
        absent = [key for key in ('location', 'ego2global', 'lidar2ego') if results.get(key) is None]
        if absent:
            raise UserError(f'keyframe {results.get("token")} has no {", ".join(absent)}, by which its map '
                            'is found; write the info file again with gemini3d convert')
        world = open_map(str(self.data_root), results['location'], self.layers)
        global_from_lidar = np.asarray(results['ego2global'], float) @ np.asarray(results['lidar2ego'], float)
        place_m = global_from_lidar[:2, 3]
        if not ((place_m >= 0) & (place_m <= world.extent_m)).all():
            raise UserError(f'keyframe {results.get("token")} lies at {np.round(place_m).tolist()} m, '
                            f'outside the map {world.path} of {world.extent_m.tolist()} m: does its log name '
                            'the right location?')
        matrix = cells_from_global(
            global_from_lidar,
            np.asarray(results['lidar_aug_matrix'], float), self.cell_grid)
        cells = np.zeros((len(self.layers_of), *self.cell_grid.shape_yx), np.uint8)
        for target, layers in zip(cells, self.layers_of.values()):
            for layer in layers:
                drawn = np.zeros_like(target)
                world.draw(layer, self.cell_grid, matrix, drawn)
                target |= drawn
        return {**results, 'gt_cells': cells, 'cell_grid': self.cell_grid,
                'cell_classes': tuple(self.layers_of)}


@TRANSFORMS.register_module()
class GeminiLoadCellFile(BaseTransform):
    """Reads any labels of cells from the file that a record names in `cells`.

    A file is a PNG or .npy of (Y, X) class numbers, or a .npy of (K, Y, X) zeros and ones where a cell may
    have several classes (or a column several heights); row 0 is the lowest y, column 0 the lowest x in LiDAR
    coordinates. 255 is unknown, and so is what lies outside the file.

    Args:
        file_grid: `range_m` and `cell_m` of the files.
        cell_grid: of the cells that the model labels; each takes what the file says at its centre.
        classes: names of the numbers 0, 1, ...

    Raises:
        ValueError: if there are no classes, or too many for the numbers.
    """

    def __init__(self, *, file_grid: Mapping[str, Any], cell_grid: Mapping[str, Any], classes: Sequence[str]
                 ) -> None:
        if not 0 < len(classes) <= UNKNOWN:
            raise ValueError(f'got {len(classes)} classes; expected 1 to {UNKNOWN}')
        self.file_grid, self.cell_grid = BEVGrid.from_config(file_grid), BEVGrid.from_config(cell_grid)
        self.classes = tuple(classes)

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Adds the labels.

        Args:
            results: with `cells`, a path or the array itself, and `lidar_aug_matrix`.

        Raises:
            UserError: if there is no such file, or it holds something else.
        """
        source = results.get('cells')
        if source is None:
            raise UserError(f'sample {results.get("token")} names no cells; expected the path of its label '
                            'file, relative to the data root')
        labels = self._checked(read_cells(source, results.get('cells_crc32'))
                               if isinstance(source, (str, Path)) else source, source)
        lidar_from_augmented = np.linalg.inv(np.asarray(results['lidar_aug_matrix'], float))
        centres_m = self.cell_grid.centres_m().double().numpy()
        xy_m = centres_m @ lidar_from_augmented[:2, :2].T + lidar_from_augmented[:2, 3]
        places = np.floor((xy_m - self.file_grid.range_m[:2]) / self.file_grid.cell_m)
        column, row = np.moveaxis(places, -1, 0)
        is_inside = (column >= 0) & (column < self.file_grid.n_x) & (row >= 0) & (row < self.file_grid.n_y)
        # Outside a number that stays in the array; what it reads there is not used.
        column, row = (np.where(is_inside, place, 0).astype(int) for place in (column, row))
        cells = np.where(is_inside, labels[:, row, column], np.uint8(UNKNOWN))
        return {**results, 'gt_cells': cells, 'cell_grid': self.cell_grid, 'cell_classes': self.classes}

    def _checked(self, labels: np.ndarray, source: Any) -> UInt8[np.ndarray, 'k y x']:
        """Returns one layer of 0, 1 and 255 per class."""
        name = source if isinstance(source, (str, Path)) else 'the array'
        count, shape_yx = len(self.classes), self.file_grid.shape_yx
        if labels.shape not in (shape_yx, (count, *shape_yx)) or labels.dtype.kind not in 'uib':
            raise UserError(f'the labels {name} have the shape {labels.shape} of {labels.dtype}; expected '
                            f'whole numbers, {shape_yx} or {(count, *shape_yx)}, as file_grid and classes '
                            'say')
        highest = count if labels.ndim == 2 else 2
        odd = labels[(labels != UNKNOWN) & ((labels < 0) | (labels >= highest))]
        if odd.size:
            raise UserError(f'the labels {name} hold {odd[0]}; expected 0 to {highest - 1}, or {UNKNOWN} '
                            'where the label is unknown')
        if labels.ndim == 3:
            return labels.astype(np.uint8)
        layers = (labels == np.arange(count)[:, None, None]).astype(np.uint8)
        return np.where(labels == UNKNOWN, np.uint8(UNKNOWN), layers)


def read_cells(path: Union[str, Path], crc32: Optional[int] = None) -> np.ndarray:
    """Returns the numbers in a file of labels.

    Args:
        path: a PNG or .npy file.
        crc32: of the file, as a record says it; None where nobody knows.

    Raises:
        UserError: if it cannot be read, is another one, or is no such file.
    """
    try:
        data = Path(path).read_bytes()
        check_same_file('it', data, crc32)
        if Path(path).suffix == '.npy':
            return np.load(io.BytesIO(data), allow_pickle=False)
        # OpenCV fills what is cut off with zeros, and a JPEG smears numbers.
        facts = look_at(data, checks_sums=True)
        if facts.is_jpeg or facts.problem:
            raise ValueError('is no PNG' if facts.is_jpeg else f'is {facts.problem}')
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, ValueError, EOFError, cv2.error) as error:
        raise UserError(f'the labels {path} cannot be read ({error}); expected a PNG or .npy file') from error
    if image is None:
        raise UserError(f'the labels {path} are no picture; expected a PNG of one channel or a .npy file')
    return image
