"""The page: everything inside, nothing fetched, nothing broken, readable by a browser."""
import dataclasses
import json
import re
import shutil
from html.parser import HTMLParser

import pytest

from gemini_lab.report.build import ReportRequest, write_report
from geminifusion3d.errors import UserError

VOID_TAGS = {'meta', 'link', 'img', 'input', 'br'}


class Outline(HTMLParser):
    """Collects tags with their attributes and checks that they close in order."""

    def __init__(self):
        super().__init__()
        self.tags, self.open, self.wrong = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def request_of(metrics_dir, root, **changes):
    return ReportRequest(**{
        'metrics_dir': metrics_dir, 'dataroot': root, 'version': 'v1.0-mini', 'split': 'mini_val',
        'num_samples': 2, 'num_worst': 1, 'resamples': 0, 'title': 'Tiny & <small>',
        **changes})


@pytest.fixture(scope='module')
def train_log(tmp_path_factory):
    path = tmp_path_factory.mktemp('log') / 'loss_curve.jsonl'
    path.write_text(''.join(f'{{"iter": {i}, "loss": {9 / i}, "lr": 0.1}}\n'
                            for i in range(1, 30)))
    return path


@pytest.fixture(scope='module')
def page_path(metrics_dir, tiny_root, train_log, tmp_path_factory):
    path = tmp_path_factory.mktemp('page') / 'report.html'
    write_report(request_of(metrics_dir, tiny_root, train_log=train_log), path)
    return path


@pytest.fixture(scope='module')
def outline(page_path):
    outline = Outline()
    outline.feed(page_path.read_text())
    return outline


def test_every_tag_closes_in_order(outline):
    assert outline.wrong == []
    assert outline.open == []


def test_every_picture_is_inside_the_page(outline):
    images = [attributes for tag, attributes in outline.tags if tag == 'img']
    # That of the head and two more, with six cameras and one view from above each.
    assert len(images) == 21
    assert all(image['src'].startswith('data:image/') for image in images)
    assert all(image['alt'] for image in images)


def test_nothing_is_fetched(page_path, outline):
    links = [value for _, attributes in outline.tags for name, value in attributes.items()
             if name in ('src', 'href')]
    assert all(link.startswith(('data:', '#')) for link in links)
    assert not re.search(r'https?://|url\((?!#)|@import|fetch\(', page_path.read_text())


def test_all_sections_are_there_and_the_head_shows_a_sample(page_path, outline):
    sections = [attributes['id'] for tag, attributes in outline.tags if tag == 'section']
    assert sections == ['metrics', 'curves', 'errors', 'breakdown', 'training', 'worst', 'scene', 'samples']
    # Classes, parts and their classes, worst samples.
    assert sum(tag == 'table' for tag, _ in outline.tags) == 4
    assert sum(tag == 'article' for tag, _ in outline.tags) == 3
    head = page_path.read_text().split('<main>')[0]
    assert head.count('<article') == 1 and 'Most objects found' in head


def test_classes_without_a_match_are_a_line_and_no_chart(page_path):
    text = page_path.read_text()
    # The pedestrian is predicted 1.5 m off; trucks and others are not there.
    assert text.count('<figure class="small">') == 4
    assert 'Not in this split: truck, construction vehicle, bus,' in text


def test_what_the_user_wrote_is_escaped(page_path):
    text = page_path.read_text()
    assert '<h1>Tiny &amp; &lt;small&gt;</h1>' in text
    assert 'A &lt;quiet&gt; street &amp; nobody' in text
    assert '<dt>sensors</dt><dd>camera + LiDAR</dd>' in text
    assert '<dd>v1.0-mini, mini_val: 2 scenes, 4 samples</dd>' in text
    assert '<dt>trained</dt><dd>29 iterations</dd>' in text


def test_no_figure_reads_nan(page_path):
    assert not re.search(r'\bnan\b', page_path.read_text(), re.IGNORECASE)


def test_same_inputs_same_bytes(page_path, metrics_dir, tiny_root, train_log, tmp_path):
    again = tmp_path / 'again.html'
    write_report(request_of(metrics_dir, tiny_root, train_log=train_log), again)
    assert again.read_bytes() == page_path.read_bytes()


def test_a_training_in_the_work_directory_is_found_and_without_one_there_is_no_section(
        metrics_dir, tiny_root, tmp_path):
    write_report(request_of(metrics_dir, tiny_root, num_samples=0, num_worst=0), tmp_path / 'report.html')
    assert 'id="training"' not in (tmp_path / 'report.html').read_text()
    folder = tmp_path / 'work'
    shutil.copytree(metrics_dir, folder)
    (folder / 'loss_curve.jsonl').write_text('{"iter": 1, "loss": 2.0}\n{"iter": 2, "loss": 1.0}\n')
    write_report(request_of(folder, tiny_root, num_samples=0, num_worst=0), tmp_path / 'report.html')
    assert 'id="training"' in (tmp_path / 'report.html').read_text()


def test_hostile_names_are_words_everywhere(metrics_dir, other_dir, tiny_root, tmp_path):
    hostile = '<script>alert("x")</script>&amp;'
    root, other = tmp_path / 'data', tmp_path / '<img src=x onerror=y>'
    shutil.copytree(tiny_root, root)
    shutil.copytree(other_dir, other)
    scenes = json.loads((root / 'v1.0-mini' / 'scene.json').read_text())
    for scene in scenes:
        scene['description'] = hostile
    (root / 'v1.0-mini' / 'scene.json').write_text(json.dumps(scenes))
    visibility = [{'token': '4', 'level': 'v80-100', 'description': hostile}]
    (root / 'v1.0-mini' / 'visibility.json').write_text(json.dumps(visibility))
    (root / 'v1.0-mini' / 'log.json').write_text(json.dumps([{
        'token': 'log', 'logfile': 'log', 'vehicle': 'v', 'date_captured': '2026-01-01',
        'location': hostile}]))
    log = tmp_path / 'loss_curve.jsonl'
    log.write_text(''.join(json.dumps({'iter': i, 'loss': 1 / i, f'loss_{hostile}$': 1.0, 'loss_b': 1.0})
                           + '\n' for i in range(1, 9)))
    write_report(request_of(metrics_dir, root, title=hostile, compare=other,
                            train_log=log), tmp_path / 'report.html')
    text = (tmp_path / 'report.html').read_text()
    outline = Outline()
    outline.feed(text)
    assert outline.wrong == [] and outline.open == []
    assert [tag for tag, _ in outline.tags].count('script') == 1
    assert not any('onerror' in attributes for _, attributes in outline.tags)
    # Escaped once: what a reader sees is what was written.
    assert text.count('&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;&amp;amp;') >= 5
    assert '&amp;lt;' not in text


def test_without_annotations_only_predictions_are_drawn(metrics_dir, tiny_root, tmp_path):
    root = tmp_path / 'test_like'
    shutil.copytree(tiny_root, root)
    for name in ('instance', 'sample_annotation'):
        (root / 'v1.0-mini' / f'{name}.json').write_text('[]')
    write_report(request_of(metrics_dir, root), tmp_path / 'report.html')
    text = (tmp_path / 'report.html').read_text()
    assert '<g class="truth' not in text
    assert 'class="pred' in text
    assert 'Not available: the split has no annotations.' in text
    assert 'Most objects found' not in text


def test_links_lead_to_places_of_the_page(page_path, outline):
    places = {attributes['id'] for _, attributes in outline.tags if 'id' in attributes}
    links = [attributes['href'][1:] for tag, attributes in outline.tags if tag == 'a']
    # A sample of the worst is pictured.
    assert any(link.startswith('sample-') for link in links)
    assert set(links) <= places


def test_predictions_of_some_samples_are_shown_without_an_analysis(metrics_dir, tiny_root, tmp_path):
    content = json.loads((metrics_dir / 'results_nusc.json').read_text())
    del content['results']['scene-0103-a']
    (tmp_path / 'some.json').write_text(json.dumps(content))
    request = request_of(metrics_dir, tiny_root, results=tmp_path / 'some.json')
    report = write_report(request, tmp_path / 'report.html')
    assert report.analysis is None
    assert 'of 3 of the split&#39;s 4 samples' in (tmp_path / 'report.html').read_text()
    with pytest.raises(UserError, match='cannot be compared: the predictions are of 3'):
        write_report(dataclasses.replace(request, compare=metrics_dir), tmp_path / 'report.html')


def test_another_model_stands_beside_this_one(metrics_dir, other_dir, tiny_root, tmp_path):
    write_report(request_of(metrics_dir, tiny_root, compare=other_dir), tmp_path / 'report.html')
    text = (tmp_path / 'report.html').read_text()
    assert '<section id="models">' in text
    assert '<g class="other' in text
    assert f'Found by {metrics_dir.name} alone' in text


def test_chosen_samples_are_shown_in_the_order_given(metrics_dir, tiny_root, tmp_path):
    tokens = ('scene-0916-b', 'scene-0103-a')
    report = write_report(request_of(metrics_dir, tiny_root, sample_tokens=tokens),
                          tmp_path / 'report.html')
    assert tuple(card.sample.token for card in report.cards) == tokens


def test_samples_of_another_split_are_refused_and_nothing_is_written(metrics_dir, tiny_root,
                                                                     tmp_path):
    with pytest.raises(UserError, match='sample nobody is not in split'):
        write_report(request_of(metrics_dir, tiny_root, sample_tokens=('nobody',)),
                     tmp_path / 'report.html')
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_is_named(metrics_dir, tiny_root, tmp_path):
    with pytest.raises(UserError, match='cannot write'):
        write_report(request_of(metrics_dir, tiny_root, num_samples=0, num_worst=0), tmp_path)


def test_predictions_of_other_samples_are_refused(metrics_dir, tiny_root, tmp_path):
    (tmp_path / 'other.json').write_text('{"meta": {}, "results": {"nobody": []}}')
    with pytest.raises(UserError, match='none of the samples'):
        write_report(request_of(metrics_dir, tiny_root, results=tmp_path / 'other.json'),
                     tmp_path / 'report.html')
