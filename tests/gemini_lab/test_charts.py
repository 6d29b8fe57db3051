"""The log-log chart: every name is there, escaped, and the bytes are the same each time."""
from xml.etree import ElementTree

from gemini_lab.charts import log_log_chart

LINES = {'ours & others': [(1000, 1.0), (10000, 10.0), (100000, 100.0)],
         'quadratic <b>': [(1000, 1.0), (10000, 100.0)], 'none': []}


def chart(lines):
    """Returns the chart as text."""
    return log_log_chart(lines, title='Time < cells', x_label='cells', y_label='ms',
                         x_ticks=[1000, 10000, 100000])


def test_it_is_a_well_formed_file_with_every_name_and_the_same_bytes_each_time():
    root = ElementTree.fromstring(chart(LINES))
    texts = [node.text for node in root.iter() if node.tag.endswith('text')]
    assert {'ours & others', 'quadratic <b>', 'cells', 'ms', 'Time < cells', '10,000'} <= set(texts)
    assert 'none' not in texts and chart(LINES) == chart(LINES)


def test_a_single_point_is_drawn_without_fail():
    ElementTree.fromstring(chart({'one': [(1000, 5.0)]}))
