"""What the scores of an evaluation depend on, as digests by name: recipe, checkpoint, info file, code."""
import hashlib
import json
from pathlib import Path
from typing import Dict

from mmengine.config import Config

from geminifusion3d.errors import UserError

# Where the pictures are written and who runs the processes changes no score.
NOT_OF_THE_MODEL = ('work_dir', 'launcher', 'load_from', 'resume', 'experiment_name', 'log_level')
CHANGES = Path(__file__).resolve().parents[1] / 'sensors'
CHUNK_BYTES = 1 << 20


def identity_of(cfg: Config, checkpoint: str) -> Dict[str, str]:
    """Returns digests of what is evaluated, on what, and of the code that changes the sensors.

    Args:
        cfg: the recipe.
        checkpoint: the model's weights.

    Raises:
        UserError: if a file is absent.
    """
    dataset = cfg.test_dataloader.dataset
    kept = {key: value for key, value in cfg.to_dict().items() if key not in NOT_OF_THE_MODEL}
    recipe = json.dumps(kept, sort_keys=True, default=str).encode()
    code = b''.join(file.read_bytes() for file in sorted(CHANGES.rglob('*.py')))
    return dict(config=hashlib.sha256(recipe).hexdigest(), checkpoint=_digest(Path(checkpoint)),
                dataset=_digest(Path(dataset.data_root) / dataset.ann_file),
                corruptions=hashlib.sha256(code).hexdigest())


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open('rb') as file:
            for chunk in iter(lambda: file.read(CHUNK_BYTES), b''):
                digest.update(chunk)
    except OSError as error:
        raise UserError(f'{path} cannot be read ({error.strerror})') from error
    return digest.hexdigest()
