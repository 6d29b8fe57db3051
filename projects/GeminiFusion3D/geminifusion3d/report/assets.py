"""The page's style and script, as text in Python so that every way of installing carries them."""

CSS = '''
:root{color-scheme:light;scroll-behavior:smooth;--ink:#172033;--soft:#5b6780;--line:#e3e8f0;--paper:#fff;--back:#f4f6fa;--accent:#2456d6;
--truth:#0a84d8;--pred:#f26a0a}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);
font:15px/1.5 "Inter","Segoe UI",system-ui,-apple-system,"Helvetica Neue",Arial,sans-serif}
header,main,footer{max-width:1440px;margin:0 auto;padding:0 28px}
header{padding-top:36px;display:grid;gap:22px}
.kicker{margin:0;color:var(--accent);font-weight:600;font-size:13px;letter-spacing:.04em}
h1{margin:2px 0 14px;font-size:30px;line-height:1.2;letter-spacing:-.015em}
nav{float:right;display:flex;gap:18px}nav a{color:var(--soft);text-decoration:none;font-size:14px}
nav a:hover{color:var(--accent)}
h2{margin:0;font-size:20px;letter-spacing:-.01em}
h3{margin:0;font-size:16px}h3 small{color:var(--soft);font-weight:400}
.note{margin:4px 0 16px;color:var(--soft);max-width:125ch}
.facts{display:flex;flex-wrap:wrap;gap:8px 30px;margin:0}
.facts dt{font-size:12px;color:var(--soft)}
.facts dd{margin:0;font-weight:500;overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:1.5fr 1.5fr repeat(5,1fr);gap:12px}
.card{background:var(--paper);border:1px solid var(--line);border-radius:12px;padding:14px 16px;
display:flex;flex-direction:column}
.card .name{font-weight:600;font-size:13px}
.card .value{font-size:24px;font-weight:650;font-variant-numeric:tabular-nums;line-height:1.25}
.card .value small{font-size:12px;font-weight:400;color:var(--soft);margin-left:5px}
.card .meaning{color:var(--soft);font-size:12px}
.card.big{background:var(--accent);border-color:var(--accent);color:#fff}
.card.big .value{font-size:38px}.card.big .meaning{color:#d5e0ff}
section{background:var(--paper);border:1px solid var(--line);border-radius:14px;
padding:22px 24px 24px;margin:22px 0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:7px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
tbody th,tfoot th,thead th:first-child{text-align:left;font-weight:500}
thead button{all:unset;cursor:pointer;font-size:13px;font-weight:600;color:var(--soft)}
thead button:focus-visible{outline:2px solid var(--accent);border-radius:3px}
thead button small{display:block;font-weight:400;font-size:11px;line-height:1.1;min-height:12px}
th[aria-sort] button{color:var(--accent)}
th[aria-sort=descending] button::after{content:" ↓"}th[aria-sort=ascending] button::after
{content:" ↑"}
tbody tr:hover{background:#f7f9fd}
tfoot th,tfoot td{font-weight:650;border-bottom:0;border-top:2px solid var(--line)}
td.ap{background:linear-gradient(90deg,#dbe6ff var(--share),transparent 0) no-repeat;
background-size:calc(100% - 8px) 72%;background-position:4px 50%}
figure{margin:0}
.small-charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(235px,44%),1fr));gap:18px}
.wide-charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(520px,1fr));gap:26px}
.small,.wide{position:relative}
.small figcaption,.wide figcaption{font-weight:600;display:flex;justify-content:space-between}
.small figcaption b{color:var(--soft);font-weight:500;font-variant-numeric:tabular-nums}
.none{position:absolute;left:0;right:0;top:48%;text-align:center;color:var(--soft)}
.chart{display:block;width:100%;height:auto;font-size:10.5px}.chart.bars{font-size:12px}
.grid line{stroke:var(--line)}.chart text{fill:var(--soft)}
.chart text.y{text-anchor:end}.chart text.x{text-anchor:middle}
.chart .value{font-variant-numeric:tabular-nums}
.margin{fill:#f3f5f9}
.curve{fill:none;stroke-width:1.8;stroke-linejoin:round}
.bar.truth{fill:var(--truth)}.bar.pred{fill:var(--pred)}
.distance-0{stroke:#a9c2ff;background:#a9c2ff;fill:#a9c2ff}
.distance-1{stroke:#6d95fb;background:#6d95fb;fill:#6d95fb}
.distance-2{stroke:#2f62e6;background:#2f62e6;fill:#2f62e6}
.distance-3{stroke:#14307f;background:#14307f;fill:#14307f}
.raw{stroke:#c4d0ea;background:#c4d0ea;stroke-width:1}
.main,.series-0{stroke:#2456d6;background:#2456d6;fill:#2456d6}
.series-1{stroke:#f26a0a;background:#f26a0a;fill:#f26a0a}
.series-2{stroke:#0f9d7a;background:#0f9d7a;fill:#0f9d7a}
.series-3{stroke:#b0368f;background:#b0368f;fill:#b0368f}
.series-4{stroke:#7a6a00;background:#7a6a00;fill:#7a6a00}
.series-5{stroke:#5b6780;background:#5b6780;fill:#5b6780}
.series-6{stroke:#38a3d1;background:#38a3d1;fill:#38a3d1}
.series-7{stroke:#8c4a2f;background:#8c4a2f;fill:#8c4a2f}
polyline.curve{fill:none}
.legend{display:inline-flex;flex-wrap:wrap;gap:2px 16px;margin:0 10px 0 0;color:var(--soft);
font-size:13px}
.legend i{display:inline-block;width:18px;height:4px;border-radius:2px;margin-right:6px;
vertical-align:middle}
i.truth{background:var(--truth)}i.pred{background:var(--pred)}
.controls{position:sticky;top:0;z-index:2;display:flex;flex-wrap:wrap;gap:6px 26px;
align-items:center;background:var(--paper);padding:10px 0;border-bottom:1px solid var(--line)}
.controls label{display:flex;align-items:center;gap:7px}
.controls i{width:18px;height:4px;border-radius:2px}
.controls .slide input{width:200px;accent-color:var(--accent)}
.controls output{font-variant-numeric:tabular-nums;min-width:2.6em}
.sample{padding-top:20px}
.sample+.sample{border-top:1px solid var(--line);margin-top:22px}
.about{display:flex;flex-wrap:wrap;gap:0 18px;align-items:baseline;margin-bottom:10px}
.about p{margin:0;color:var(--soft)}.about .count{margin-left:auto;font-size:13px}
code{font-size:12px;color:#8a94a8;margin-left:8px}
.views{display:grid;grid-template-columns:minmax(0,2.66fr) minmax(0,1fr);gap:8px;
align-items:stretch}
.rig{display:grid;grid-template-columns:repeat(3,1fr);gap:8px;align-content:start}
.cam,.bev{position:relative;overflow:hidden;border-radius:8px;background:#10141d}
.bev{background:#fafbfd;border:1px solid var(--line);align-self:start}
.cam img,.bev img{display:block;width:100%;height:auto}
.empty{aspect-ratio:16/9}
.over{position:absolute;inset:0;width:100%;height:100%}
.tag{position:absolute;left:8px;bottom:7px;padding:1px 8px;border-radius:9px;font-size:11.5px;
background:rgba(16,20,29,.62);color:#fff;pointer-events:none}
.zoomable{cursor:zoom-in}
.over path,.over polygon{vector-effect:non-scaling-stroke}
.over .truth path,.over .truth polygon{stroke:#22b8ff;stroke-width:1.5;fill:none;
stroke-dasharray:4 2.5}
.over .pred path,.over .pred polygon{stroke:#ff8a1f;stroke-width:1.5;fill:none}
.cam .over .truth polygon{fill:rgba(34,184,255,.25);stroke:none}
.cam .over .pred polygon{fill:rgba(255,138,31,.30);stroke:none}
.bev .over .truth path,.bev .over .truth polygon{stroke:var(--truth)}
.bev .over .pred path,.bev .over .pred polygon{stroke:var(--pred)}
.bev .over .truth polygon{fill:rgba(10,132,216,.14)}
.bev .over .pred polygon{fill:rgba(242,106,10,.12)}
.over .low,.hide-truth .truth,.hide-pred .pred{display:none}
.over g:hover path,.over g:hover polygon{stroke-width:3}
.over text{display:none;font-size:17px;font-weight:600;paint-order:stroke;stroke:#10141d;
stroke-width:4px}
.over .truth text{fill:#7fd6ff}.over .pred text{fill:#ffb877}
.circles circle{fill:none;stroke:#ccd5e3;stroke-width:1;vector-effect:non-scaling-stroke}
.bev .circles text{display:block;fill:#8a94a8;stroke:none;font-weight:400;font-size:17px}
.ego{fill:#172033!important;stroke:none!important}
.zoom{position:fixed;inset:0;margin:auto;z-index:9;width:min(98vw,172vh);aspect-ratio:16/9;
height:fit-content;cursor:zoom-out;box-shadow:0 0 0 100vmax rgba(16,20,29,.86)}
.bev.zoom{width:min(96vw,96vh);aspect-ratio:1}
.cam.zoom .over text{display:block}
footer{color:var(--soft);font-size:13px;padding-bottom:34px}
@media(max-width:1000px){.cards{grid-template-columns:repeat(auto-fit,minmax(130px,1fr))}
.views{grid-template-columns:1fr}.wide-charts{grid-template-columns:1fr}
header,main,footer{padding-left:14px;padding-right:14px}section{padding:16px 14px}}
@media print{nav{display:none}body{background:#fff;font-size:11px;-webkit-print-color-adjust:exact;
print-color-adjust:exact}.controls{position:static}.controls .slide input,
.controls input{display:none}section{border:0;padding:8px 0;margin:8px 0}
.sample,.small,.wide,tr,.cards{break-inside:avoid}h2,.note{break-after:avoid}
.small-charts{grid-template-columns:repeat(5,1fr)}.card.big .value{font-size:26px}
.cards{grid-template-columns:repeat(7,1fr)}.card{padding:8px}.card .value{font-size:17px}
.card .meaning,.card .name,.legend,.about .count,thead button{font-size:10px}
th,td{padding:4px 5px}thead button small{font-size:9px}h1{font-size:22px}h2{font-size:15px}
h3{font-size:12px}.small figcaption{font-size:10px}.wide-charts{grid-template-columns:1fr 1fr}
.views{grid-template-columns:minmax(0,2.66fr) minmax(0,1fr)}.tag{font-size:8px}code{display:none}
.over path,.over polygon{stroke-width:1px!important}}
'''

SCRIPT = '''
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.querySelectorAll("thead th")];
  const body = table.querySelector("tbody");
  const first = [...body.rows];
  heads.forEach((head, column) => head.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") !== "descending";
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = row => {
      const text = row.cells[column].textContent;
      const number = parseFloat(text);
      return column === 0 ? text : Number.isNaN(number) ? null : number;
    };
    const rows = [...first].sort((a, b) => {
      const x = value(a), y = value(b);
      if (x === null || y === null) return (x === null) - (y === null);
      const order = column === 0 ? y.localeCompare(x) : x - y;
      return down ? -order : order;
    });
    body.append(...rows);
  }));
}
const samples = document.querySelector("#samples");
for (const box of samples.querySelectorAll("[data-show]"))
  box.addEventListener("change", () =>
    samples.classList.toggle("hide-" + box.dataset.show, !box.checked));
const slider = samples.querySelector("input[type=range]");
const shown = samples.querySelector("output");
const predictions = [...samples.querySelectorAll(".pred[data-score]")];
slider.addEventListener("input", () => {
  const score = Number(slider.value);
  shown.textContent = score.toFixed(2);
  for (const box of predictions) box.classList.toggle("low", Number(box.dataset.score) < score);
});
const unzoom = () => document.querySelectorAll(".zoom").forEach(
  figure => figure.classList.remove("zoom"));
for (const figure of document.querySelectorAll(".zoomable")) {
  figure.addEventListener("click", () => {
    const isOpen = figure.classList.contains("zoom");
    unzoom();
    figure.classList.toggle("zoom", !isOpen);
  });
  figure.addEventListener("keydown", event => { if (event.key === "Enter") figure.click(); });
}
document.addEventListener("keydown", event => { if (event.key === "Escape") unzoom(); });
'''
