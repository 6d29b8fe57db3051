"""The page in a real browser, which checks it from inside; skipped where there is no Chromium.

A script that is added to a copy of the page uses it as a reader would, and leaves its findings in the
page, which the browser then prints.
"""
import html
import json
import re
import shutil
import subprocess

import pytest

from gemini_lab.report.build import ReportRequest, write_report
from gemini_lab.robustness.suite import RobustnessReport

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
SCORES = {'clean': {'mAP': 0.4, 'NDS': 0.5}, 'fog-1': {'mAP': 0.2, 'NDS': 0.25}}

LISTEN = '''<script>
window.complaints = [];
window.addEventListener("error", event => complaints.push(String(event.message)), true);
window.addEventListener("unhandledrejection", event => complaints.push(String(event.reason)));
for (const level of ["error", "warn"]) console[level] = text => complaints.push(String(text));
</script>'''

CHECK = r'''<script>
window.addEventListener("load", () => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const shown = selector => all(selector).filter(
    element => getComputedStyle(element).display !== "none").length;
  const found = {images: all("img").length, tables: 0, unsorted: [], lost: []};
  found.broken = all("img").filter(image => !image.complete || image.naturalWidth === 0).length;
  found.unnamed = all("img").filter(image => !image.alt).length;
  found.fetched = performance.getEntriesByType("resource").map(entry => entry.name)
    .filter(name => !name.startsWith("data:"));
  for (const table of all("table.sortable")) {
    found.tables += 1;
    const groups = () => [...table.tBodies].map(
      body => [...body.rows].filter(row => !row.matches(".group")));
    const texts = () => groups().map(rows => rows.map(row => row.textContent).sort().join()).join("|");
    const before = texts();
    all("thead button", table).forEach((button, column) => {
      for (const way of [0, 1]) {
        button.click();
        const order = button.parentElement.getAttribute("aria-sort");
        for (const rows of groups()) {
          const numbers = rows.map(row => row.cells[column].textContent.trim()
              .replace("\u2212", "-").replaceAll(",", ""))
            .filter(text => /^[+-]?[\d.]+( |$)/.test(text)).map(parseFloat);
          const isSorted = numbers.every((value, i) => i === 0 || (order === "ascending"
            ? numbers[i - 1] <= value : numbers[i - 1] >= value));
          if (!order || !isSorted) found.unsorted.push([button.textContent, order, numbers]);
        }
      }
    });
    if (texts() !== before) found.lost.push(before);
  }
  const classHead = all("#metrics thead button")[3];
  classHead.click();
  found.bestClass = document.querySelector("#metrics tbody th").textContent;

  const slider = document.querySelector("#samples input[type=range]");
  const slide = score => { slider.value = score; slider.dispatchEvent(new Event("input")); };
  found.controls = getComputedStyle(document.querySelector("#samples .controls")).display;
  slide(0); found.predictionsAtZero = shown(".over .pred"); found.missedAtZero = all(".over .missed").length;
  slide(1); found.predictionsAtOne = shown(".over .pred"); found.missedAtOne = all(".over .missed").length;
  slide(0.5); found.missedAtHalf = all(".truth.missed").length;
  found.truthAtHalf = shown(".truth[data-found]");
  const choose = name => document.querySelector(`[data-toggle=${name}]`).click();
  choose("only-errors"); found.truthOnlyErrors = shown(".truth[data-found]"); choose("only-errors");
  found.otherBefore = shown(".over .other"); choose("show-other"); slide(0);
  found.otherAfter = shown(".over .other");

  const inner = document.querySelector("iframe.scene").contentDocument;
  const reach = score => {
    const bar = inner.getElementById("score"); bar.value = score; bar.oninput();
    return inner.getElementById("note").textContent;
  };
  found.scene = [inner.querySelectorAll("#scene option").length, reach(0.05), reach(0.95)];
  const figure = document.querySelector(".zoomable");
  const press = (target, key) => target.dispatchEvent(
    new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
  press(figure, "Enter"); found.enlarged = figure.classList.contains("zoom");
  press(document, "Escape"); found.closed = !figure.classList.contains("zoom");
  press(figure, " "); found.enlargedBySpace = figure.classList.contains("zoom");
  found.unreachable = all(".zoomable, .scroll").filter(element => element.tabIndex < 0).length;
  found.tooWide = document.documentElement.scrollWidth > innerWidth;
  const findings = document.createElement("pre");
  findings.id = "findings";
  findings.textContent = JSON.stringify({...found, complaints});
  document.body.append(findings);
});
</script>'''


# The window is loaded when this failed, other than a fetch.
SPOIL = '''<link rel="stylesheet" href="https://example.org/font"><script>
document.querySelector("img").src = "data:image/png;base64,AAAA";
for (const row of document.querySelectorAll("#metrics tbody tr")) row.cells[1].dataset.order = row.rowIndex;
console.error("something is wrong");
undefinedFunction();
</script>'''


@pytest.fixture(scope='module')
def page(tiny_root, metrics_dir, other_dir, tmp_path_factory):
    """A report with every section."""
    folder = tmp_path_factory.mktemp('page')
    (folder / 'robustness.json').write_text(
        json.dumps(RobustnessReport(SCORES, ['fog'], [1]).to_json()))
    write_report(ReportRequest(
        metrics_dir=metrics_dir, dataroot=tiny_root, version='v1.0-mini', split='mini_val',
        num_samples=1, num_worst=1, resamples=2, compare=other_dir,
        robustness=folder / 'robustness.json'), folder / 'report.html')
    return (folder / 'report.html').read_text()


def opened(page, folder, *, size='1280,900'):
    """Opens a page in a browser that reaches no network, and returns what its own check found."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip('no Chromium here: the page is not opened in a browser')
    checked = folder / 'checked.html'
    checked.write_text(page.replace('<head>', '<head>' + LISTEN).replace('</body>', CHECK + '</body>'))
    done = subprocess.run(
        [browser, '--headless', '--no-sandbox', '--disable-gpu', '--enable-unsafe-swiftshader',
         '--no-first-run', '--disable-quic',
         '--disable-background-networking', '--disable-component-update', '--disable-sync',
         '--enable-logging=stderr', '--v=0', f'--window-size={size}',
         '--host-resolver-rules=MAP * ~NOTFOUND', '--virtual-time-budget=10000',
         f'--user-data-dir={folder / "profile"}', '--dump-dom', f'file://{checked}'],
        capture_output=True, text=True, timeout=240)
    found = re.search(r'<pre id="findings">(.*?)</pre>', done.stdout, re.DOTALL)
    if found is None:
        pytest.fail(f'the check inside the page did not end:\n{done.stderr[-2000:]}')
    said = [line for line in done.stderr.splitlines() if 'CONSOLE' in line and 'WebGL' not in line]
    return {**json.loads(html.unescape(found.group(1))), 'console': said}


@pytest.fixture(scope='module')
def findings(page, tmp_path_factory):
    """What is found in the page."""
    return opened(page, tmp_path_factory.mktemp('browser'))


def test_the_console_stays_silent_and_nothing_is_fetched(findings):
    assert findings['complaints'] == []
    # But for the browser's own notes on WebGL by software.
    assert findings['console'] == []
    assert findings['fetched'] == []


def test_every_image_loads_and_has_a_text(findings):
    # The best, the worst, which is also the most different one; seven pictures each.
    assert findings['images'] % 7 == 0 and findings['images'] >= 14
    assert (findings['broken'], findings['unnamed']) == (0, 0)


def test_every_table_sorts_both_ways_and_keeps_its_rows(findings):
    # Classes 1, breakdown 2, robustness 2, comparison 4 and those that one model found alone, worst 1.
    assert findings['tables'] in (11, 12)
    assert findings['unsorted'] == []
    assert findings['lost'] == []
    assert findings['bestClass'] == 'car'


def test_the_slider_hides_predictions_and_turns_found_objects_to_missed(findings):
    assert findings['controls'] == 'flex'
    assert findings['predictionsAtZero'] > 0
    assert findings['predictionsAtOne'] == 0
    assert findings['missedAtZero'] == 0
    # Cars were found with 0.9, pedestrians with 0.4.
    assert 0 < findings['missedAtHalf'] < findings['missedAtOne']
    assert findings['truthOnlyErrors'] == findings['missedAtHalf'] < findings['truthAtHalf']


def test_the_other_model_is_shown_when_chosen(findings):
    assert findings['otherBefore'] == 0
    assert findings['otherAfter'] > 0


def test_the_3d_view_in_its_frame_follows_its_slider(findings):
    samples, most, none = findings['scene']
    assert samples == findings['images'] / 7 and most == '3 predictions shown'
    assert none == 'No prediction to show; the best score is 0.90'


def test_the_keyboard_reaches_and_enlarges_pictures(findings):
    assert findings['enlarged'] and findings['closed'] and findings['enlargedBySpace']
    assert findings['unreachable'] == 0


def test_the_page_fits_the_window(findings):
    assert not findings['tooWide']


def test_a_page_with_defects_would_be_noticed_and_a_narrow_one_fits(page, tmp_path):
    found = opened(page.replace('</body>', SPOIL + '</body>'), tmp_path, size='500,900')
    assert found['broken'] == 1 and found['console'] and found['unsorted']
    assert any('something is wrong' in complaint for complaint in found['complaints'])
    assert any('undefinedFunction' in complaint for complaint in found['complaints'])
    assert found['fetched'] == ['https://example.org/font']
    assert not found['tooWide']
