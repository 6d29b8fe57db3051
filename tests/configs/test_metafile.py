"""The model index lists every recipe for nuScenes, KITTI and the demo, with what each recipe says."""
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from geminifusion3d.checkpoints.checkpoint_file import read_checkpoint

REPO = Path(__file__).resolve().parents[2]
METAFILE = REPO / 'projects' / 'GeminiFusion3D' / 'metafile.yml'
CONTENT = yaml.safe_load(METAFILE.read_text())


def test_the_index_leads_to_the_metafile_and_the_metafile_to_every_recipe_for_real_data() -> None:
    index = yaml.safe_load((REPO / 'model-index.yml').read_text())
    assert [REPO / name for name in index['Import']] == [METAFILE]
    recipes = [path for end in ('nus-3d', 'kitti-3d-3class')
               for path in (METAFILE.parent / 'configs').rglob(f'*_{end}.py')]
    trained = [entry for entry in CONTENT['Models'] if 'Weights' in entry]
    others = [entry for entry in CONTENT['Models'] if entry not in trained]
    assert {METAFILE.parent / entry['Config'] for entry in others} == set(recipes)
    facts = [read_checkpoint(METAFILE.parent / entry['Weights'])['meta'] for entry in trained]
    assert [entry['Config'] for entry in trained] == [fact['config'] for fact in facts] != []
    assert [entry['Results'][0]['Metrics'] for entry in trained] == [
        {name: float(fact[name]) for name in ('mAP', 'NDS')} for fact in facts]
    collections = {collection['Name']: collection for collection in CONTENT['Collections']}
    for collection in collections.values():
        named = (collection['README'], collection['Code']['URL'])
        assert all((METAFILE.parent / path).is_file() for path in named)
    assert {entry['In Collection'] for entry in CONTENT['Models']} == set(collections)


@pytest.mark.parametrize('entry', CONTENT['Models'], ids=lambda entry: entry['Name'])
def test_an_entry_says_what_the_recipe_says(entry: dict) -> None:
    cfg, metadata = Config.fromfile(METAFILE.parent / entry['Config']), entry['Metadata']
    assert entry['Name'] == Path(entry['Config']).stem
    assert metadata['Epochs'] == cfg.train_cfg.max_epochs
    assert metadata['Batch Size'] == cfg.auto_scale_lr.base_batch_size
    sensors = {'Camera': 'use_camera', 'LiDAR': 'use_lidar', 'Radar': 'use_radar'}
    assert metadata['Modalities'] == [name for name, flag in sensors.items() if cfg.modality.get(flag)]
