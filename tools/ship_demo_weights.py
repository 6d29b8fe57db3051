"""Turns the weights of a finished demo into those that come with the package.

Parameters become float16, which `gemini3d test CONFIG demo.safetensors` must score as before.

Example:
    python tools/ship_demo_weights.py work_dirs/demo/epoch_6.pth
"""
import json
import sys
from pathlib import Path

from safetensors.torch import save_file

from gemini_lab.first_look import CONFIG, WEIGHTS
from geminifusion3d.atomic import atomic_write
from geminifusion3d.checkpoints.checkpoint_file import read_checkpoint
from geminifusion3d.checkpoints.checkpoint_fit import CONFIG as TRAINED
from geminifusion3d.checkpoints.checkpoint_fit import SETTINGS
from geminifusion3d.learned_samples import LEARNED


def main(path: Path) -> None:
    """Writes the file.

    Args:
        path: the checkpoint; the devkit's summary of its test lies beside it.
    """
    checkpoint, score = read_checkpoint(path), json.loads((path.parent / 'metrics_summary.json').read_text())
    meta = checkpoint['meta']
    tensors = {name: value.half() if value.is_floating_point() and 'running' not in name else value
               for name, value in checkpoint['state_dict'].items()}
    facts = {
        'mAP': f'{score["mean_ap"]:.4f}', 'NDS': f'{score["nd_score"]:.4f}',
        'scored on': 'mini_val of the synthetic world',
        'trained on': 'mini_train of the synthetic world, gemini3d synthetic --seed 0',
        'config': CONFIG, 'seed': str(meta['seed']), 'epochs': str(meta['epoch']), 'date': meta['time'][:8],
        # mmengine appends the commit of the working folder to its version.
        'commit': meta['mmengine_version'][-40:], 'licence': 'Apache-2.0',
        # Metadata are texts: what a checkpoint has as dictionaries becomes JSON.
        'dataset_meta': json.dumps({'classes': meta['dataset_meta']['classes']}),
        **{key: json.dumps(meta[key]) for key in (LEARNED, SETTINGS, TRAINED)}}
    with atomic_write(WEIGHTS) as part:
        save_file(tensors, part, metadata=facts)
    print(f'{WEIGHTS}: {WEIGHTS.stat().st_size / 1e6:.2f} MB, {facts}')


if __name__ == '__main__':
    main(Path(sys.argv[1]))
