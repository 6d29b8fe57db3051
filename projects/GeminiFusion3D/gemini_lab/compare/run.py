"""One training of the comparison as files: its folder, what it is a training of, its result."""
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

from mmengine.config import Config

from geminifusion3d.atomic import write_json
from geminifusion3d.errors import UserError
from .variants import Variant

RESULT_FILE, IDENTITY_FILE, LOG_FILE = 'result.json', 'run.json', 'run.log'
TRAINING_FOLDER = 'training'


@dataclass(frozen=True)
class Run:
    """One model with one seed.

    Attributes:
        variant: the model.
        seed: of everything random.
        work_dir: of the whole comparison.
        identity: digest of the recipe, the seed and the data: what the result depends on.
    """

    variant: Variant
    seed: int
    work_dir: Path
    identity: str

    @property
    def folder(self) -> Path:
        """Where everything of this run lies."""
        return self.work_dir / self.variant.name / f'seed{self.seed}'

    @property
    def name(self) -> str:
        """Returns how messages call it."""
        return f'{self.variant.name} seed {self.seed}'

    def result(self) -> Optional[Dict[str, Any]]:
        """Returns what the run found; None where it is not done, or is one of something else."""
        result = _read(self.folder / RESULT_FILE)
        return result if result.get('identity') == self.identity else None

    def finish(self, result: Dict[str, Any]) -> None:
        """Keeps what the run found."""
        write_json(self.folder / RESULT_FILE, dict(
            result, variant=self.variant.name, seed=self.seed, identity=self.identity), indent=2)

    def prepare(self) -> None:
        """Makes the folder; what a run of something else left there goes, an unfinished one stays."""
        if _read(self.folder / IDENTITY_FILE).get('identity') != self.identity:
            shutil.rmtree(self.folder, ignore_errors=True)
            write_json(self.folder / IDENTITY_FILE, dict(identity=self.identity))


def make_run(variant: Variant, seed: int, work_dir: Path) -> Run:
    """Returns a run with the identity that its recipe and data give it now.

    Args:
        variant: the model.
        seed: of everything random.
        work_dir: of the whole comparison.

    Raises:
        UserError: if the data is not there.
    """
    cfg = Config.fromfile(variant.config)
    dataset = cfg.train_dataloader.dataset
    digest = hashlib.sha256(json.dumps(cfg.to_dict(), sort_keys=True, default=str).encode())
    digest.update(str(seed).encode())
    for name in (dataset.ann_file, cfg.test_dataloader.dataset.ann_file):
        path = Path(dataset.data_root) / name
        if not path.is_file():
            raise UserError(f'{path} does not exist; tools/compare.py without --render-only writes it')
        digest.update(path.read_bytes())
    return Run(variant, seed, work_dir, digest.hexdigest()[:16])


def adopt(runs: Sequence[Run], kept: Sequence[Dict[str, Any]]) -> None:
    """Takes over results from a list that was kept elsewhere, where a run is not done and they are its own.

    Args:
        runs: what is wanted.
        kept: results as `finish` wrote them, on this machine or on another.
    """
    by_identity = {result.get('identity'): result for result in kept}
    for run in runs:
        if run.result() is None and run.identity in by_identity:
            run.prepare()
            run.finish(by_identity[run.identity])


def _read(path: Path) -> Dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
