"""Pipelines with their ratios, then our steps."""
from gemini_lab.benchmark.data_tables import OURS, data_markdown
from gemini_lab.benchmark.rows import Row


def row(name: str, median_s: float, mode: str = 'test', **facts: float) -> Row:
    return Row(name=name, device='cpu', dtype='uint8', shape='6 pictures', median_s=median_s, spread=0.001,
               mode=mode, facts=facts)


def test_a_line_for_each_pipeline_and_each_of_our_steps():
    text = data_markdown([
        row(OURS, 0.04, samples_per_s=25, psnr_db=44.31, mean_difference=0.871),
        row(f'{OURS}: GeminiLoadImages', 0.025, mode='step of test'),
        row('BEVFusion project', 0.2, samples_per_s=5),
        row('BEVFusion project: ImageAug3D', 0.1, mode='step of test')])
    lines = text.splitlines()
    assert lines[0] == '6 pictures:'
    assert lines[4] == '| this project | test | 40.0 ms | 1.00 ms | 25.0 | 1.0 | 44.3 dB | 0.87 of 255 |'
    # 0.2 s a keyframe are five a second, and five times as long as 0.04 s.
    assert lines[5] == '| BEVFusion project | test | 200 ms | 1.00 ms | 5.0 | 5.0 | – | – |'
    assert lines[-1] == '| `GeminiLoadImages` | test | 25.0 ms |'
    assert 'ImageAug3D' not in text
