"""Style of the pictures: six cameras, the view from above, boxes by what they are."""

SAMPLES_CSS = '''
.controls{position:sticky;top:0;z-index:2;display:flex;flex-wrap:wrap;gap:6px 26px;
align-items:center;background:var(--paper);padding:10px 0;border-bottom:1px solid var(--line)}
.controls[hidden]{display:none}
.controls label{display:flex;align-items:center;gap:7px}
.controls .slide input{width:200px;accent-color:var(--accent)}
.controls output{font-variant-numeric:tabular-nums;min-width:2.6em}
.sample{padding-top:20px;scroll-margin-top:48px}
.sample+.sample{border-top:1px solid var(--line);margin-top:22px}
.about{display:flex;flex-wrap:wrap;gap:0 18px;align-items:baseline;margin-bottom:10px}
.about p{margin:0;color:var(--soft)}.about .count{margin-left:auto;font-size:13px}
.about .reason{width:100%;color:var(--accent);font-size:13px;font-weight:600}
.about code{margin-left:8px}
.views{display:grid;grid-template-columns:minmax(0,2.66fr) minmax(0,1fr);gap:8px;align-items:stretch}
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
.over g{--edge:#22b8ff;--face:rgba(34,184,255,.25);--word:#7fd6ff}
.over .pred{--edge:#ff8a1f;--face:rgba(255,138,31,.30);--word:#ffb877}
.over .other{--edge:#35e0ae;--face:rgba(53,224,174,.16);--word:#8ff0d2}
.over .missed{--edge:#ff4d5e;--face:rgba(255,77,94,.38);--word:#ff9aa4}
.over .false{--edge:#e06af0;--face:rgba(224,106,240,.25);--word:#f0b2f8}
.bev .over g{--edge:#0a84d8;--face:rgba(10,132,216,.14)}
.bev .over .pred{--edge:#f26a0a;--face:rgba(242,106,10,.12)}
.bev .over .other{--edge:#0f9d7a;--face:rgba(15,157,122,.10)}
.bev .over .missed{--edge:#e5213b;--face:rgba(229,33,59,.32)}
.bev .over .false{--edge:#b0368f;--face:rgba(176,54,143,.16)}
.over g path,.over g polygon{stroke:var(--edge);stroke-width:1.5;fill:none}
.over .truth path,.over .truth polygon{stroke-dasharray:4 2.5}
.over .other path,.over .other polygon{stroke-dasharray:1.5 2}
.cam .over g polygon{fill:var(--face);stroke:none}
.bev .over g polygon{fill:var(--face)}
.over .low,.hide-truth .truth,.hide-pred .pred,#samples:not(.show-other) .over .other,
.only-errors .over .truth:not(.missed),.only-errors .over .pred:not(.false){display:none}
.over g:hover path,.over g:hover polygon{stroke-width:3}
.over text{display:none;font-size:17px;font-weight:600;paint-order:stroke;stroke:#10141d;
stroke-width:4px;fill:var(--word)}
.circles circle{fill:none;stroke:#ccd5e3;stroke-width:1;vector-effect:non-scaling-stroke}
.bev .circles text{display:block;fill:#6b7690;stroke:none;font-weight:400;font-size:17px}
.ego{fill:#172033!important;stroke:none!important}
.zoom{position:fixed;inset:0;margin:auto;z-index:9;width:min(98vw,172vh);aspect-ratio:16/9;
height:fit-content;cursor:zoom-out;box-shadow:0 0 0 100vmax rgba(16,20,29,.86)}
.bev.zoom{width:min(96vw,96vh);aspect-ratio:1}
.cam.zoom .over text{display:block}
'''
