"""The five radars: a few returns per object with Doppler velocity, in the devkit's PCD format.

One return is one packed row of 43 bytes; see `nuscenes/utils/data_classes.py` (RadarPointCloud) of
nuscenes-devkit 1.2.0 for the meaning of each field. A file ends with a newline after the last row,
as the devkit's reader demands.
"""
import numpy as np

from .world import Moment, World

_ROW = np.dtype([('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('dyn_prop', 'i1'), ('id', '<i2'),
                 ('rcs', '<f4'), ('vx', '<f4'), ('vy', '<f4'), ('vx_comp', '<f4'),
                 ('vy_comp', '<f4'), ('is_quality_valid', 'i1'), ('ambig_state', 'i1'),
                 ('x_rms', 'i1'), ('y_rms', 'i1'), ('invalid_state', 'i1'), ('pdh0', 'i1'),
                 ('vx_rms', 'i1'), ('vy_rms', 'i1')])
_MAX_RETURNS = 125
_MAX_RANGE_M = 200.0
_FIELD_OF_VIEW = np.deg2rad(62)
_UNAMBIGUOUS = 3
_MOVING, _STATIONARY = 0, 1
_MOVING_MPS = 0.3


def _beams() -> np.ndarray:
    azimuth = np.linspace(-_FIELD_OF_VIEW, _FIELD_OF_VIEW, 180)
    elevation = np.deg2rad([-3.0, 0.0, 4.0])
    directions = np.empty((len(azimuth), len(elevation), 3))
    directions[..., 0] = np.cos(azimuth)[:, None] * np.cos(elevation)
    directions[..., 1] = np.sin(azimuth)[:, None] * np.cos(elevation)
    directions[..., 2] = np.sin(elevation)
    return directions.reshape(-1, 3)


BEAMS = _beams()


def _pick_returns(hits_object: np.ndarray, usable: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Chooses which beams become returns: at most three per object, none from the ground."""
    order = rng.permutation(np.flatnonzero(usable & (hits_object > 0)))
    seen: 'dict[int, int]' = {}
    chosen = []
    for beam in order:
        owner = int(hits_object[beam])
        if seen.get(owner, 0) < 3 and rng.random() < 0.7:
            seen[owner] = seen.get(owner, 0) + 1
            chosen.append(beam)
    return np.sort(np.array(chosen[:_MAX_RETURNS], int))


def sense(world: World, moment: Moment, local_from_radar: np.ndarray, ego_velocity_mps: np.ndarray,
          rng: np.random.Generator) -> np.ndarray:
    """Returns the radar returns as a structured array of packed rows.

    vx, vy: radial velocity relative to the sensor; vx_comp, vy_comp: radial velocity over ground.

    Args:
        world: velocities of the objects.
        moment: the scene at the radar's time.
        local_from_radar: sensor pose (4, 4) in the world's local frame.
        ego_velocity_mps: velocity (2,) of the car in the local frame.
        rng: noise of this measurement.
    """
    rotation = local_from_radar[:3, :3]
    directions = BEAMS @ rotation.T
    hits = moment.cast(local_from_radar[:3, 3], directions)
    beams = _pick_returns(hits.object_index, hits.is_hit & (hits.range_m < _MAX_RANGE_M), rng)
    rows = np.zeros(len(beams), _ROW)
    range_m = hits.range_m[beams] + rng.normal(0, 0.08, len(beams))
    spot = BEAMS[beams] * range_m[:, None]
    rows['x'], rows['y'] = spot[:, 0], spot[:, 1]
    velocity = world.velocity_mps[hits.object_index[beams]]
    ego = np.array([*ego_velocity_mps, 0.0])
    noise = rng.normal(0, 0.06, len(beams))
    over_ground = (velocity * directions[beams]).sum(1) + noise
    relative = over_ground - directions[beams] @ ego
    flat = BEAMS[beams, :2] / np.linalg.norm(BEAMS[beams, :2], axis=1, keepdims=True)
    rows['vx'], rows['vy'] = (relative[:, None] * flat).T
    rows['vx_comp'], rows['vy_comp'] = (over_ground[:, None] * flat).T
    is_moving = np.linalg.norm(velocity, axis=1) > _MOVING_MPS
    rows['dyn_prop'] = np.where(is_moving, _MOVING, _STATIONARY)
    rows['id'] = np.arange(len(beams))
    area = np.prod(world.size_m[hits.object_index[beams]][:, 1:], axis=1)
    rows['rcs'] = (10 * np.log10(area + 0.1) + rng.normal(0, 2, len(beams))).round(1)
    rows['is_quality_valid'], rows['ambig_state'] = 1, _UNAMBIGUOUS
    rows['x_rms'], rows['y_rms'], rows['pdh0'] = 19, 19, 1
    rows['vx_rms'], rows['vy_rms'] = 3, 3
    return rows


def to_pcd(rows: np.ndarray) -> bytes:
    """Returns the bytes of a radar file; a cloud without returns is one row of NaN."""
    if len(rows) == 0:
        rows = np.zeros(1, _ROW)
        for name in _ROW.names or ():
            if _ROW[name].kind == 'f':
                rows[name] = np.nan
    kinds = ' '.join('F' if _ROW[name].kind == 'f' else 'I' for name in _ROW.names or ())
    sizes = ' '.join(str(_ROW[name].itemsize) for name in _ROW.names or ())
    header = (
        f'# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS {" ".join(_ROW.names or ())}\nSIZE '
        f'{sizes}\nTYPE {kinds}\nCOUNT {" ".join("1" for _ in _ROW.names or ())}\nWIDTH {len(rows)}\nHEIGHT '
        f'1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(rows)}\nDATA binary\n')
    return header.encode() + rows.tobytes() + b'\n'
