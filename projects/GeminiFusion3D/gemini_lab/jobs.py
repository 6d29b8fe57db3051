"""Long runs that can be killed anywhere and go on only if nothing that decides their result changed.

`identity` digests what a result depends on: settings, files, code. `Results` keeps the parts of a result
in one JSON file as soon as each is there. `run_steps` runs a chain of commands: a step is done when it
ended well, its outputs are as it left them, and neither its command, nor the sources that it depends on,
nor any step before it changed; its state file says so.
"""
import ctypes
import hashlib
import json
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import IO, Any, Callable, Dict, List, Optional, Sequence, Tuple

import geminifusion3d
from geminifusion3d.atomic import locked_folder, unsealed, write_json
from geminifusion3d.errors import UserError

# The code of the product, for `identity` and the sources of a step.
PACKAGE = Path(geminifusion3d.__file__).resolve().parent
PR_SET_PDEATHSIG = 1
POLL_S = 0.2
REPORT_EVERY_S = 30.0
TAIL_BYTES = 8192
# Of Python's warnings and of torch's logger.
WARNING = re.compile(r'Warning: |^W\d{4} |^\s+warnings\.warn')


def without_warnings(line: str) -> str:
    """Returns a line of output, or '' for a warning, which would stand there until the next line."""
    return '' if WARNING.search(line) else line


@dataclass(frozen=True)
class Step:
    """One command of the chain.

    Attributes:
        name: a word; state and log files are called after it.
        command: program and arguments.
        sources: files and folders (the .py files below) whose content the result depends on.
        outputs: files that the command leaves; the first one is shown to the user.
        stale: what an earlier, different run of this chain left, and this one must not continue.
        progress: from a line of the command's output to what is shown while it runs; '' for a line that says
            nothing about it.
    """
    name: str
    command: Tuple[str, ...]
    sources: Tuple[Path, ...]
    outputs: Tuple[Path, ...]
    stale: Tuple[Path, ...] = ()
    progress: Callable[[str], str] = without_warnings


def hash_sources(sources: Sequence[Path]) -> str:
    """Digests the content of files and of the Python files below folders, in a fixed order."""
    digest = hashlib.sha256()
    for source in sources:
        files = [source] if source.is_file() else sorted(source.rglob('*.py'))
        for file in files:
            name = file.relative_to(source.parent)
            digest.update(str(name).encode() + b'\0' + file.read_bytes() + b'\0')
    return digest.hexdigest()


def identity(**parts: Any) -> Dict[str, str]:
    """Digests what a result depends on, part by part, so that a message can name the part that changed.

    Args:
        **parts: a file or folder (see `hash_sources`), a list of them, or content that JSON can carry.

    Returns:
        A SHA-256 by the name of the part.

    Raises:
        UserError: if a file is absent.
    """
    digests = {}
    for name, part in parts.items():
        paths = [part] if isinstance(part, Path) else part
        if paths and isinstance(paths, (list, tuple)) and all(isinstance(path, Path) for path in paths):
            absent = [path for path in paths if not path.exists()]
            if absent:
                raise UserError(f'{absent[0]} does not exist, and the {name} of this run is read from it')
            digests[name] = hash_sources(paths)
        else:
            text = json.dumps(part, sort_keys=True, default=str)
            digests[name] = hashlib.sha256(text.encode()).hexdigest()
    return digests


class Results:
    """The parts of a long run's result in one JSON file, which is written whole after each of them.

    Args:
        path: the file.
        identity: what the result depends on, see `identity`.
        restart: forget what belongs to another identity instead of refusing to mix the two.
        ignored: parts of the identity that may differ; what the file says of them stays.

    Attributes:
        identity: of what is there, else the wanted one.
        parts: what is there, by name.
        is_fresh: whether nothing of this identity was there.

    Raises:
        UserError: if the file holds the result of something else, or is damaged.
    """

    def __init__(self, path: Path, identity: Dict[str, str], *, restart: bool = False,
                 ignored: Sequence[str] = ()) -> None:
        self.path = path
        try:
            content = unsealed(read_state(path))
        except ValueError as error:
            raise UserError(f'{path} holds no results of a long run any more ({error}); move it away'
                            ) from None
        if path.is_file() and not all(isinstance(content.get(key), dict) for key in ('identity', 'parts')):
            raise UserError(f'{path} holds no results of a long run; move it away or pass another folder')
        differing = [name for name, value in identity.items()
                     if content and name not in ignored and content['identity'].get(name) != value]
        if differing and not restart:
            raise UserError(f'{path} holds the result of another {" and ".join(differing)}; pass another '
                            '--work-dir, or --restart to forget it')
        self.is_fresh = not content or bool(differing)
        self.identity: Dict[str, str] = dict(identity) if self.is_fresh else content['identity']
        self.parts: Dict[str, Any] = {} if self.is_fresh else content['parts']

    def keep(self, name: str, part: Any) -> None:
        """Adds a part and writes the file."""
        self.parts = {**self.parts, name: part}
        write_json(self.path, dict(identity=self.identity, parts=self.parts), indent=2, sealed=True)

    def once(self, name: str, work: Callable[[], Any]) -> Any:
        """Returns a part, after `work` made it if it is not there."""
        if name not in self.parts:
            self.keep(name, work())
        return self.parts[name]


def fingerprint_step(step: Step, upstream: str) -> str:
    """Digests all that decides the step's result; `upstream` is the fingerprint before it."""
    return identity(step=[upstream, step.name, list(step.command), hash_sources(step.sources)])['step']


def describe_outputs(outputs: Sequence[Path]) -> 'Dict[str, List[int]]':
    """Returns size and time of change of each output.

    Args:
        outputs: files of a step.

    Raises:
        FileNotFoundError: if one is missing.
    """
    return {str(path): [path.stat().st_size, path.stat().st_mtime_ns] for path in outputs}


def read_state(path: Path) -> Dict[str, Any]:
    """Returns what the last run of a step wrote; nothing, where there was none."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def is_done(step: Step, state: Dict[str, Any], fingerprint: str) -> bool:
    """Whether the step ended well with this fingerprint and its outputs are untouched."""
    if state.get('fingerprint') != fingerprint:
        return False
    try:
        return state.get('outputs') == describe_outputs(step.outputs)
    except OSError:
        return False


def remove(path: Path) -> None:
    """Removes a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        rmtree(path)
    else:
        path.unlink(missing_ok=True)


def newest_progress(log_path: Path, progress: Callable[[str], str]) -> str:
    """Returns what the newest telling line of a growing log says; bars' lines end in carriage returns."""
    with log_path.open('rb') as log:
        log.seek(max(0, log_path.stat().st_size - TAIL_BYTES))
        lines = log.read().decode(errors='replace').replace('\r', '\n').splitlines()
    return next((text for line in reversed(lines) if (text := progress(line.strip()))), 'starting')


def watch(process: 'subprocess.Popen[bytes]', step: Step, log_path: Path, screen: IO[str]) -> int:
    """Waits for a command and shows its newest line meanwhile; returns its exit code."""
    start = said = time.monotonic()
    while process.poll() is None:
        time.sleep(POLL_S)
        now = time.monotonic()
        if not screen.isatty() and now - said < REPORT_EVERY_S:
            continue
        said = now
        text = f'  {step.name} {now - start:5.0f} s | {newest_progress(log_path, step.progress)}'
        screen.write(f'\r{text[:110]:<110}' if screen.isatty() else f'{text}\n')
        screen.flush()
    if screen.isatty():
        screen.write('\r' + ' ' * 110 + '\r')
    return process.returncode


def end_with_parent() -> None:
    """Makes this process end when the one that started it does, however that ends (on Linux)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def execute(step: Step, log_path: Path) -> None:
    """Runs the command with its output in a log.

    Args:
        step: what to run.
        log_path: of the log; its folder is made.

    Raises:
        UserError: if it fails; the text ends with the last lines of the log.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open('wb') as log, subprocess.Popen(
            step.command, stdout=log, stderr=subprocess.STDOUT, preexec_fn=end_with_parent
    ) as process:
        try:
            code = watch(process, step, log_path, sys.stdout)
        except BaseException:
            process.terminate()
            raise
    if code != 0:
        lines = log_path.read_text(errors='replace').replace('\r', '\n').splitlines()
        tail = list(filter(without_warnings, lines))[-12:]
        raise UserError(f'step {step.name} ended with code {code}; the end of {log_path}:\n'
                        + '\n'.join(f'  {line}' for line in tail))


def run_step(step: Step, state_dir: Path, upstream: str) -> Tuple[str, float]:
    """Brings one step up to date; returns its fingerprint and the seconds that it took in all.

    A step that was killed is started again without removing anything: its command continues. A
    step whose inputs changed starts over.
    """
    fingerprint = fingerprint_step(step, upstream)
    state_path, log_path = state_dir / f'{step.name}.json', state_dir / f'{step.name}.log'
    state = read_state(state_path)
    if is_done(step, state, fingerprint):
        print(f'{step.name:>9}: up to date, took {state["seconds"]:.0f} s, {step.outputs[0]}')
        return fingerprint, state['seconds']
    continues = state.get('fingerprint') == fingerprint and 'outputs' not in state
    if state and not continues:
        for path in step.stale:
            remove(path)
    typed = shlex.join(step.command).replace(f'{sys.executable} -m {PACKAGE.name} ', 'gemini3d ').replace(
        sys.executable, 'python')
    print(f'{step.name:>9}: {typed}', flush=True)
    started = {'fingerprint': fingerprint, 'seconds': state['seconds'] if continues else 0.0}
    write_json(state_path, started)
    start = time.monotonic()
    try:
        execute(step, log_path)
    finally:
        ended = dict(started, seconds=started['seconds'] + time.monotonic() - start)
        write_json(state_path, ended)
    try:
        outputs = describe_outputs(step.outputs)
    except FileNotFoundError as error:
        raise UserError(f'step {step.name} ended well but left no {error.filename}; see {log_path}') from None
    write_json(state_path, dict(ended, outputs=outputs))
    print(f'{"":>9}  took {ended["seconds"]:.0f} s, {step.outputs[0]}', flush=True)
    return fingerprint, ended['seconds']


def run_steps(steps: Sequence[Step], state_dir: Path, chosen: Optional[Sequence[str]] = None
              ) -> Dict[str, float]:
    """Brings a chain up to date, in order; returns the seconds of each step.

    Args:
        steps: the whole chain.
        state_dir: where states and logs are kept.
        chosen: names of the steps to run; the others are taken for done. Defaults to all.

    Raises:
        UserError: if a step fails, or another process works on the same chain.
    """
    upstream, seconds = '', {}
    with locked_folder(state_dir, who='another process', advice='wait for it, or choose another folder'):
        for step in steps:
            if chosen is None or step.name in chosen:
                upstream, seconds[step.name] = run_step(step, state_dir, upstream)
            else:
                upstream = fingerprint_step(step, upstream)
    return seconds
