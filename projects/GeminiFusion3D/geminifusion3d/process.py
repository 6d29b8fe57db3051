"""What a process needs before torch and mmengine are imported: threads that sleep, a home, a short start."""
import os
import sys
import tempfile
from importlib import import_module
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

# Rounds that a thread of GNU's OpenMP runtime, which PyTorch brings, spins before it sleeps. A step of the
# demo on two cores takes 0.43 s on a quiet machine and 3.7 s among eight programs; with 1,000 rounds 0.54 and
# 1.4 s, for machines that are never quiet; as libgomp does by itself, 23 s among eight programs.
SPIN_COUNT = 10_000


def limit_spinning() -> None:
    """Makes waiting threads sleep soon; to be called before torch is imported.

    By default they spin: while another program has the processor of the one that they wait for, minutes are
    lost in a training step of half a second. Whoever has set one of the two variables is obeyed.
    """
    if not {'GOMP_SPINCOUNT', 'OMP_WAIT_POLICY'} & set(os.environ):
        os.environ['GOMP_SPINCOUNT'] = str(SPIN_COUNT)


def ensure_home() -> None:
    """Gives a user without a name and without $HOME, as containers start them, a folder for caches.

    What mmengine imports asks for one. It is private: libraries read programs from their caches.
    """
    if os.path.expanduser('~') != '~':
        return
    home = Path(tempfile.gettempdir()) / f'geminifusion3d-home-{os.getuid()}'
    try:
        home.mkdir(mode=0o700, exist_ok=True)
        found = home.lstat()
        if found.st_uid != os.getuid() or found.st_mode & 0o077 or home.is_symlink():
            raise OSError(f'{home} belongs to somebody else')
    except OSError:
        home = Path(tempfile.mkdtemp(prefix='geminifusion3d-home-'))
    os.environ['HOME'] = str(home)


class _WithoutKernels(MetaPathFinder):
    """Looks on while modules are searched, and finds none itself."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        """Empties spconv's lists of kernels before `spconv.algo` reads them, where there is no GPU."""
        if fullname == 'spconv.algo':
            import torch
            if not torch.cuda.is_available():
                core: Any = import_module('spconv.core')
                core.ALL_NATIVE_PARAMS, core.ALL_IMPGEMM_PARAMS = [], []


def spare_kernels() -> None:
    """Keeps spconv from describing its CUDA kernels at its import where there is no GPU, a third of a start.

    On a CPU its convolutions use none of them (lidar_bev/spconv_cpu.py).
    """
    if not any(isinstance(finder, _WithoutKernels) for finder in sys.meta_path):
        sys.meta_path.insert(0, _WithoutKernels())
