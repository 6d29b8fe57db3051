"""Both stages on a world of four keyframes: what is stored, what is paired, what goes on after a kill."""
import dataclasses
import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet3d.registry import DATASETS
from mmengine.dataset import pseudo_collate
from nuscenes.utils.splits import train, val
from tiny_nuscenes import write_tiny_nuscenes

from gemini_lab.decide import command, encoders, scoring, trial
from gemini_lab.decide.fusers import FUSERS
from gemini_lab.decide.runs import ENCODERS, MAPS_FOLDER, REPORT, TUNE, Plan, make_job, produce
from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes

REPO = Path(__file__).resolve().parents[3]
SEEN = ('clean', 'no-lidar', 'black-cameras', 'empty-lidar', 'fog')


@pytest.fixture(scope='module')
def plan(tmp_path_factory):
    """The smallest plan, on two scenes of two keyframes."""
    root = tmp_path_factory.mktemp('world')
    write_tiny_nuscenes(root, version='v1.0-trainval', scenes=(train[0], val[0]), keyframes=2)
    convert_nuscenes(root, 'v1.0-trainval', root)
    return Plan(recipe=str(REPO / 'configs/compare/geminifusion3d_lidar-cam_add_compare.py'),
                learn_root=str(root), report_root=str(root), seeds_per_group=2, epochs=1, copies=2, steps=3,
                batch_size=2, conditions=SEEN, resamples=2)


@pytest.fixture(scope='module')
def stored(plan, tmp_path_factory):
    """A work directory in which the only group of encoders is done; and its result."""
    work_dir = tmp_path_factory.mktemp('work')
    job = make_job(ENCODERS, 0, plan, work_dir)
    job.prepare()
    job.finish(produce(job))
    assert job.result()['conditions'] == list(SEEN)
    return work_dir


def folder_of(stored, world):
    """Returns where a world's maps lie."""
    return stored / ENCODERS / 'seed0' / MAPS_FOLDER / world


def test_what_is_stored_is_what_the_whole_model_computes(plan, stored):
    cfg = plan.of_world(TUNE)
    whole = encoders.train_encoders(cfg, 0, stored / ENCODERS / 'seed0' / encoders.TRAINING_FOLDER)
    truth = scoring.load_truth(Path(cfg.data_root), cfg.test_dataloader.dataset.ann_file)
    for name in ('clean', 'black-cameras', 'fog'):
        maps = encoders.StoredMaps(folder_of(stored, TUNE), name)
        sample = DATASETS.build(encoders.under_condition(cfg, name).test_dataloader.dataset)[1]
        data = whole.data_preprocessor(pseudo_collate([sample]), False)
        expected = whole.extract_feat(data['inputs'], [one.metainfo for one in data['data_samples']])
        features, _ = trial.fused_maps(whole, maps.batch([1]), torch.ones(1, 2, dtype=torch.bool))
        torch.testing.assert_close(features[0], expected[0], rtol=1e-2, atol=1e-2)
    for name in SEEN[2:]:
        for sensor in encoders.CONDITIONS[name].changed:
            clean, changed = (np.load(encoders.map_file(folder_of(stored, TUNE), one, sensor))
                              for one in ('clean', name))
            assert (clean != changed).any(), (name, sensor)
    assert len(trial.predict(whole, maps, truth)) == len(maps) == len(truth.infos.frames)


def test_a_run_is_scored_under_every_condition_and_goes_on_after_a_kill(plan, stored, monkeypatch):
    job = make_job('gemini', 0, plan, stored)
    job.prepare()
    score, calls = trial.score, []

    def killed(*arguments):
        calls.append(arguments[3])
        if len(calls) == 4:
            raise KeyboardInterrupt
        return score(*arguments)
    monkeypatch.setattr(trial, 'score', killed)
    with pytest.raises(KeyboardInterrupt):
        produce(job)
    assert job.result() is None
    monkeypatch.setattr(trial, 'train', lambda *_, **__: pytest.fail('the training was done'))
    job.finish(produce(job))
    # Of ten evaluations three were done.
    assert calls == [*SEEN[:4], *SEEN[3:], *SEEN]
    result = job.result()
    assert result['scores'].keys() == {TUNE, REPORT} and set(result['scores'][REPORT]) == set(SEEN)
    assert len(result['resampled']['clean']) == plan.resamples
    wider = dataclasses.replace(plan, conditions=(*SEEN, 'dark'))
    assert make_job('gemini', 0, wider, stored).result() is None
    assert make_job('gemini', 0, dataclasses.replace(plan, steps=4), stored).result() is None


def test_phases_and_shifts_reach_the_fuser(plan, stored, monkeypatch):
    seen, real = [], trial.fused_maps

    def watched(model, maps, is_present):
        seen.append((maps, is_present))
        return real(model, maps, is_present)
    monkeypatch.setattr(trial, 'fused_maps', watched)
    reference = plan.of_world(TUNE).model
    runs = []
    for settings in ({}, dict(spared=0.5), dict(shift_cells=2)):
        trial.train(trial.build_pair(reference, reference, seed=3), folder_of(stored, 'train'), seed=3,
                    steps=6, batch_size=2, lr=1e-3, absent_prob=0.45, **settings)
        runs.append(seen[:])
        seen.clear()
    plain, phased, shifted = runs
    # Until half of the steps nothing is absent; at the end what is absent without phases.
    assert not all(present.all() for _, present in plain[:4])
    assert all(present.all() for _, present in phased[:4])
    assert torch.equal(plain[5][1], phased[5][1])
    for (before, present), (after, still) in zip(plain, shifted):
        assert torch.equal(present, still) and torch.equal(before[1], after[1])
    moved = [(one, other) for (before, _), (after, _) in zip(plain, shifted)
             for one, other in zip(before[0], after[0])]
    # Each map is one of the 25 shifted ones, and not always the same.
    places = [next((x, y) for x in range(-2, 3) for y in range(-2, 3) if torch.equal(
        other[:, 2:-2, 2:-2], one[:, 2 - y:one.shape[1] - 2 - y, 2 - x:one.shape[2] - 2 - x]))
        for one, other in moved]
    assert len(set(places)) > 3


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU')
def test_a_gpu_learns_what_the_processor_learns(plan, stored):
    reference = plan.of_world(TUNE).model
    models = [trial.build_pair(reference, reference, seed=3).to(device) for device in ('cpu', 'cuda')]
    losses = [trial.train(model, folder_of(stored, 'train'), seed=3, steps=3, batch_size=2, lr=1e-3,
                          absent_prob=0.2) for model in models]
    np.testing.assert_allclose(*losses, rtol=1e-2)


def test_of_earlier_code_a_run_with_a_condition_more_goes_on_where_that_counts(plan, tmp_path):
    before = make_job('gemini', 0, plan, tmp_path)
    before.prepare().keep('trained', {})
    before.finish(dict(conditions=list(SEEN)))
    (before.folder / 'model.pth').touch()
    changed = {**before.identity, 'code': 'another'}
    wider = dataclasses.replace(plan, conditions=(*SEEN, 'dark'))
    now = dataclasses.replace(before, plan=wider, identity=changed, any_code=True)
    assert now.result() is None and 'trained' in now.prepare().parts and (now.folder / 'model.pth').exists()
    now.finish(dict(conditions=[*SEEN, 'dark']))
    # Which code trained it stays known, and today's does not take it for its own.
    assert now.result()['identity'] == before.identity
    today = dataclasses.replace(now, any_code=False)
    assert today.result() is None and today.prepare().is_fresh and not (now.folder / 'model.pth').exists()


def test_every_fuser_begins_as_the_reference_in_all_that_follows_it(plan):
    reference = plan.of_world(TUNE).model
    maps = [torch.rand(2, 32, 48, 48) for _ in range(2)]
    is_present = torch.tensor([[True, True], [False, True]])
    behind = ('bev_backbone.', 'bev_neck.', 'bbox_head.', 'camera_align.stand_in')
    expected = trial.learned_state(trial.build_pair(reference, reference, seed=3))
    for name in ('add', 'conv', 'gemini-gate', 'gemini-neighbourhood', 'n-way'):
        fuser = FUSERS[name]
        model = trial.build_pair(plan.of_world(TUNE, str(fuser.variant.config)).model, reference, seed=3)
        own = trial.learned_state(model)
        assert all(torch.equal(own[key], values) for key, values in expected.items()
                   if key.startswith(behind))
        features, _ = trial.fused_maps(model, maps, is_present)
        assert features[0].shape[-2:] == (48, 48), name
        # The stand-in of the absent camera learns with the rest.
        features[0].sum().backward()
        assert model.camera_align.stand_in.grad.abs().sum() > 0 or name == 'n-way'
    assert all(fuser.variant.config.is_file() for fuser in FUSERS.values())


def test_sensors_are_absent_as_often_as_asked_and_never_both():
    is_present = trial.draw_presence(2000, 0.2, np.random.default_rng(0))
    assert is_present.any(dim=1).all()
    assert is_present.float().mean(dim=0).tolist() == pytest.approx([0.8, 0.8], abs=0.03)
    # The same draws without dropout: what follows stays the same.
    one, other = np.random.default_rng(1), np.random.default_rng(1)
    assert trial.draw_presence(5, 0.0, one).all() and len(trial.draw_presence(5, 0.4, other)) == 5
    assert one.random() == other.random()


def test_listed_runs_stay_beside_new_ones_unless_recipe_or_data_are_others(plan, tmp_path):
    scores = dict.fromkeys(SEEN, 0.25)
    made_up = dict(conditions=list(SEEN), scores={TUNE: scores, REPORT: scores}, fuser_parameters=7,
                   resampled=dict(clean=[0.2, 0.3], mean=[0.2, 0.3]))
    new = make_job('gemini', 1, plan, tmp_path)
    new.prepare()
    new.finish(made_up)
    listed = []
    for name, changed in (('add', 'code'), ('conv', 'data'), ('gemini', 'code')):
        identity = {**make_job(name, 1, plan, tmp_path).identity, changed: 'another'}
        listed.append({**made_up, 'variant': name, 'seed': 1, 'identity': identity, 'fuser_parameters': 9})
    (tmp_path / command.RUNS_FILE).write_text(json.dumps(dict(runs=listed, facts=dict(power=['as before']))))
    page = tmp_path / 'page.md'
    page.write_text('<!-- decide:start -->\n<!-- decide:end -->\n')
    command.render(plan, Namespace(work_dir=tmp_path, docs=tmp_path, page=page))
    content = json.loads((tmp_path / command.RUNS_FILE).read_text())
    found = [(one['variant'], one['fuser_parameters']) for one in content['runs']]
    assert found == [('add', 9), ('gemini', 7)]
    assert content['facts']['power'] == ['as before'] and 'as before' in page.read_text()


def test_power_is_not_stated_of_one_fuser_or_one_seed(plan, tmp_path):
    for seeds, fusers in (([0], 3), ([0, 1], 1)):
        arguments = Namespace(work_dir=tmp_path, seeds=seeds, any_code=False)
        for name in command.PILOT:
            for seed in command.PILOT_SEEDS:
                job = make_job(name, seed, plan, tmp_path)
                job.prepare()
                job.finish(dict(conditions=list(SEEN), scores={REPORT: dict.fromkeys(SEEN, seed / 100)}))
        assert command.power_statement(plan, arguments, fusers) == []
    assert not (tmp_path / command.PILOT_FILE).exists()


@pytest.mark.parametrize('words, message', [
    (['--only', 'gemini-typo'], 'no fuser of the experiment is called gemini-typo'),
    (['--page', 'absent.md'], 'absent.md does not exist')])
def test_a_slip_is_named_before_a_world_is_written(gemini3d, monkeypatch, tmp_path, words, message):
    from gemini_lab.decide import command
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, 'REPO', tmp_path)
    ended = gemini3d('decide', *words, '--work-dir', tmp_path / 'runs')
    assert ended.returncode == 2 and message in ended.stderr
    assert not list(tmp_path.iterdir())
