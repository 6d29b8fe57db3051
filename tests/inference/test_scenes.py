"""The 3D page in a real browser: it draws, counts, follows its controls, and fetches nothing."""
import base64
import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from geminifusion3d.inference.scenes import write_scene_page
from geminifusion3d.scene_page import frustum, scene_content, scene_page

HOSTILE = '</script><img src=x onerror=alert(1)>\u2028"\''
LISTEN = '''<script>
window.complaints = [];
window.addEventListener("error", event => complaints.push(String(event.message)), true);
for (const level of ["error", "warn"]) console[level] = text => complaints.push(String(text));
window.alert = text => complaints.push(text);
</script>'''
CHECK = r'''<script>
window.addEventListener("load", () => {
  const pixels = () => {
    const all = new Uint8Array(4 * canvas.width * canvas.height);
    gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, all);
    return all;
  };
  const looks = change => {
    draw(); const before = pixels(); change(); draw();
    return pixels().reduce((sum, value, i) => sum + (value !== before[i]), 0);
  };
  const slide = value => { get("score").value = value; get("score").oninput(); return drawn.boxes.length; };
  draw();
  const found = {lit: pixels().reduce((sum, value, i) => sum + (i % 4 < 3 && value > 100), 0),
                 title: get("title").textContent, error: gl.getError(),
                 points: bytes(scene.intensity).length, omitted: scene.omitted};
  found.all = slide(0.05); found.none = slide(1); found.noneNote = get("note").textContent;
  slide(0.05); found.truth = drawn.truth.length;
  const boxes = get("classes").querySelectorAll("input");
  boxes[0].click();
  [found.withoutFirst, found.truthWithoutFirst] = [drawn.boxes.length, drawn.truth.length];
  boxes[0].click();
  found.toggled = looks(() => boxes.forEach(box => box.click()));
  found.off = drawn.boxes.length + drawn.truth.length;
  boxes.forEach(box => box.click());
  get("truth").click(); found.truthOff = drawn.truth.length; get("truth").click();
  slide(1); found.cameras = looks(() => get("cameras").click()); slide(0.05);
  found.intensity = looks(() => { get("shade").value = 1; });
  const drag = (shiftKey, buttons) => looks(
    () => canvas.onpointermove({shiftKey, buttons, movementX: 30, movementY: 9}));
  found.moved = [drag(false, 1), drag(true, 1), drag(false, 2),
                 looks(() => canvas.dispatchEvent(new WheelEvent("wheel", {deltaY: 300}))),
                 looks(() => canvas.onkeydown({key: "ArrowLeft", preventDefault() {}}))];
  found.still = drag(false, 0);
  get("scene").onchange({target: {value: 1}});
  found.second = [
    scene.token, get("scene").options[1].text, get("truths").value, get("note").textContent];
  found.fetched = performance.getEntriesByType("resource").length;
  report(found);
});
</script>'''
REPORT = r'''<script>
function report(found) {
  const text = JSON.stringify({...found, complaints, text: document.body.innerText});
  document.body.append(Object.assign(document.createElement("pre"), {id: "found", textContent: text}));
}
</script>'''


def in_browser(page: str, folder: Path, check: str, *flags: str) -> dict:
    """What a check finds in a page, and what the page complains about."""
    browser = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
    if browser is None:
        pytest.skip('no Chromium here')
    # Nobody but the test adds script to the page, whose policy allows what stands in it.
    assert page.count('</head>') == page.count('</body>') == 1
    path = folder / 'checked.html'
    page = page.replace('</head>', LISTEN + REPORT + '</head>')
    path.write_text(page.replace('</body>', check + '</body>'))
    dump = subprocess.run(
        [browser, '--headless', '--no-sandbox', '--disable-gpu', '--enable-unsafe-swiftshader', '--dump-dom',
         '--virtual-time-budget=4000', f'--user-data-dir={folder / "profile"}', *flags, path.as_uri()],
        capture_output=True, text=True, timeout=200).stdout
    return json.loads(html.unescape(re.search('<pre id="found">(.*?)</pre>', dump, re.DOTALL)[1]))


def test_the_page_of_predictions_works_in_a_browser(detector, sample, tmp_path):
    other = type(sample)({**sample.info, 'token': HOSTILE, 'instances': []}, sample.root)
    found = detector([sample, other])
    write_scene_page(tmp_path / 'scene.html', detector, [sample, other], found)
    page = (tmp_path / 'scene.html').read_text()
    assert 'http:' not in page and 'https:' not in page and '<img' not in page
    seen = in_browser(page, tmp_path, CHECK)
    assert seen['complaints'] == [] and seen['error'] == 0 and seen['fetched'] == 0
    assert seen['lit'] > 1000 and seen['points'] > 1000 and seen['omitted'] == 0
    shown, truth = found[0].above(0.05), detector.truth_of(sample)['gt_labels_3d']
    assert 0 == seen['none'] < seen['all'] == len(shown)
    assert seen['noneNote'] == f'No prediction to show; the best score is {shown.scores[0]:.2f}'
    assert seen['withoutFirst'] == (shown.labels != 0).sum()
    assert (seen['truth'], seen['truthWithoutFirst']) == (len(truth), (truth != 0).sum())
    assert seen['off'] == seen['truthOff'] == seen['still'] == 0 and min(seen['moved']) > 1000
    assert min(seen[key] for key in ('toggled', 'cameras', 'intensity')) > 100
    assert seen['second'] == [HOSTILE, HOSTILE, 'not known', f'{len(found[1].above(0.05))} predictions shown']


def test_names_become_text_and_many_points_fewer(tmp_path):
    place = np.arange(4000)
    points = np.column_stack([place % 60 - 30., place % 7, place % 5, place % 2])
    rows = np.array([[10, 0, 0, 4, 2, 1.5, 0, 0, 0.9], [np.nan] * 9])
    scenes = [scene_content(HOSTILE, points, rows, None, [], max_points=1000)] * 2
    seen = in_browser(scene_page(scenes, [HOSTILE], [(255, 0, 0)], title=HOSTILE), tmp_path, CHECK)
    assert seen['complaints'] == [] and seen['title'] == HOSTILE and HOSTILE in seen['text'].replace('\n', '')
    assert (seen['points'], seen['omitted'], seen['all']) == (1000, 3000, 1)
    # By lot: of the even and the odd rows about as many.
    assert 400 < sum(base64.b64decode(scenes[0]['intensity'])) < 600


def test_without_webgl_it_says_what_to_do(tmp_path):
    scenes = [scene_content('one', np.zeros((0, 4)), np.zeros((0, 9)), None, [])]
    page = scene_page(scenes, ['car'], [(255, 0, 0)], title='recipe')
    seen = in_browser(page, tmp_path, '<script>onload = () => report({})</script>', '--disable-3d-apis')
    assert seen['complaints'] == []
    assert seen['text'].startswith('This browser offers no WebGL, which the 3D view needs: switch on')


def test_a_frustum_is_what_the_camera_sees():
    """Focal length 100 px, 200 x 100 pixels: at 2.5 m, 2.5 m to each side and 1.25 m up and down."""
    cam2img = np.array([[100., 0, 100], [0, 100, 50], [0, 0, 1]])
    lidar_from_cam = np.array([[1., 0, 0, 5], [0, 0, 1, 0], [0, -1, 0, 1], [0, 0, 0, 1]])
    assert frustum(cam2img, lidar_from_cam, 200, 100) == [
        [5, 0, 1], [2.5, 2.5, 2.25], [7.5, 2.5, 2.25], [7.5, 2.5, -0.25], [2.5, 2.5, -0.25]]
