"""Tables of what the objects and clouds of several datasets are like, a column for each."""
from dataclasses import dataclass
from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np
from jaxtyping import Float, Int

from geminifusion3d.nuscenes_facts import CLASS_NAMES

from ..text_table import NOTHING, markdown_table

OTHER = 'other categories'
RANGE_EDGES_M = (0, 10, 20, 30, 40, 50, np.inf)
QUANTILES = (0.1, 0.5, 0.9)
# Faster than annotated objects at rest seem to be.
MOVING_MPS = 0.5
FEWEST = 5
# Readers drop nearer returns.
OWN_CAR_M = 1.0
POINTS_OF = ('car', 'truck', 'bus', 'pedestrian', 'barrier', 'traffic_cone', 'bicycle')
VISIBILITIES = ('0–40 %', '40–60 %', '60–80 %', '80–100 %')


@dataclass(frozen=True)
class Clouds:
    """LiDAR keyframes.

    Attributes:
        clouds: how many.
        rows: of all their files.
        range_m: of the returns that are not of the car itself.
        intensity: of these.
        elevation_deg: of these, above the sensor.
    """

    clouds: int
    rows: int
    range_m: Float[np.ndarray, ' p']
    intensity: Float[np.ndarray, ' p']
    elevation_deg: Float[np.ndarray, ' p']


@dataclass(frozen=True)
class World:
    """The annotated boxes of a dataset.

    Attributes:
        name: what the tables call it.
        keyframes: how many.
        classes: detection class of each box, or OTHER.
        lwh_m: length, width, height.
        distance_m: of the centre from the LiDAR, on the ground.
        speed_mps: over ground, NaN where unknown.
        num_points: of the keyframe's LiDAR inside, NaN where unknown.
        visibility: 1 to 4, 0 where unknown.
        clouds: its LiDAR keyframes, None where there are none.
    """

    name: str
    keyframes: int
    classes: np.ndarray
    lwh_m: Float[np.ndarray, 'n 3']
    distance_m: Float[np.ndarray, ' n']
    speed_mps: Float[np.ndarray, ' n']
    num_points: Float[np.ndarray, ' n']
    visibility: Int[np.ndarray, ' n']
    clouds: Optional[Clouds] = None


# The value of a row in a column.
Cell = Callable[[World], str]


def render(worlds: Sequence[World]) -> str:
    """Returns all tables as Markdown."""
    parts = []
    for title, rows in tables():
        lines = [[label, *(cell(world) for world in worlds)] for label, cell in rows]
        # What no source knows is no row.
        lines = [line for line in lines if set(line[1:]) != {NOTHING}]
        if lines:
            parts.append(markdown_table([title, *(world.name for world in worlds)], lines))
    return '\n\n'.join(parts)


def tables() -> List[Tuple[str, List[Tuple[str, Cell]]]]:
    """Returns titles and rows of all tables."""
    classes = [*CLASS_NAMES, OTHER]
    bins = list(zip(RANGE_EDGES_M, RANGE_EDGES_M[1:]))
    return [
        ('size of the sample', [('keyframes', lambda world: f'{world.keyframes:,}'),
                                ('boxes', lambda world: f'{len(world.classes):,}'),
                                ('boxes a keyframe', lambda world: (
                                    f'{len(world.classes) / world.keyframes:.1f}'))]),
        ('boxes a keyframe (share)', [(name, _frequency(name)) for name in classes]),
        ('length × width × height, m (spread of the length)', [(name, _size(name)) for name in classes[:-1]]),
        ('distance from the LiDAR, m', [
            *((f'{share:.0%} nearer than', _quantile(lambda world: world.distance_m, share, '.1f'))
              for share in QUANTILES),
            *((f'share {range_text(low, high)}', _share(lambda world, low=low, high=high: (
                world.distance_m >= low) & (world.distance_m < high))) for low, high in bins)]),
        ('LiDAR points inside, median', [
            *((f'{name}, {range_text(low, high)}', _points(name, low, high))
              for name in POINTS_OF for low, high in bins[:-1]),
            ('boxes without a point', _share(lambda world: world.num_points == 0,
                                             lambda world: np.isfinite(world.num_points)))]),
        ('moving, share (median, 90 % quantile in m/s)', [(name, _speed(name)) for name in classes[:-1]]),
        ('visibility', [(text, _share(lambda world, level=level: world.visibility == level,
                                      lambda world: world.visibility > 0))
                        for level, text in enumerate(VISIBILITIES, 1)]),
        ('LiDAR keyframes', [
            ('clouds', _of_clouds(lambda clouds: f'{clouds.clouds}')),
            ('rows a cloud', _of_clouds(lambda clouds: f'{clouds.rows / clouds.clouds:,.0f}')),
            (f'of the car itself or of nothing, within {OWN_CAR_M:.0f} m', _of_clouds(
                lambda clouds: f'{1 - len(clouds.range_m) / clouds.rows:.1%}')),
            *((f'{share:.0%} of the others nearer than, m', _of_clouds(
                lambda clouds, share=share: f'{np.quantile(clouds.range_m, share):.1f}'))
              for share in QUANTILES),
            *((f'{share:.0%} of their intensities below', _of_clouds(
                lambda clouds, share=share: f'{np.quantile(clouds.intensity, share):.0f}'))
              for share in QUANTILES),
            *((f'{share:.0%} of their elevations below, degrees', _of_clouds(
                lambda clouds, share=share: f'{np.quantile(clouds.elevation_deg, share):.1f}'))
              for share in (0.01, *QUANTILES))]),
    ]


def range_text(low_m: float, high_m: float) -> str:
    """Returns a bin of distances in words."""
    return f'{low_m:.0f}–{high_m:.0f} m' if np.isfinite(high_m) else f'beyond {low_m:.0f} m'


def _frequency(name: str) -> Cell:
    def cell(world: World) -> str:
        count = int((world.classes == name).sum())
        return f'{count / world.keyframes:.2f} ({count / len(world.classes):.1%})'
    return cell


def _size(name: str) -> Cell:
    def cell(world: World) -> str:
        sizes_m = world.lwh_m[world.classes == name]
        if len(sizes_m) < FEWEST:
            return NOTHING
        return ' × '.join(f'{side:.2f}' for side in sizes_m.mean(axis=0)) + f' ({sizes_m[:, 0].std():.2f})'
    return cell


def _points(name: str, low_m: float, high_m: float) -> Cell:
    def cell(world: World) -> str:
        is_in = (world.classes == name) & (world.distance_m >= low_m) & (world.distance_m < high_m)
        is_in &= np.isfinite(world.num_points)
        return f'{np.median(world.num_points[is_in]):.0f}' if is_in.sum() >= FEWEST else NOTHING
    return cell


def _speed(name: str) -> Cell:
    def cell(world: World) -> str:
        speeds = world.speed_mps[(world.classes == name) & np.isfinite(world.speed_mps)]
        if len(speeds) < FEWEST:
            return NOTHING
        moving = speeds[speeds > MOVING_MPS]
        text = f'{len(moving) / len(speeds):.0%}'
        if len(moving) < FEWEST:
            return text
        return text + f' ({np.median(moving):.1f}, {np.quantile(moving, 0.9):.1f})'
    return cell


def _quantile(values: Callable[[World], np.ndarray], share: float, form: str) -> Cell:
    return lambda world: f'{np.quantile(values(world), share):{form}}'


def _share(are_counted: Callable[[World], np.ndarray],
           are_known: Optional[Callable[[World], np.ndarray]] = None) -> Cell:
    def cell(world: World) -> str:
        known = are_known(world) if are_known else np.ones(len(world.classes), bool)
        return f'{are_counted(world)[known].mean():.1%}' if known.any() else NOTHING
    return cell


def _of_clouds(text: Callable[[Clouds], str]) -> Cell:
    return lambda world: NOTHING if world.clouds is None else text(world.clouds)
