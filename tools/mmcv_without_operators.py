"""Stands in for mmcv's compiled operators: `make setup MMCV_OPS=0` puts a copy beside mmcv, as mmcv/_ext.py.

mmdet3d imports every operator of mmcv when it is itself imported, and calls few. Of this project's models
only TransFusion's training (rotated overlaps) and the anchor head (rotated non-maximum suppression) do.
"""


def __getattr__(name: str):
    if name.startswith('__'):
        raise AttributeError(name)

    def refuse(*args, **kwargs):
        raise NotImplementedError(f'mmcv was installed without compiled operators, and {name} was called; '
                                  'compile them: `make setup MMCV_OPS=1`')
    return refuse
