"""The page's style sheet, as text in Python so that every way of installing carries it.

Colours are variables, of which a dark screen changes the values; paper is always light.
"""
from .style_samples import SAMPLES_CSS
from .style_variants import VARIANTS_CSS

BASE_CSS = '''
:root{color-scheme:light dark;scroll-behavior:smooth;
--ink:#172033;--soft:#56627a;--line:#e3e8f0;--paper:#fff;
--back:#f4f6fa;--accent:#2456d6;--big:#2456d6;--hover:#f7f9fd;--bar:#dbe6ff;--margin:#f3f5f9;--raw:#c4d0ea;
--better:#0b7a43;--worse:#b3261e;--truth:#0a84d8;--pred:#f26a0a;--other:#0f9d7a;--missed:#e5213b;--false:#b0368f;
--d0:#a9c2ff;--d1:#6d95fb;--d2:#2f62e6;--d3:#14307f;--s0:#2456d6;--s1:#f26a0a;--s2:#0f9d7a;--s3:#b0368f;
--s4:#7a6a00;--s5:#5b6780;--s6:#38a3d1;--s7:#8c4a2f}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);
font:15px/1.5 "Inter","Segoe UI",system-ui,-apple-system,"Helvetica Neue",Arial,sans-serif}
header,main,footer{max-width:1440px;margin:0 auto;padding:0 28px}
header{padding-top:30px;display:grid;gap:20px}
.kicker{margin:0;color:var(--accent);font-weight:600;font-size:13px;letter-spacing:.04em}
h1{margin:2px 0 14px;font-size:30px;line-height:1.2;letter-spacing:-.015em}
nav{display:flex;flex-wrap:wrap;gap:4px 18px}nav a{color:var(--soft);text-decoration:none;font-size:14px}
nav a:hover{color:var(--accent)}main a{color:var(--accent)}
a:focus-visible,summary:focus-visible,.scroll:focus-visible,.zoomable:focus-visible,input:focus-visible{
outline:2px solid var(--accent);outline-offset:2px;border-radius:3px}
h2{margin:0;font-size:20px;letter-spacing:-.01em}
h3{margin:0;font-size:16px}h3 small{color:var(--soft);font-weight:400}
section h3{margin-top:20px}.sample h3{margin-top:0}
.note{margin:4px 0 14px;color:var(--soft);max-width:125ch}
.facts{display:flex;flex-wrap:wrap;gap:8px 30px;margin:0}
.facts dt{font-size:12px;color:var(--soft)}
.facts dd{margin:0;font-weight:500;overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:1.5fr 1.5fr repeat(5,1fr);gap:12px}
.card{background:var(--paper);border:1px solid var(--line);border-radius:12px;padding:14px 16px;
display:flex;flex-direction:column}
.card .name{font-weight:600;font-size:13px}
.card .value{font-size:24px;font-weight:650;font-variant-numeric:tabular-nums;line-height:1.25}
.card .spread{font-size:12.5px;font-variant-numeric:tabular-nums;color:var(--soft)}
.card .meaning{color:var(--soft);font-size:12px}
.card.big{background:var(--big);border-color:var(--big);color:#fff}
.card.big .value{font-size:38px}.card.big .meaning,.card.big .spread{color:#d5e0ff}
section{background:var(--paper);border:1px solid var(--line);border-radius:14px;
padding:22px 24px 24px;margin:22px 0}
.halves{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(540px,100%),1fr));gap:0 34px}
.halves>div{min-width:0}
.question{margin-top:22px}.question h3{margin:0 0 4px}
details{margin:6px 0 0}summary{cursor:pointer;color:var(--accent);font-size:14px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:6px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
td small,th small{color:var(--soft);font-weight:400;font-size:12px}
td small{display:inline-block;text-align:left}
tbody th,tfoot th,thead th:first-child{text-align:left;font-weight:500;
position:sticky;left:0;background:var(--paper)}
thead th{vertical-align:bottom}
thead button{all:unset;cursor:pointer;font-size:13px;font-weight:600;color:var(--soft)}
thead button:focus-visible{outline:2px solid var(--accent);border-radius:3px}
thead button small{display:block;font-size:11px;line-height:1.1;min-height:12px;max-width:12em;
overflow:hidden;text-overflow:ellipsis}
th[aria-sort] button{color:var(--accent)}
th[aria-sort=descending] button::after{content:" ↓"}th[aria-sort=ascending] button::after{content:" ↑"}
tbody tr:hover,tbody tr:hover th{background:var(--hover)}
tfoot th,tfoot td{font-weight:650;border-bottom:0;border-top:2px solid var(--line)}
td.ap{background:linear-gradient(90deg,var(--bar) var(--share),transparent 0) no-repeat;
background-size:calc(100% - 8px) 72%;background-position:4px 50%}
td.better{color:var(--better)}td.worse{color:var(--worse)}
code{font-size:12px;color:var(--soft)}
figure{margin:0}
.small-charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(235px,44%),1fr));gap:18px}
.wide-charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(520px,100%),1fr));gap:26px}
.small,.wide{position:relative}
.small figcaption,.wide figcaption{font-weight:600;display:flex;justify-content:space-between}
.small figcaption{flex-wrap:wrap;gap:0 6px}
.small figcaption b{font-size:13px;color:var(--soft);font-weight:500;font-variant-numeric:tabular-nums}
.none{position:absolute;left:0;right:0;top:48%;text-align:center;color:var(--soft)}
.chart{display:block;width:100%;height:auto;font-size:10.5px}.chart.bars{font-size:12px}
.grid line{stroke:var(--line)}.chart text{fill:var(--soft)}
.chart text.y{text-anchor:end}.chart text.x{text-anchor:middle}
.chart .value{font-variant-numeric:tabular-nums}
.margin{fill:var(--margin)}
.curve{fill:none;stroke-width:1.8;stroke-linejoin:round}
.bar.truth{fill:var(--truth)}.bar.pred{fill:var(--pred)}
''' + ''.join(
    f'.{name}{{stroke:var(--{colour});background:var(--{colour});fill:var(--{colour})}}'
    for name, colour in (
        *((f'distance-{i}', f'd{i}') for i in range(4)), *((f'severity-{i + 1}', f'd{i}') for i in range(3)),
        *((f'error-{i}', f's{i}') for i in range(5)), *((f'series-{i}', f's{i}') for i in range(8)),
        ('main', 's0'), ('raw', 'raw'))) + '''
.raw{stroke-width:1}.bar{stroke:none}polyline.curve{fill:none}
.legend{display:inline-flex;flex-wrap:wrap;gap:2px 16px;margin:0 10px 0 0;color:var(--soft);font-size:13px}
i{display:inline-block;width:18px;height:4px;border-radius:2px}
.legend i{margin-right:6px;vertical-align:middle}
i.truth{background:var(--truth)}i.pred{background:var(--pred)}i.other{background:var(--other)}
i.missed{background:var(--missed)}i.false{background:var(--false)}
footer{color:var(--soft);font-size:13px;padding-bottom:34px}
'''
CSS = BASE_CSS + SAMPLES_CSS + VARIANTS_CSS
