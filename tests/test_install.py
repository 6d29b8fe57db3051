"""The two ways to use the plugin: installed, and dropped into an mmdetection3d tree."""
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
DROPPED_IN = """
import sys
sys.path[:] = [entry for entry in sys.path if 'geminifusion3d' not in entry.lower()]
sys.meta_path[:] = [finder for finder in sys.meta_path
                    if '__editable__' not in getattr(finder, '__module__', '')]
from mmengine.config import Config
config = Config.fromfile('config.py')
package = sys.modules['projects.GeminiFusion3D.geminifusion3d']
assert 'geminifusion3d' not in sys.modules, 'an absolute import inside the package'
assert 'mmdet3d.models' not in sys.modules, 'the package loads the models before they are needed'
from mmdet3d.registry import DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS
for registry, name in ((HOOKS, 'GeminiEpochHook'), (MODELS, 'GeminiFusion3D'),
                       (DATASETS, 'GeminiNuScenesDataset'), (METRICS, 'GeminiNuScenesMetric'),
                       (TRANSFORMS, 'GeminiLoadPoints')):
    print(registry.get(name).__name__, registry.get(name).__module__.split('.')[0])
assert 'geminifusion3d' not in sys.modules, 'an absolute import inside a module'
"""


def test_the_packages_are_importable_from_anywhere(tmp_path):
    code = 'import data_converters, geminifusion3d; print(geminifusion3d.__file__)'
    ended = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, text=True,
                           capture_output=True)
    assert ended.returncode == 0, ended.stderr
    assert Path(ended.stdout.strip()).is_file()


def test_the_project_works_inside_an_mmdetection3d_tree(tmp_path):
    (tmp_path / 'projects').mkdir()
    (tmp_path / 'projects' / 'GeminiFusion3D').symlink_to(REPO / 'projects' / 'GeminiFusion3D')
    (tmp_path / 'config.py').write_text(
        "custom_imports = dict(imports=['projects.GeminiFusion3D.geminifusion3d'])\n")
    ended = subprocess.run([sys.executable, '-W', 'ignore', '-c', DROPPED_IN], cwd=tmp_path,
                           text=True, capture_output=True)
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) == 5
    assert all(line.endswith(' projects') for line in ended.stdout.splitlines())


def test_a_host_that_is_already_in_use_gets_the_plugin_at_once():
    code = ('from mmdet3d.registry import MODELS; MODELS.get("CenterHead"); import geminifusion3d; '
            'assert "GeminiFusion3D" in MODELS.module_dict')
    ended = subprocess.run([sys.executable, '-c', code], text=True, capture_output=True)
    assert ended.returncode == 0, ended.stderr
