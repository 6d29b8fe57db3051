"""The voxelisation's benchmark: what is measured, what is said about it, ratios against mmcv."""
from commands import benchmark_arguments

from gemini_lab.benchmark.rows import Row
from gemini_lab.benchmark.subcommands import voxelize


def test_all_are_measured_on_one_cloud():
    arguments = benchmark_arguments(['voxelize', '--sweeps', '1', '--repeats', '1', '--warm-up', '0',
                                     '--device', 'cpu', '--quiet'])
    rows = voxelize.run(arguments)
    assert [row.name for row in rows] == [voxelize.OURS, voxelize.OURS_HARD, voxelize.MMCV]
    # A sweep of 32 beams in 1080 directions; some beams end beyond the range.
    assert all(row.shape.startswith('34560 points, ') for row in rows)
    assert 20_000 < rows[0].facts['voxels'] <= rows[0].facts['points_inside'] < 34_560
    assert 'no mean' in rows[2].includes and rows[2].peak_bytes is None
    assert all(row.median_s > 0 for row in rows)


def test_the_table_compares_with_mmcv():
    rows = [Row(name=name, device='cpu', dtype='float32', shape='9 points, 3 voxels', median_s=median_s,
                spread=0.0) for name, median_s in ((voxelize.OURS, 0.01), (voxelize.MMCV, 0.2))]
    lines = voxelize.markdown(rows).splitlines()
    assert lines[0] == '9 points, 3 voxels.'
    assert lines[4].endswith('20.0 × as fast |') and lines[5].endswith('|  |')
    # On a GPU mmcv's operator does not run here: nothing to compare with.
    assert voxelize.markdown(rows[:1]).splitlines()[4].endswith('|  |')
