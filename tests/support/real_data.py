"""Real data that is never part of the project: tests that ask for it skip where it is absent."""
import os
from pathlib import Path

import pytest

VARIABLE = 'GEMINIFUSION3D_REAL_DATA'
BESIDE = Path(__file__).resolve().parents[3] / 'shared' / 'real'


def real_data(name: str) -> Path:
    """Returns a folder of real data.

    Args:
        name: for example nuscenes_mini_val_tables.
    """
    path = Path(os.environ.get(VARIABLE, BESIDE)) / name
    if not path.exists():
        pytest.skip(f'no real data at {path}: put it there or set ${VARIABLE} to the folder that holds '
                    f'{name}')
    return path
