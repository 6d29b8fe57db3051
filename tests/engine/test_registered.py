"""The registries know the plugin's and mmdet3d's classes without being asked for one before."""
from geminifusion3d.engine.mistakes import accepts_argument, registered_names


def test_classes_of_plugin_and_host_are_listed() -> None:
    assert {'GeminiNuScenesMetric', 'NuScenesMetric'} <= set(registered_names('metric'))
    # AdamW comes from mmengine, the parent of mmdet3d's registry.
    assert 'AdamW' in registered_names('optimizer')


def test_arguments_of_a_constructor_are_known() -> None:
    assert accepts_argument('GeminiNuScenesMetric', 'out_dir')
    assert accepts_argument('GeminiNuScenesDataset', 'seed')
    assert accepts_argument('AdamW', 'amsgrad')
    assert not accepts_argument('GeminiNuScenesMetric', 'out_dri')
    assert not accepts_argument('NoSuchClass', 'out_dir')
