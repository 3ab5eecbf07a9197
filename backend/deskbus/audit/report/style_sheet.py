"""The report's style sheet: for a screen of any width, light or dark, and for A4 and Letter."""

STYLE = """
:root { color-scheme: light; --ink: #1d2733; --quiet: #56626f; --line: #d8dee5; --paper: #fff;
  --raised: #f5f7f9; --allowed: #2a6f97; --denied: #c27c00; --violated: #b3372f; --held: #4c7d5a;
  --good: #3b7d4f; --good-wash: #eef6f0; --caution: #c88a00; --caution-wash: #fdf6e6;
  --bad: #b3372f; --bad-wash: #fcedeb; }
@media screen and (prefers-color-scheme: dark) {
  :root { color-scheme: dark; --ink: #e6ebf0; --quiet: #9aa7b4; --line: #2c3641; --paper: #11161c;
    --raised: #1a2129; --allowed: #5aa9d6; --denied: #e0a136; --violated: #e5695f; --held: #6aab7d;
    --good: #58b077; --good-wash: #15251b; --caution: #e0a136; --caution-wash: #2a2213;
    --bad: #e5695f; --bad-wash: #2d1817; }
}
* { box-sizing: border-box; }
html { background: var(--paper); -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 960px; padding: 40px 48px 64px; background: var(--paper);
  color: var(--ink); font: 14px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
header { border-bottom: 2px solid var(--ink); margin-bottom: 24px; padding-bottom: 12px; }
header p { margin: 0; color: var(--quiet); letter-spacing: .02em; }
h1 { font-size: 28px; line-height: 1.2; margin: 2px 0 4px; font-weight: 650; }
h2 { font-size: 18px; margin: 36px 0 12px; font-weight: 650; }
h3 { font-size: 14px; margin: 22px 0 8px; color: var(--quiet); font-weight: 600; }
.verdict { border-left: 5px solid; border-radius: 3px; padding: 12px 18px; }
.verdict h2 { margin: 0; }
.verdict p { margin: 2px 0 0; overflow-wrap: anywhere; }
.verdict.good { border-color: var(--good); background: var(--good-wash); }
.verdict.caution { border-color: var(--caution); background: var(--caution-wash); }
.verdict.bad { border-color: var(--bad); background: var(--bad-wash); }
.figures { display: grid; grid-template-columns: repeat(6, 1fr); gap: 12px; margin-top: 16px; }
.figures div { border: 1px solid var(--line); border-radius: 4px; padding: 10px 14px;
  min-width: 0; }
.figures b { display: block; font-size: 24px; line-height: 1.2; font-weight: 600;
  font-variant-numeric: tabular-nums; }
.figures span, .figures small { display: block; color: var(--quiet); }
.figures small { font-size: 12px; }
.bars { margin: 4px 0; font-size: 12.5px; }
.bars > div { display: grid; grid-template-columns: 220px 1fr; column-gap: 10px;
  align-items: center; min-height: 26px; }
.bars > div > span { min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bars > div > span:first-child { text-align: right; unicode-bidi: isolate; }
.bars > div > span:last-child { display: flex; align-items: center; padding-right: 64px;
  overflow: visible; }
.bars i { display: block; flex: none; height: 18px; min-width: 2px; }
.bars b { flex: none; width: 0; padding-left: 8px; color: var(--quiet); font-weight: 400;
  font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
svg { display: block; width: 100%; height: auto; margin: 4px 0; }
svg text { font-size: 11.5px; fill: var(--ink); }
svg .group { font-weight: 600; }
svg .row { fill: var(--quiet); }
svg .axis { fill: var(--quiet); }
svg text.middle { text-anchor: middle; }
svg text.end { text-anchor: end; }
svg line.axis { stroke: var(--line); }
.allowed { fill: var(--allowed); background: var(--allowed); }
.denied { fill: var(--denied); background: var(--denied); }
.violated { fill: var(--violated); background: var(--violated); }
.held { fill: var(--held); }
.legend { display: flex; list-style: none; margin: 6px 0 14px; padding: 0;
  color: var(--quiet); font-size: 12.5px; }
.legend li { margin-right: 20px; }
.swatch { display: inline-block; width: 11px; height: 11px; border-radius: 2px;
  margin-right: 6px; vertical-align: -1px; }
table { width: 100%; border-collapse: collapse; margin: 12px 0; font-size: 12.5px; }
th { text-align: left; color: var(--quiet); font-weight: 600; border-bottom: 1px solid var(--ink); }
th, td { padding: 5px 10px 5px 0; vertical-align: top; unicode-bidi: isolate; }
th:last-child, td:last-child { padding-right: 0; }
td { border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums;
  overflow-wrap: break-word; }
tfoot td { border-bottom: 0; border-top: 1px solid var(--ink); font-weight: 600; }
.long { overflow-wrap: anywhere; word-break: break-all; min-width: 12em; }
.time { white-space: nowrap; }
.number { text-align: right; }
.nothing { color: var(--quiet); margin: 4px 0; }
dl { display: grid; grid-template-columns: 150px 1fr; gap: 4px 16px; margin: 0; }
dt { color: var(--quiet); }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
pre { border: 1px solid var(--line); border-radius: 4px; padding: 12px 14px; font-size: 11.5px;
  line-height: 1.45; white-space: pre-wrap; overflow-wrap: anywhere; background: var(--raised); }
footer { margin-top: 40px; border-top: 1px solid var(--line); padding-top: 10px;
  color: var(--quiet); font-size: 12.5px; }
@media screen and (max-width: 760px) {
  body { padding: 24px 16px 40px; }
  h1 { font-size: 24px; }
  .figures { grid-template-columns: repeat(auto-fit, minmax(96px, 1fr)); gap: 8px; }
  .figures div { padding: 8px 10px; }
  .figures b { font-size: 20px; }
  .bars > div { grid-template-columns: 1fr; padding-bottom: 6px; }
  .bars > div > span:first-child { text-align: left; }
  .wide > table { min-width: 680px; }
  .wide > table.narrow { min-width: 0; }
  .wide > svg { min-width: 640px; }
  dl { grid-template-columns: 1fr; row-gap: 0; }
  dd { margin-bottom: 8px; }
}
@page { margin: 16mm 14mm; }
@media print {
  body { max-width: none; padding: 0; font-size: 11px; }
  h2, h3 { break-after: avoid; }
  table { font-size: 9.5px; }
  .wide { overflow: visible; }
  .bars > div { grid-template-columns: 170px 1fr; min-height: 20px; }
  .bars i { height: 14px; }
  .figures b { font-size: 18px; }
  .figures div { padding: 6px 8px; }
  thead { display: table-header-group; }
  tfoot { display: table-row-group; }
  tr, svg, .verdict, .figures, .bars > div, pre { break-inside: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
