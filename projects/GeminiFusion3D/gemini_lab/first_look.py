"""The demo's trained weights on two keyframes that no training saw: what `gemini3d demo --quick` does."""
import json
import os
import time
import webbrowser
from pathlib import Path

from geminifusion3d.checkpoints.checkpoint_file import read_checkpoint
from geminifusion3d.commands import predict
from geminifusion3d.commands.main import parse

from .jobs import PACKAGE
from .synthetic.generate import Request, generate

WEIGHTS = Path(__file__).with_name('demo.safetensors')
CONFIG = 'configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py'
VERSION = 'v1.0-mini'
# The demo learns from the world of seed 0: other cities, other drives.
SEED = 1


def look(out: Path) -> None:
    """Generates two keyframes, predicts, draws; opens the 3D page where there is a desktop.

    Args:
        out: a folder of its own; a second look goes on from what is there.
    """
    start = time.monotonic()
    world, found = out / 'world', out / 'found'
    generate(Request(out=world, version=VERSION, scenes=1, samples_per_scene=2, seed=SEED, workers=1))
    tokens = [row['token'] for row in json.loads((world / VERSION / 'sample.json').read_text())]
    # An installed package brings its recipes along in `.mim`.
    config = next(path for folder in (PACKAGE.parent, PACKAGE / '.mim')
                  if (path := folder / CONFIG).is_file())
    predict.run(parse('predict', str(config), str(WEIGHTS), '--dataroot', str(world), '--version', VERSION,
                      '--sample', *tokens, '--min-score', '0.3', '--draw', '--html', '--out', str(found)))
    facts = read_checkpoint(WEIGHTS)['meta']
    print(f'weights: commit {facts["commit"][:7]}, mAP {facts["mAP"]}, NDS {facts["NDS"]} on '
          f'{facts["scored on"]}\nfirst look: {time.monotonic() - start:.0f} s')
    if os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY'):
        webbrowser.open((found / 'scene.html').resolve().as_uri())
