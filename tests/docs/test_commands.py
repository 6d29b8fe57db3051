"""README and docs as a reader uses them: commands run or are read, links lead somewhere, code works."""
import ast
import json
import re
import shlex
import shutil
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest
from commands import Done
from nuscenes.utils.splits import test, train, val
from tiny_detector import SMALL_GRID
from tiny_nuscenes import write_tiny_nuscenes

import geminifusion3d
from geminifusion3d.commands.main import all_commands, parse
from geminifusion3d.errors import UserError
from geminifusion3d.sensors.records import check_record

REPO = Path(__file__).resolve().parents[2]
PAGES = [REPO / 'README.md', REPO / 'CONTRIBUTING.md', REPO / 'projects' / 'GeminiFusion3D' / 'README.md',
         *sorted((REPO / 'docs').glob('*.md'))]
FENCE = re.compile(r'^ *```(\w*)\n(.*?)^ *```', re.MULTILINE | re.DOTALL)
INLINE = re.compile(r'`((?:gemini3d|make) [^`\n]+)`')
ASSIGNMENT = re.compile(r'([A-Z][A-Z0-9_]*)=(.*)')
LINK = re.compile(r'\]\(([^)\s]+)\)')
DIALECT = re.compile(r'\bthe host\b|one voice|\bweighed\b|forgotten|\b(is|be|not) told\b', re.IGNORECASE)
# What the reader brings, or writes as the page says.
READERS_OWN = ('configs/mine.py', )
# Not run below: another test does, or it needs what a test has not.
ELSEWHERE = {
    '--compile': 'tests/engine/test_compiled_parts.py', 'export-onnx': 'tests/commands/test_export_onnx.py',
    'gemini3d benchmark': 'tests/gemini_lab/benchmark', 'gemini3d check': 'tests/gemini_lab/test_check.py',
    'gemini3d convert-checkpoint': 'tests/checkpoints', 'work_dirs/bevfusion.pth': 'tests/checkpoints',
    '--radar-sweeps': 'tests/sensors/test_radar_recipes.py', 'radar_': 'tests/sensors/test_radar_recipes.py',
    'kitti': 'tests/kitti',
    'gemini3d compare-tasks': 'tests/gemini_lab/compare', 'data/compare': 'tests/gemini_lab/compare',
    '--radars': 'tests/gemini_lab/test_draw.py',
    'gemini3d decide': 'tests/gemini_lab/decide', 'gemini3d demo': 'tests/test_end_to_end.py',
    'gemini3d stats': 'tests/gemini_lab/cost',
    '_map_synthetic': 'tests/test_map_segmentation.py',
    '/big/disk': 'tests/engine/test_config_file.py',
    '/path/to/one/keyframe': 'tests/gemini_lab/test_keyframe.py',
    '/path/to/two/keyframes': 'tests/commands/test_predict.py',
    'work_dirs/real/': 'tests/commands/test_predict.py',
    '/path/to/real': 'tests/gemini_lab/analysis/test_world_statistics.py',
    'GeminiFusion3D/configs': 'tests/test_install.py',
    'projects.GeminiFusion3D.geminifusion3d': 'tests/test_install.py'}
# The tutorial of own data with four samples, one epoch, no processes that load.
TUTORIAL = REPO / 'docs' / 'own_data.md'
NO_WORKERS = [f'{name}_dataloader.{key}' for name in ('train', 'val', 'test')
              for key in ('num_workers=0', 'persistent_workers=False')]
# One process: a fork of this one, whose threads have computed, may wait for them for ever.
SMALLER = {'synthetic': ['--scenes', '2', '--samples-per-scene', '2', '--workers', '1'],
           'train': [*NO_WORKERS, 'env_cfg.torch_threads=1'], 'test': ['--cfg-options', *NO_WORKERS]}


def page_name(page: Path) -> str:
    """Return a test's name for a page."""
    return str(page.relative_to(REPO))


def blocks(page: Path, *languages: str) -> List[str]:
    """Return the code blocks of a page in some languages."""
    return [text for language, text in FENCE.findall(page.read_text()) if language in languages]


def shown_commands(page: Path) -> Iterator[List[str]]:
    """Yield the words of every command of a page's shell blocks, variables replaced by what the page sets."""
    variables = {'PWD': '.'}
    for block in blocks(page, 'bash', 'console'):
        for line in block.replace('\\\n', ' ').splitlines():
            line = line.removeprefix('$ ').replace('<this repository>', 'ADDRESS')
            words = shlex.split(line, comments=True)
            words = [re.sub(r'\$\{?(\w+)\}?', lambda name: variables[name[1]], word) for word in words]
            while words and ASSIGNMENT.fullmatch(words[0]):
                name, value = ASSIGNMENT.fullmatch(words.pop(0)).groups()  # type: ignore[union-attr]
                variables[name] = value
            if words:
                yield words


def check_gemini3d(words: List[str]) -> None:
    """Check a command line of gemini3d with its own parser."""
    if words in ([], ['--help']):
        return
    try:
        parse(*words)
    except SystemExit as end:
        assert end.code == 0
    check_files(words)


def check_files(words: List[str]) -> None:
    """Check that configs and tools that are named exist."""
    for word in words:
        if re.match(r'(projects/GeminiFusion3D/)?configs/\S*\.py$|tools/', word) and word not in READERS_OWN:
            assert (REPO / word).is_file(), f'{word} does not exist'


def check_make(words: List[str]) -> None:
    """Check that targets and variables are the Makefile's or the set-up's."""
    makefile = (REPO / 'Makefile').read_text()
    known = makefile + (REPO / 'tools' / 'setup_env.py').read_text()
    for word in words:
        variable = ASSIGNMENT.fullmatch(word)
        if variable:
            assert re.search(rf'\b{variable[1]}\b', known), f'nothing reads {variable[1]}'
        else:
            assert re.search(rf'^{word}:', makefile, re.MULTILINE), f'make has no target {word}'


def check_python(words: List[str]) -> None:
    """Check a tool, or the package run as a module."""
    if words[:2] == ['-m', 'pytest']:
        assert all((REPO / word).is_file() for word in words if word.startswith('tests/'))
    elif words[0] == '-m':
        assert words[1] in ('geminifusion3d', 'projects.GeminiFusion3D.geminifusion3d')
        check_gemini3d(words[2:])
    else:
        check_files(words)
        check_gemini3d([Path(words[0]).stem, *words[1:]])


def check_bash(words: List[str]) -> None:
    """Check a script that starts a command on several GPUs."""
    check_files(words)
    arguments = words[1:]
    del arguments[1 if 'train' in words[0] else 2]
    check_gemini3d(['train' if 'train' in words[0] else 'test', *arguments])


def check_source(words: List[str]) -> None:
    """Check what is sourced: the environment, or the completion."""
    assert words[0] == '.venv/bin/activate' or words == ['<(gemini3d', 'completion', 'bash)']


def check_docker(words: List[str]) -> None:
    """Check that there is something to build."""
    assert (REPO / 'Dockerfile').is_file()


PROGRAMS: Dict[str, Callable[[List[str]], None]] = {
    'gemini3d': check_gemini3d, 'make': check_make, 'python': check_python, 'bash': check_bash,
    'source': check_source, 'docker': check_docker, **dict.fromkeys(('git', 'cd', 'pip'), lambda _: None)}


@pytest.mark.parametrize('page', PAGES, ids=page_name)
def test_commands_are_read_by_the_programs_that_they_name(page: Path) -> None:
    for words in shown_commands(page):
        assert words[0] in PROGRAMS, f'{words[0]} is no program that a test knows'
        try:
            PROGRAMS[words[0]](words[1:])
        except UserError as error:
            pytest.fail(f'{" ".join(words)}: {error}')


@pytest.mark.parametrize('page', PAGES, ids=page_name)
def test_commands_in_the_text_exist(page: Path) -> None:
    text = FENCE.sub('', page.read_text())
    for command in INLINE.findall(text):
        words = [word for word in shlex.split(command) if word != '...']
        try:
            PROGRAMS[words[0]](words[1:])
        except UserError as error:
            # The text may leave out what the reader has to name.
            assert 'the following arguments are required' in str(error), f'{command}: {error}'


DEMO = 'configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py'
CHECKPOINT = re.compile(r'(work_dirs/.*)/epoch_\d+\.pth$')
# Added on the tiny world, where a page's own words would take minutes.
FASTER = {'synthetic': ['--scenes', '2', '--samples-per-scene', '2', '--workers', '1'],
          'convert': ['--workers', '1'],
          'robustness': ['--corruptions', 'fog', '--severities', '3']}


def commands_to_run() -> List[List[str]]:
    """Return the words behind `gemini3d` of each command that pages show, scripts as what they start."""
    pages = sorted(PAGES, key=lambda page: (page.name != 'quickstart.md', page == TUTORIAL))
    found: List[List[str]] = []
    for words in (words for page in pages if page != TUTORIAL for words in shown_commands(page)):
        if any(name in ' '.join(words) for name in ELSEWHERE):
            continue
        if words[0] == 'bash':
            train = 'train' in words[1]
            words = ['gemini3d', 'train' if train else 'test', *words[2:3 if train else 4],
                     *words[4 if train else 5:]]
        if words[0] == 'gemini3d' and words[1:] not in found:
            found.append(words[1:])
    # Shown at the head of the page whose other commands make what it reads.
    return sorted(found, key=lambda words: words[0] == 'evaluation-tables')


def write_small_recipe(path: Path) -> None:
    """Write the demo's recipe under another's name, for one epoch on a small grid and the other's dataset."""
    from geminifusion3d.engine.config_file import load_config
    cfg = load_config(str(REPO / DEMO))
    cfg.merge_from_dict({'model.bev_grid': SMALL_GRID, 'env_cfg.torch_threads': 1, 'train_cfg.max_epochs': 1,
                         'train_cfg.val_interval': 1, 'max_epochs': 1, 'param_scheduler': []})
    synthetic = path.parent.name in ('demo', 'compare')
    root, infos = ('data/synthetic', 'mini_') if synthetic else ('data/nuscenes', '')
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        for step in loader.dataset.pipeline:
            if step.type.endswith('RangeFilter'):
                step.point_cloud_range = SMALL_GRID['range_m']
    for part in (cfg.train_dataloader.dataset, cfg.val_dataloader.dataset, cfg.test_dataloader.dataset,
                 cfg.val_evaluator, cfg.test_evaluator):
        part.update(data_root=root, ann_file=part.ann_file.replace('mini_', infos))
    path.parent.mkdir(parents=True, exist_ok=True)
    cfg.dump(path)


@pytest.mark.timeout(600)
def test_the_commands_of_the_pages_do_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                    gemini3d: Callable[..., Done]) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(REPO / 'docs', 'docs')
    Path('projects').symlink_to(REPO / 'projects')
    write_tiny_nuscenes(
        tmp_path / 'data/nuscenes', version='v1.0-trainval', scenes=(train[0], val[0]), keyframes=2)
    for words in commands_to_run():
        if 'v1.0-test' in words and not Path('data/nuscenes/v1.0-test').exists():
            write_tiny_nuscenes(tmp_path / 'data/nuscenes', version='v1.0-test', scenes=test[:1], keyframes=2)
        # The weights that come along belong to the demo's own grid; `gemini3d demo --quick` runs them.
        words = ['work_dirs/demo/epoch_1.pth' if word.endswith('.safetensors') else word for word in words]
        for word in words:
            trained = CHECKPOINT.match(word)
            if trained and not Path(word).exists():
                Path(word).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy('work_dirs/demo/epoch_1.pth', word)
            elif word.startswith('configs/') and not Path(word).exists():
                write_small_recipe(tmp_path / word)
        faster = [] if {'--modalities', '--tta'} & set(words) else FASTER.get(words[0], [])
        if '--failures' in words:
            faster = ['--severities', '3']
        done = gemini3d(*words, *faster)
        assert done.returncode == 0, f'{" ".join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}'
    for made in ('data/synthetic/geminifusion3d_infos_mini_val.pkl', 'work_dirs/sensors.png',
                 'work_dirs/demo/report.html', 'work_dirs/demo/breakdown.json',
                 'work_dirs/demo/submission/provenance.json'):
        assert Path(made).is_file(), made
    before = (REPO / 'docs' / 'evaluation.md').read_text()
    after = Path('docs/evaluation.md').read_text()
    assert after != before and after.splitlines()[0] == before.splitlines()[0]


def test_what_other_tests_run_is_there() -> None:
    assert [path for path in ELSEWHERE.values() if not (REPO / path).exists()] == []


def test_the_tutorial_leads_from_files_to_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                   gemini3d: Callable[..., Done]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'configs').mkdir()
    for part in ('_base_', 'demo'):
        (tmp_path / 'configs' / part).symlink_to(REPO / 'configs' / part)
    (tmp_path / 'configs' / 'mine.py').write_text(blocks(TUTORIAL, 'python')[0])
    ran = []
    for program, command, *words in shown_commands(TUTORIAL):
        assert program == 'gemini3d'
        words = [re.sub(r'(epoch_|max_epochs=)10', r'\g<1>1', word) for word in words]
        done = gemini3d(command, *words, *SMALLER.get(command, ()))
        assert done.returncode == 0, done.stdout + done.stderr
        assert 'warning' not in done.stdout
        ran.append(command)
    assert ran == ['synthetic', 'check-data', 'check-data', 'draw', 'train', 'test', 'predict']
    run = tmp_path / 'work_dirs' / 'mine'
    metrics = json.loads((run / 'detection_metrics.json').read_text())
    assert 0 <= metrics['mAP'] <= 1 and all(f'{name}_AP_dist_2' in metrics for name in ('car', 'person'))
    assert len(list((run / 'found').glob('*.jpg'))) == 2 and (run / 'found' / 'scene.html').is_file()


@pytest.mark.parametrize('page', PAGES, ids=page_name)
def test_code_of_the_pages_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path('points').mkdir()
    Path('points/0001.bin').write_bytes(bytes(16))
    Path('docs').mkdir()
    Path('docs/does_it_pay.json').symlink_to(REPO / 'docs' / 'does_it_pay.json')
    for code in blocks(page, 'python'):
        if code.startswith('_base_'):
            check_config(code, tmp_path)
        # tests/inference runs the code with `from_files`.
        elif 'from_files' not in code and not code.startswith('custom_imports'):
            exec(compile(code, page_name(page), 'exec'), {})
    if page == TUTORIAL:
        check_record(json.loads(Path('records.jsonl').read_text()))


def check_config(code: str, folder: Path) -> None:
    """Check that a config of a page is read, and that its model and datasets can be built."""
    from mmdet3d.registry import DATASETS, METRICS, MODELS
    from mmengine.registry import init_default_scope

    from geminifusion3d.engine.config_file import load_config
    configs = folder / 'configs'
    configs.mkdir()
    for part in ('_base_', 'demo'):
        (configs / part).symlink_to(REPO / 'configs' / part)
    (configs / 'mine.py').write_text(code)
    cfg = load_config(str(configs / 'mine.py'))
    init_default_scope('mmdet3d')
    classes = MODELS.build(cfg.model).bbox_head.classes
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        dataset = DATASETS.build(dict(loader.dataset, lazy_init=True))
        assert tuple(dataset.metainfo['classes']) == classes
    METRICS.build(cfg.test_evaluator)


def anchors(page: Path) -> List[str]:
    """Return the anchors of a page's headings, as GitHub and mkdocs write them."""
    titles = re.findall(r'^#+ (.+)$', FENCE.sub('', page.read_text()), re.MULTILINE)
    return [re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-') for title in titles]


@pytest.mark.parametrize('page', PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCE.sub('', page.read_text())):
        if link.startswith(('https://', 'http://')):
            continue
        path, _, anchor = link.partition('#')
        target = page.parent / path if path else page
        assert target.exists(), f'{link} does not exist'
        assert not anchor or anchor in anchors(target), f'{link}: {target.name} has no such heading'


@pytest.mark.parametrize('page', PAGES, ids=page_name)
def test_pages_have_no_path_of_a_machine_and_no_dialect(page: Path) -> None:
    text = page.read_text()
    assert not re.search(r'/(home|root|tmp|work|Users)/', text)
    assert not DIALECT.search(text), DIALECT.search(text)


def test_the_errors_that_are_explained_are_those_of_the_code() -> None:
    sources = [*(REPO / 'projects').rglob('*.py'), REPO / 'tools' / 'setup_env.py']
    texts = [node.value for file in sources for node in ast.walk(ast.parse(file.read_text()))
             if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    texts.append((REPO / 'Makefile').read_text())
    page = (REPO / 'docs' / 'troubleshooting.md').read_text()
    rows = re.findall(r'^\| (`.*?`)[^|]* \|', page, re.MULTILINE)
    assert len(rows) > 15
    for row in rows:
        for part in (part.strip() for part in row.strip('`').split('...')):
            assert len(part) < 4 or any(part in text for text in texts), f'no error says {part!r} ({row})'


def test_the_readme_fits_on_two_screens_and_starts_with_a_picture() -> None:
    lines = (REPO / 'README.md').read_text().splitlines()
    assert len(lines) <= 150
    assert lines[2].startswith('![')


def test_what_the_site_takes_from_the_code_is_there() -> None:
    hooks: Dict[str, Any] = {'__file__': str(REPO / 'tools' / 'docs_hooks.py'), '__name__': 'docs_hooks'}
    exec((REPO / 'tools' / 'docs_hooks.py').read_text(), hooks)
    render = partial(hooks['on_page_markdown'], page=None)
    for page in sorted((REPO / 'docs').glob('*.md')):
        text = render(page.read_text())
        assert not re.search(r'<!-- (code|doc|recipes|commands|file)', text), page.name
    fusers = render((REPO / 'docs' / 'fusers.md').read_text())
    assert 'difference = F.linear(own - other, (of_own - of_other) / 2)' in fusers
    recipes = render((REPO / 'docs' / 'recipes.md').read_text())
    assert all(f'| `{path.stem}` |' in recipes for path in (REPO / 'configs').glob('[!_]*/*.py'))
    commands = render((REPO / 'docs' / 'commands.md').read_text())
    assert all(f'\n## {name}\n' in commands for name in all_commands())


def test_the_python_page_has_every_public_name() -> None:
    text = (REPO / 'docs' / 'python.md').read_text()
    assert [name for name in geminifusion3d.__all__ if not re.search(rf'\b{name}\b', text)] == []


def test_every_page_is_in_the_navigation() -> None:
    navigation = (REPO / 'mkdocs.yml').read_text().partition('nav:')[2]
    assert [page.name for page in (REPO / 'docs').glob('*.md') if page.name not in navigation] == []


def test_the_repository_has_what_a_visitor_looks_for() -> None:
    for name in ('CITATION.cff', 'CONTRIBUTING.md', 'Dockerfile', '.github/ISSUE_TEMPLATE/bug.yml'):
        assert (REPO / name).is_file(), name
