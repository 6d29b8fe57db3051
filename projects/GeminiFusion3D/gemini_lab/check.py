"""Checks that this environment can run the project: `make setup` ends with it.

Versions against the pins, imports, a sparse convolution and an mmcv operator forward and
backward, the device, free disk space; where PyTorch sees a GPU also a sparse convolution, the Triton splat
and GeminiFusion there. Each problem comes with its remedy. The slow checks run in processes of their own,
side by side: a library that crashes the interpreter is a finding too.

Example:
    gemini3d check
    gemini3d check --json
"""
import argparse
import importlib.util
import json
import runpy
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Iterator, List, Sequence

from packaging.requirements import Requirement

from geminifusion3d.cli import PACKAGE

REPO = Path(__file__).resolve().parents[3]
PIN_FILES = ('torch.txt', 'mmcv.txt', 'runtime.txt', 'tests.txt')
PROBES = ('mmcv', 'spconv', 'data', 'plugin')
# Each with its remedy: on a GPU it is one library that fails, and this says which.
CUDA_PROBES = {
    'cuda_spconv': 'install the spconv that fits the driver, spconv-cu126 or spconv-cu120 (docs/install.md); '
                   'recipes with a LiDAR cannot run on this GPU before',
    'cuda_splat': 'Triton must fit torch and find a C compiler (CC or gcc): install a compiler, or torch '
                  'with the triton that it asks for; recipes with cameras cannot run on this GPU before',
    'cuda_fusion': 'torch itself does not work on this GPU: install a torch built for the CUDA version that '
                   '`nvidia-smi` shows'}
SPCONV_ON_CPU = PACKAGE / 'lidar_bev' / 'spconv_cpu.py'
REINSTALL = 'run `make setup`; if it says that all is up to date, `make clean-venv setup`'
# All tests are run with these, those of CI with the first.
TESTED = ((3, 10), (3, 11))
NUMPY_2_REMEDY = 'spconv-cu120 does not run with numpy 2: `pip install "numpy<2"`, or use spconv-cu126'
NO_GPU = 'no CUDA device'
MIN_FREE_GB = 5.0


@dataclass(frozen=True)
class Finding:
    """One checked fact: `state` is 'ok', 'note' (works, but read it) or 'problem'."""
    name: str
    state: str
    detail: str
    remedy: str = ''


def read_pins(requirements_dir: Path) -> Iterator[List[str]]:
    """Yields [package, version, file name] of every pinned direct dependency."""
    for file_name in PIN_FILES:
        for line in (requirements_dir / file_name).read_text().splitlines():
            pin = None if not line or line.startswith('#') else Requirement(line)
            if pin and (pin.marker is None or pin.marker.evaluate()):
                yield [pin.name, str(pin.specifier).removeprefix('=='), file_name]


def check_python() -> Finding:
    """The compiled dependencies have wheels for Python 3.10 to 3.13; CI tests the oldest in full."""
    version = '.'.join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] in TESTED:
        return Finding('Python', 'ok', version)
    if (3, 10) <= sys.version_info[:2] <= (3, 13):
        return Finding('Python', 'note', f'{version}; tested in full with 3.10 and 3.11')
    return Finding('Python', 'problem', f'{version}, expected 3.10 to 3.13',
                   'install Python 3.11, then `make clean-venv setup PYTHON=/path/to/python3.11`')


def check_versions(requirements_dir: Path) -> Iterator[Finding]:
    """Compares what is installed with the pins; another torch build is allowed, and said."""
    wrong = []
    for package, pinned, file_name in read_pins(requirements_dir):
        try:
            installed = installed_version(package)
        except metadata.PackageNotFoundError:
            wrong.append(f'{package} {pinned} is not installed')
            continue
        if installed.split('+')[0] == pinned:
            continue
        if file_name == 'torch.txt' or package.startswith('spconv-'):
            yield Finding(f'{package} version', 'note', f'{installed}; tested with {pinned}')
        else:
            wrong.append(f'{package} is {installed}, pinned to {pinned}')
    state, detail = ('problem', '; '.join(wrong)) if wrong else ('ok', 'as pinned')
    yield Finding('package versions', state, detail, REINSTALL if wrong else '')


def installed_version(package: str) -> str:
    """Returns a package's version, or that of what stands in for it: mmcv-lite, another build of spconv.

    PackageNotFoundError if neither is installed.
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        kin = {'mmcv': 'mmcv-lite', 'spconv': 'spconv-'}.get(package.split('-')[0])
        for found in metadata.distributions():
            if kin and found.metadata['Name'].startswith(kin):
                return found.version
        raise


def check_disk(folder: Path) -> Finding:
    """Datasets and checkpoints need room."""
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb >= MIN_FREE_GB:
        return Finding('free disk space', 'ok', f'{free_gb:.0f} GB')
    return Finding('free disk space', 'note', f'{free_gb:.1f} GB, wanted {MIN_FREE_GB:.0f}',
                   'free some, or keep data/ and work_dirs/ on another disk (symbolic links)')


def probe_mmcv() -> Iterator[Finding]:
    """mmcv with its operators beside the OpenMMLab packages, and the device."""
    import mmcv
    import mmdet
    import mmdet3d
    import mmengine
    import torch
    yield Finding('OpenMMLab packages', 'ok', f'mmengine {mmengine.__version__}, mmcv '
                  f'{mmcv.__version__}, mmdet {mmdet.__version__}, mmdet3d {mmdet3d.__version__}')
    if importlib.util.find_spec('mmcv._ext').origin.endswith('.py'):
        yield Finding('mmcv operators', 'ok', 'not compiled; this project calls none. For models of mmdet3d '
                      'that do: `make setup MMCV_OPS=1`')
    else:
        yield _check_mmcv_operator()
    if torch.cuda.is_available():
        device = f'{torch.cuda.get_device_name()} (CUDA {torch.version.cuda})'
    else:
        device = f'CPU with {torch.get_num_threads()} threads; {NO_GPU}'
    yield Finding('device', 'ok', device)


def _check_mmcv_operator() -> Finding:
    import torch
    from mmcv.ops import roi_align
    image = torch.arange(64.).reshape(1, 1, 8, 8).requires_grad_()
    box = torch.tensor([[0., 1., 1., 5., 5.]])
    pooled = roi_align(image, box, (2, 2), 1.0, 0, 'avg', True)
    gradient, = torch.autograd.grad(pooled.sum(), image)
    # The image is 8 y + x; the box spans 0.5 to 4.5 in y and x, so the four cells' centres are
    # (1.5, 1.5), (1.5, 3.5), (3.5, 1.5), (3.5, 3.5). Each output's gradient sums to one.
    expected = torch.tensor([[13.5, 15.5], [29.5, 31.5]])
    return judged('mmcv operators', [(pooled[0, 0], expected), (gradient.sum(), torch.tensor(4.))],
                  'delete the cached mmcv wheel (`make clean-wheels`), then `make clean-venv setup` compiles '
                  'it again')


def probe_spconv() -> Iterator[Finding]:
    """A sparse convolution on the CPU, forward and backward, against the dense one."""
    import numpy as np

    # The module alone: importing the whole plugin is another check, and takes its time.
    runpy.run_path(str(SPCONV_ON_CPU))['enable_spconv_on_cpu']()
    from cumm import tensorview

    # What implicit GEMM does with its masks on a GPU; spconv-cu120 ends in SIGFPE here where numpy is 2.
    tensorview.from_numpy(np.arange(4, dtype=np.uint32)).clone()
    yield compare_sparse_with_dense('cpu')


def compare_sparse_with_dense(device: str) -> Finding:
    """Compares a sparse convolution where every cell is occupied with the dense one, forward and backward."""
    import spconv.pytorch as spconv
    import torch
    torch.manual_seed(0)
    algorithm = spconv.ConvAlgo.Native if device == 'cpu' else spconv.ConvAlgo.MaskImplicitGemm
    conv = spconv.SubMConv3d(16, 16, 3, bias=False, algo=algorithm).to(device)
    cells = torch.stack(torch.meshgrid(*[torch.arange(4)] * 3, indexing='ij'), -1).reshape(-1, 3)
    indices = torch.cat([torch.zeros(len(cells), 1), cells], dim=1).int().to(device)
    features = torch.randn(len(cells), 16).to(device).requires_grad_()
    sparse = conv(spconv.SparseConvTensor(features, indices, [4, 4, 4], 1)).dense()
    dense_in = features.reshape(4, 4, 4, 16).permute(3, 0, 1, 2)[None]
    dense = torch.nn.functional.conv3d(dense_in, conv.weight.permute(0, 4, 1, 2, 3), padding=1)
    weighting = torch.randn_like(dense)
    grads = [torch.autograd.grad((out * weighting).sum(), features, retain_graph=True)[0]
             for out in (sparse, dense)]
    on_gpu = device == 'cuda'
    return judged('sparse convolution' + (' on the GPU' if on_gpu else ''), [(sparse, dense), grads],
                  CUDA_PROBES['cuda_spconv'] if on_gpu else REINSTALL)


def probe_data() -> Iterator[Finding]:
    """The devkit and the ray caster."""
    import embreex
    import nuscenes.nuscenes
    import trimesh
    names = [module.__name__ for module in (nuscenes.nuscenes, embreex, trimesh)]
    yield Finding('devkit, ray caster', 'ok', f'import {", ".join(names)}')


def probe_plugin() -> Iterator[Finding]:
    """This project's own packages: all modules of the detector are registered, metrics can be built."""
    # Where mmengine looks for every metric; needs lyft-dataset-sdk, which mmdet3d requires.
    import mmdet3d.evaluation  # noqa: F401

    from geminifusion3d import registered
    yield Finding('plugin', 'ok', f'import {registered.__name__}')


def probe_cuda_spconv() -> Iterator[Finding]:
    """A sparse convolution on the GPU, forward and backward, against the dense one."""
    yield compare_sparse_with_dense('cuda')


def probe_cuda_splat(device: str = 'cuda') -> Iterator[Finding]:
    """The splat's Triton kernels, forward and backward, against PyTorch's operators on the CPU."""
    import torch

    from geminifusion3d.ops.splat import splat
    from geminifusion3d.ops.splat_plan import plan_splat
    torch.manual_seed(0)
    features, weights = torch.randn(4, 3, 8), torch.rand(4, 5, 3)
    cells, upstream = torch.randint(-1, 6, (4, 5, 3)), torch.randn(6, 8)
    found = []
    for place in (device, 'cpu'):
        leaves = [one.to(place).requires_grad_() for one in (features, weights)]
        bev = splat(*leaves, plan_splat(cells.to(place), 6))
        found.append([bev, *torch.autograd.grad(bev, leaves, upstream.to(place))])
    yield judged('splat on the GPU', list(zip(*found)), CUDA_PROBES['cuda_splat'])


def probe_cuda_fusion(device: str = 'cuda') -> Iterator[Finding]:
    """A step of GeminiFusion on the GPU against the CPU: outputs and gradients."""
    import torch

    from geminifusion3d.fusion import GeminiFusion
    torch.manual_seed(0)
    fuser, maps = GeminiFusion(channels=16, heads=2), torch.randn(2, 2, 16, 5, 3)
    found = []
    for place in (device, 'cpu'):
        leaf = maps.to(place).requires_grad_()
        fused = fuser.to(place)(*leaf)
        found.append([fused, *torch.autograd.grad(fused.square().sum(), leaf)])
    yield judged('GeminiFusion on the GPU', list(zip(*found)), CUDA_PROBES['cuda_fusion'])


def judged(name: str, pairs: Sequence[Sequence[Any]], remedy: str) -> Finding:
    """Compares results with expected ones.

    Args:
        name: of the finding.
        pairs: each a result and what is expected; tensors of one shape.
        remedy: what to do where they differ by more than rounding, TF32's on a GPU.
    """
    limit = 5e-3 if any(tensor.is_cuda for tensor in pairs[0]) else 1e-4
    numbers = [(a.detach().cpu(), b.detach().cpu()) for a, b in pairs]
    errors = [float((a - b).abs().max() / b.abs().max()) for a, b in numbers]
    detail = f'forward and backward, relative error {max(errors):.0e}'
    # Not `error > limit`: NaN is a problem too.
    if all(error <= limit for error in errors):
        return Finding(name, 'ok', detail)
    return Finding(name, 'problem', f'{detail}, expected {limit:g} at most', remedy)


def start_probe(name: str) -> 'subprocess.Popen[str]':
    """Starts one slow check in its own process."""
    command = [sys.executable, '-W', 'ignore', '-m', PACKAGE.name, 'check', '--probe', name]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish_probe(name: str, process: 'subprocess.Popen[str]') -> List[Finding]:
    """Waits for a check; a crash or an exception becomes a finding."""
    stdout, stderr = process.communicate()
    findings = [Finding(**json.loads(line)) for line in stdout.splitlines() if line[:1] == '{']
    if process.returncode != 0:
        last_line = (stderr.strip().splitlines() or ['no message'])[-1]
        how = f'was killed by signal {-process.returncode}' if process.returncode < 0 else 'failed'
        is_numpy_2 = (name, process.returncode) == ('spconv', -signal.SIGFPE)
        remedy = NUMPY_2_REMEDY if is_numpy_2 else CUDA_PROBES.get(name, REINSTALL)
        findings.append(Finding(f'{name} check', 'problem', f'{how}: {last_line}', remedy))
    return findings


def check_all(probes: Sequence[str] = PROBES) -> List[Finding]:
    """Runs every check; the order of the findings does not depend on timing."""
    processes = {name: start_probe(name) for name in probes}
    findings = [check_python(), *check_versions(REPO / 'requirements'), check_disk(REPO)]
    for name, process in processes.items():
        findings += finish_probe(name, process)
    if any(finding.name == 'device' and NO_GPU not in finding.detail for finding in findings):
        for name, process in {name: start_probe(name) for name in CUDA_PROBES}.items():
            findings += finish_probe(name, process)
    return findings


def show(findings: List[Finding]) -> None:
    """Prints one line per finding and the remedy below a problem."""
    for finding in findings:
        print(f'{finding.state:>8}  {finding.name}: {finding.detail}')
        if finding.remedy:
            print(f'{"":>8}  -> {finding.remedy}')
    problems = sum(finding.state == 'problem' for finding in findings)
    print('environment: ' + (f'{problems} problem(s), see above' if problems else 'all well'))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what is checked and how it is said."""
    parser.add_argument('--json', action='store_true', help='print the findings as JSON')
    parser.add_argument('--quick', action='store_true', help='leave out the import of the whole plugin')
    parser.add_argument('--probe', choices=(*PROBES, *CUDA_PROBES), help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Returns 0 where everything works, 1 where something does not."""
    if args.probe:
        for finding in globals()[f'probe_{args.probe}']():
            print(json.dumps(asdict(finding)))
        return 0
    findings = check_all(PROBES[:-1] if args.quick else PROBES)
    if args.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        show(findings)
    return int(any(finding.state == 'problem' for finding in findings))
