"""Style of a dark screen, of a narrow one, and of paper."""

VARIANTS_CSS = '''
@media screen and (prefers-color-scheme:dark){:root{--ink:#e4e9f2;--soft:#9ba7be;--line:#2b3448;
--paper:#161c29;--back:#0d121b;--accent:#86a8ff;--big:#2450bd;--hover:#1c2434;--bar:#243a70;
--margin:#1d2535;--raw:#3b4a6e;
--better:#57d493;--worse:#ff8a80;--d0:#35508f;--d1:#4a70d8;--d2:#84a6ff;--d3:#d6e2ff;--s0:#86a8ff;
--s1:#ff9a4d;--s2:#3fd0ab;--s3:#e07cc6;--s4:#cdbb4a;--s5:#9ba7be;--s6:#6cc6ea;--s7:#d09a7e}
.bev img{filter:brightness(.94)}}
@media(max-width:1000px){.cards{grid-template-columns:repeat(auto-fit,minmax(130px,1fr))}
.views{grid-template-columns:1fr}.rig{grid-template-columns:repeat(3,1fr)}
header,main,footer{padding-left:14px;padding-right:14px}section{padding:16px 14px}}
@media(max-width:640px){.rig{grid-template-columns:repeat(2,1fr)}.cards{grid-template-columns:1fr 1fr}
.chart.bars{min-width:680px}section:has(>.bars){overflow-x:auto}
.about .count{margin-left:0}.about code{margin-left:0;overflow-wrap:anywhere}
tbody th{white-space:normal;min-width:6.5em}}
@media print{nav{display:none}body{background:#fff;font-size:11px;-webkit-print-color-adjust:exact;
print-color-adjust:exact}.controls{display:none}section{border:0;padding:8px 0;margin:8px 0}
.sample,.small,.wide,tr,.cards,.question{break-inside:avoid}h2,h3,.note,thead{break-after:avoid}
.small-charts{grid-template-columns:repeat(5,1fr)}.card.big .value{font-size:26px}
.cards{grid-template-columns:repeat(7,1fr)}.card{padding:8px}.card .value{font-size:17px}
.card .meaning,.card .name,.card .spread,.legend,.about .count,thead button{font-size:10px}
table{font-size:9.5px}.scroll{overflow:visible}th,td{padding:3px 4px}td small,th small{font-size:8px}
thead button small{font-size:8px}h1{font-size:22px}h2{font-size:15px}h3{font-size:12px}
.small figcaption{font-size:10px}.wide-charts{grid-template-columns:1fr 1fr}.halves{display:block}
.views{grid-template-columns:minmax(0,2.66fr) minmax(0,1fr)}.tag{font-size:8px}.about code{display:none}
details:not([open]){display:none}.over path,.over polygon{stroke-width:1px!important}}
'''
