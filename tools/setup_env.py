"""Creates the environment: `make setup` calls this, before any package exists.

Steps: virtual environment, torch, everything else at the versions of requirements/, this project in
editable mode, and `gemini3d check`. A stamp written at the very end makes the next run a check only.

The packages are those of the lock file and no others: pip asks for no dependencies. With Python 3.13 it could
not, because nuscenes-devkit demands numpy < 2, which has no wheel there; the devkit runs with numpy 2 all the
same. Versions that do not exist for 3.10 have a second line in the lock file.

Environment variables:
    TORCH_SPEC       another build of torch, e.g. 'torch==2.13.0'; with pip's own PIP_INDEX_URL or
                     PIP_EXTRA_INDEX_URL a build for a certain CUDA version
    SPCONV_SPEC      another build of spconv, e.g. 'spconv-cu118==2.3.6' for CUDA 11.8
    MMCV_OPS         1: compile mmcv's operators, in minutes; only models of mmdet3d itself and the tests
                     that compare with them need any. Default 0: mmcv's wheel without operators
    XDG_CACHE_HOME   the wheel cache is $XDG_CACHE_HOME/geminifusion3d/wheels (default ~/.cache)
    MAX_JOBS         compilers at once (default: all cores)

Example:
    python3.11 tools/setup_env.py --venv .venv
"""
import argparse
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from pathlib import Path
from typing import Dict, List, Optional

REPO = Path(__file__).resolve().parent.parent
REQUIREMENTS = REPO / 'requirements'
STAMP_NAME = 'geminifusion3d-setup.json'
MIN_FREE_GB = 8.0
PYTHON = '.'.join(map(str, sys.version_info[:2]))
# What decides, with requirements/, that an environment has to be brought up to date.
PYTHONS = ((3, 10), (3, 13))
STAMPED_FILES = ('setup.py', 'setup.cfg', 'pyproject.toml')


class SetupError(Exception):
    """Something the user can mend; shown as one line."""


def say(text: str) -> None:
    """Prints at once, also into a pipe."""
    print(text, flush=True)


def read_pin(file_name: str) -> str:
    """Returns the one requirement of a one-line requirements file."""
    lines = (REQUIREMENTS / file_name).read_text().splitlines()
    return next(line for line in lines if line and not line.startswith('#'))


def wanted_stamp() -> Dict[str, str]:
    """Everything the environment depends on, by content."""
    files = [*sorted(REQUIREMENTS.iterdir()), *(REPO / name for name in STAMPED_FILES)]
    content = b'\0'.join(file.read_bytes() for file in files)
    return {'files': hashlib.sha256(content).hexdigest(), 'repo': str(REPO),
            'torch_spec': os.environ.get('TORCH_SPEC') or read_pin('torch.txt'),
            'spconv_spec': os.environ.get('SPCONV_SPEC', ''), 'mmcv_ops': os.environ.get('MMCV_OPS') or '0'}


def is_up_to_date(venv_dir: Path) -> bool:
    """Whether the last set-up of this environment ended, and nothing changed since."""
    try:
        return json.loads((venv_dir / STAMP_NAME).read_text()) == wanted_stamp()
    except (OSError, ValueError):
        return False


def check_machine(venv_dir: Path) -> None:
    """Says what is missing before anything is downloaded."""
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        raise SetupError(f'this is Python {platform.python_version()}, expected 3.10 to 3.13; '
                         'install Python 3.11 and run `make setup PYTHON=/path/to/python3.11`')
    if (os.environ.get('MMCV_OPS') or '0') not in ('0', '1'):
        raise SetupError(f'MMCV_OPS={os.environ["MMCV_OPS"]}, expected 1 (compile the operators) or 0')
    parent = venv_dir.resolve().parent
    parent.mkdir(parents=True, exist_ok=True)
    free_gb = shutil.disk_usage(parent).free / 1e9
    if free_gb < MIN_FREE_GB:
        raise SetupError(f'{free_gb:.1f} GB free in {parent}, expected {MIN_FREE_GB:.0f}; free some or '
                         'choose another place: `make setup VENV=/other/disk/venv`')


def say_other_python(venv_dir: Path) -> None:
    """Says that an environment that is there stays with the Python that it was made with."""
    config = venv_dir / 'pyvenv.cfg'
    text = config.read_text() if config.is_file() else ''
    found = re.search(r'^version\w* *= *(\d+\.\d+)', text, re.MULTILINE)
    if found and found[1] != PYTHON:
        say(f'note: {venv_dir} has Python {found[1]}, not {PYTHON}: choose another place for {PYTHON}, '
            f'VENV=.venv{PYTHON.replace(".", "")}, or remove it first: make clean-venv')


def create_venv(venv_dir: Path) -> Path:
    """Creates the virtual environment, or repairs one whose creation was interrupted."""
    python = venv_dir / 'bin' / 'python'
    works = python.exists() and subprocess.run(
        [python, '-m', 'pip', '--version'], capture_output=True, check=False).returncode == 0
    if works:
        return python
    if venv_dir.exists() and any(venv_dir.iterdir()) and not (venv_dir / 'pyvenv.cfg').exists():
        raise SetupError(f'{venv_dir} exists and is no virtual environment; '
                         'move it away or choose another: `make setup VENV=/other/place`')
    try:
        venv.create(venv_dir, clear=True, with_pip=True)
    except subprocess.CalledProcessError:
        raise SetupError('this Python has no ensurepip; install its venv package (Debian and '
                         f'Ubuntu: `apt install python{PYTHON}-venv`)') from None
    return python


def pip_install(python: Path, *arguments: str) -> None:
    """Runs pip; its own progress shows, what is already there does not."""
    # Python compiles a module to byte code when it is first imported, and most of these never are.
    command = [str(python), '-m', 'pip', 'install', '--no-compile', '--disable-pip-version-check', *arguments]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            if not line.startswith(('Requirement already satisfied', 'Looking in', 'Ignoring ')):
                say(f'    {line.rstrip()}')
    if process.returncode != 0:
        raise SetupError('pip failed (see above); after mending the cause, `make setup` goes on '
                         'where it stopped')


def has_package(python: Path, name: str) -> bool:
    """Whether an environment holds a package, such as the triton that comes with torch for GPUs."""
    question = f'import importlib.metadata as installed; installed.version({name!r})'
    return subprocess.run([python, '-c', question], capture_output=True).returncode == 0


def describe_build(python: Path, mmcv_pin: str) -> str:
    """Names what a compiled mmcv depends on: Python, torch's build, platform and C library."""
    question = [python, '-c', 'import torch; print(torch.__version__)']
    torch_version = subprocess.check_output(question, text=True).strip().replace('+', '_')
    system = sysconfig.get_platform() + ''.join(platform.libc_ver())
    return f'{mmcv_pin.replace("==", "-")}-cp{PYTHON.replace(".", "")}-torch{torch_version}-{system}'


def find_wheel(folder: Path) -> Optional[Path]:
    """Returns the finished wheel in a cache folder, if there is one."""
    return next(iter(sorted(folder.glob('mmcv-*.whl'))), None)


def build_wheel(python: Path, mmcv_pin: str, folder: Path) -> Path:
    """Compiles mmcv with its operators into `folder`; a killed build leaves nothing in it.

    The GPU is hidden: the model calls no mmcv operator on CUDA tensors, so that no nvcc is needed.
    """
    compiler = os.environ.get('CXX', 'c++')
    if shutil.which(compiler) is None:
        raise SetupError(f'no C++ compiler ({compiler}) on the PATH; install one (Debian and '
                         'Ubuntu: `apt install g++`) or name it by CXX=...')
    if not (Path(sysconfig.get_path('include')) / 'Python.h').exists():
        raise SetupError(f'Python.h is missing; install the headers of Python {PYTHON} (Debian and '
                         f'Ubuntu: `apt install python{PYTHON}-dev`)')
    jobs = os.environ.get('MAX_JOBS') or str(os.cpu_count() or 1)
    environment = dict(os.environ, MMCV_WITH_OPS='1', FORCE_CUDA='0', CUDA_VISIBLE_DEVICES='',
                       CFLAGS='-g0', MAX_JOBS=jobs)
    with tempfile.TemporaryDirectory(prefix='.build-', dir=folder.parent) as build_dir:
        command = [str(python), '-m', 'pip', 'wheel', '-v', '--no-build-isolation', '--no-deps',
                   '--no-binary', 'mmcv', '-w', build_dir, mmcv_pin]
        follow_build(command, environment, folder.parent / 'build.log', int(jobs))
        wheel = find_wheel(Path(build_dir))
        folder.mkdir(parents=True, exist_ok=True)
        os.replace(wheel, folder / wheel.name)
    return folder / wheel.name


def follow_build(command: List[str], environment: Dict[str, str], log_path: Path, jobs: int) -> None:
    """Runs the compilation, logs everything, prints how far it is and how long it may take."""
    say(f'    compiling mmcv operators with {jobs} jobs (about 13 CPU-minutes); log: {log_path}')
    start, last_said = time.monotonic(), 0.0
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace')
    with log_path.open('w') as log, subprocess.Popen(command, env=environment, **pipes) as process:
        for line in process.stdout:
            log.write(line)
            step = re.match(r'\s*\[(\d+)/(\d+)\]', line)
            elapsed_s = time.monotonic() - start
            if step and elapsed_s - last_said > 10:
                last_said, done, total = elapsed_s, int(step[1]), int(step[2])
                left_min = elapsed_s * (total - done) / done / 60
                say(f'    {done}/{total} files, {elapsed_s / 60:.1f} min, {left_min:.1f} min left')
    if process.returncode != 0:
        tail = '\n'.join(log_path.read_text(errors='replace').splitlines()[-15:])
        raise SetupError(f'mmcv did not compile; the end of {log_path}:\n{tail}')


def provide_mmcv_wheel(python: Path) -> Path:
    """Returns the cached wheel for this machine, compiling it first where there is none."""
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    mmcv_pin = read_pin('mmcv.txt')
    folder = cache / 'geminifusion3d' / 'wheels' / describe_build(python, mmcv_pin)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / '.lock').open('w') as lock:
        # A second set-up on this machine waits for the first one's wheel.
        fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in folder.parent.glob('.build-*'):
            shutil.rmtree(leftover, ignore_errors=True)
        wheel = find_wheel(folder)
        if wheel is None:
            pip_install(python, *requirements('build.txt'))
            wheel = build_wheel(python, mmcv_pin, folder)
        else:
            say(f'    reusing {wheel}')
    return wheel


def replace_mmcv_operators(python: Path) -> None:
    """Puts what refuses their calls in the place of the operators that mmcv-lite does not have."""
    where = [python, '-c', 'import importlib.util; print(importlib.util.find_spec("mmcv").origin)']
    package = Path(subprocess.check_output(where, text=True).strip()).parent
    shutil.copy(REPO / 'tools' / 'mmcv_without_operators.py', package / '_ext.py')


def requirements(*file_names: str) -> List[str]:
    """Returns the lines of requirements files, without spconv where another build of it is wanted."""
    lines = [line for name in file_names for line in (REQUIREMENTS / name).read_text().splitlines()
             if line and not line.startswith('#')]
    if os.environ.get('SPCONV_SPEC'):
        lines = [line for line in lines if not line.startswith(('spconv', 'cumm'))]
    return lines


def install_everything(venv_dir: Path) -> None:
    """The steps from an empty folder to a working environment."""
    stamp = wanted_stamp()
    check_machine(venv_dir)
    say(f'[1/4] virtual environment {venv_dir}')
    python = create_venv(venv_dir)
    (venv_dir / STAMP_NAME).unlink(missing_ok=True)
    lock = ['-c', str(REQUIREMENTS / 'constraints.lock')]
    say(f'[2/4] {stamp["torch_spec"]} and build tools')
    pip_install(python, *lock, stamp['torch_spec'], *requirements('build.txt'))
    with_operators = stamp['mmcv_ops'] == '1'
    say(f'[3/4] pinned packages; mmcv {"with" if with_operators else "without"} compiled operators')
    # Both kinds of mmcv fill the same folder: one has to leave before the other comes.
    other = 'mmcv-lite' if with_operators else 'mmcv'
    if has_package(python, other):
        subprocess.run([python, '-m', 'pip', 'uninstall', '-q', '-y', other], check=True)
    mmcv = read_pin('mmcv.txt').replace('==', '-lite==')
    if with_operators:
        mmcv = str(provide_mmcv_wheel(python))
    pip_install(python, '--no-deps', mmcv, *requirements('constraints.lock'))
    if not with_operators:
        replace_mmcv_operators(python)
    if stamp['spconv_spec']:
        pip_install(python, *lock, stamp['spconv_spec'])
    if not has_package(python, 'triton'):
        pip_install(python, '--no-deps', *requirements('triton.txt'))
    say('[4/4] this project, in editable mode')
    pip_install(python, '--no-deps', '--no-build-isolation', '-e', str(REPO))
    part = venv_dir / (STAMP_NAME + '.part')
    part.write_text(json.dumps(stamp))
    os.replace(part, venv_dir / STAMP_NAME)


def main() -> int:
    """Returns the code of `gemini3d check`, or 2 where the set-up could not run."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--venv', type=Path, default=REPO / '.venv', help='where it shall stand')
    parser.add_argument('--no-check', action='store_true', help='leave out the check at the end')
    args = parser.parse_args()
    start, venv_dir = time.monotonic(), args.venv.absolute()
    check = [venv_dir / 'bin' / 'python', '-m', 'geminifusion3d', 'check']
    try:
        say_other_python(venv_dir)
        if is_up_to_date(venv_dir):
            check.append('--quick')
            say(f'set-up: {venv_dir} is up to date')
        else:
            install_everything(venv_dir)
    except SetupError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('interrupted: `make setup` goes on where it stopped', file=sys.stderr)
        return 130
    code = 0 if args.no_check else subprocess.run(check, check=False).returncode
    say(f'set-up: {time.monotonic() - start:.0f} s')
    return code


if __name__ == '__main__':
    sys.exit(main())
