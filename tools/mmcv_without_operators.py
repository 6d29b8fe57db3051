"""Stands in for mmcv's compiled operators: `make setup` puts a copy beside mmcv, as mmcv/_ext.py.

mmdet3d imports every operator of mmcv when it is itself imported. This project's models call none of them.
"""


def __getattr__(name: str):
    if name.startswith('__'):
        raise AttributeError(name)

    def refuse(*args, **kwargs):
        raise NotImplementedError(f'mmcv was installed without compiled operators, and {name} was called; '
                                  'compile them: `make setup MMCV_OPS=1`')
    return refuse
