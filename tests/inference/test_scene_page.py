"""The 3D page in a real browser: it draws, counts, follows its controls, and fetches nothing."""
import html
import json
import re
import shutil
import subprocess

import pytest

from geminifusion3d.inference.scene_page import write_scene_page

CHECK = r'''<script>
window.addEventListener("load", () => {
  const lit = () => pen.getImageData(0, 0, canvas.width, canvas.height).data
    .reduce((sum, value, i) => sum + (i % 4 < 3 && value > 100), 0);
  const found = {lit: lit(), classes: get("classes").children.length, points: points.length / 3};
  get("score").value = 0.05; get("score").oninput(); found.all = get("note").textContent;
  for (const box of get("classes").querySelectorAll("input")) box.click();
  found.none = get("note").textContent;
  get("scene").onchange({target: {value: 1}}); found.second = scene.token; found.truth = get("truths").value;
  const before = pen.getImageData(0, 0, canvas.width, canvas.height).data.slice();
  canvas.onwheel({deltaY: 400, preventDefault() {}});
  const after = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  found.zooms = before.some((value, i) => value !== after[i]);
  found.fetched = performance.getEntriesByType("resource").length;
  document.body.append(Object.assign(document.createElement("pre"), {id: "found", textContent: JSON.stringify(found)}));
});
</script>'''


def test_the_page_works_in_a_browser(detector, sample, tmp_path):
    browser = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
    if browser is None:
        pytest.skip('no Chromium here')
    other = type(sample)({**sample.info, 'token': '</script><b>', 'instances': []}, sample.root)
    found = detector([sample, other])
    write_scene_page(tmp_path / 'scene.html', detector, [sample, other], found)
    page = (tmp_path / 'scene.html').read_text()
    assert 'http:' not in page and 'https:' not in page and '</script><b>' not in page
    (tmp_path / 'checked.html').write_text(page.replace('</body>', CHECK + '</body>'))
    dump = subprocess.run([browser, '--headless', '--no-sandbox', '--disable-gpu', '--virtual-time-budget=4000', '--dump-dom',
                           f'--user-data-dir={tmp_path / "profile"}', (tmp_path / 'checked.html').as_uri()],
                          capture_output=True, text=True, timeout=120).stdout
    seen = json.loads(html.unescape(re.search('<pre id="found">(.*?)</pre>', dump, re.DOTALL)[1]))
    assert seen['lit'] > 1000 and seen['classes'] == 10 and seen['points'] > 1000 and seen['zooms']
    assert seen['all'] == f'{len(found[0].above(0.05))} predictions shown'
    assert seen['none'].startswith('No prediction to show') and seen['second'] == '</script><b>'
    assert seen['truth'] == 'not known' and seen['fetched'] == 0
