"""The log-log chart: powers of ten are equally far apart, names do not cover each other."""
import re
from xml.etree import ElementTree

from gemini_lab.benchmark.log_log_chart import HEIGHT, LINE_HEIGHT, log_log_chart

LINES = {'ours & others': [(1000, 1.0), (10000, 10.0), (100000, 100.0)],
         'quadratic': [(1000, 1.0), (10000, 100.0)],
         'same end': [(1000, 2.0), (100000, 100.0)]}


def chart(**lines):
    """Returns the chart of LINES as text."""
    return log_log_chart(lines or LINES, title='Time < cells', x_label='cells', y_label='ms',
                         x_ticks=[1000, 10000, 100000])


def test_equal_ratios_are_equal_distances():
    places = re.search('polyline points="([^"]+)"', chart()).group(1).split()
    (x0, y0), (x1, y1), (x2, y2) = (tuple(map(float, place.split(','))) for place in places)
    assert abs((x1 - x0) - (x2 - x1)) < 0.2 and abs((y0 - y1) - (y1 - y2)) < 0.2
    assert x0 < x1 and y1 < y0, 'larger values lie further right and higher'


def test_it_is_a_well_formed_file_with_every_name_and_the_same_bytes_each_time():
    root = ElementTree.fromstring(chart())
    texts = [node.text for node in root.iter() if node.tag.endswith('text')]
    assert {'ours & others', 'quadratic', 'same end', 'cells', 'ms', 'Time < cells', '10,000'} <= set(texts)
    assert chart() == chart()


def test_names_of_lines_that_end_together_stand_apart():
    heights = sorted(float(y) for y in re.findall(r'<text x="516" y="([\d.]+)"', chart()))
    assert len(heights) == 3 and heights[-1] < HEIGHT
    assert all(low - high >= LINE_HEIGHT - 0.1 for high, low in zip(heights, heights[1:]))


def test_a_single_point_and_an_empty_line_are_drawn_without_fail():
    assert 'circle' in chart(one=[(1000, 5.0)], none=[])
