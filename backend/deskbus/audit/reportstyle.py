"""The report's style sheet: for a screen, and for A4 and Letter paper."""

STYLE = """
:root { --ink: #1d2733; --quiet: #5b6875; --line: #d8dee5; --paper: #fff;
  --allowed: #2a6f97; --denied: #d08c00; --violated: #b3372f; --held: #4c7d5a; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 860px; padding: 40px 48px 64px; background: var(--paper);
  color: var(--ink); font: 14px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
header { border-bottom: 2px solid var(--ink); margin-bottom: 24px; padding-bottom: 12px; }
header p { margin: 0; color: var(--quiet); letter-spacing: .02em; }
h1 { font-size: 28px; line-height: 1.2; margin: 2px 0 4px; font-weight: 650; }
h2 { font-size: 18px; margin: 36px 0 12px; font-weight: 650; }
h3 { font-size: 14px; margin: 22px 0 8px; color: var(--quiet); font-weight: 600; }
.verdict { border-left: 5px solid; border-radius: 3px; padding: 12px 18px; }
.verdict h2 { margin: 0; }
.verdict p { margin: 2px 0 0; }
.verdict.good { border-color: #3b7d4f; background: #eef6f0; }
.verdict.caution { border-color: #c88a00; background: #fdf6e6; }
.verdict.bad { border-color: #b3372f; background: #fcedeb; }
.figures { display: flex; margin-top: 16px; }
.figures div + div { margin-left: 12px; }
.figures div { flex: 1; border: 1px solid var(--line); border-radius: 4px; padding: 10px 14px; }
.figures b { display: block; font-size: 24px; line-height: 1.2; font-weight: 600; }
.figures span { color: var(--quiet); }
svg { display: block; width: 100%; height: auto; margin: 4px 0; }
svg text { font-size: 11.5px; fill: var(--ink); }
svg .label { text-anchor: end; }
svg .group { font-weight: 600; }
svg .row { fill: var(--quiet); }
svg .value, svg .axis { fill: var(--quiet); }
svg text.middle { text-anchor: middle; }
svg text.end { text-anchor: end; }
svg line.axis { stroke: var(--line); }
.allowed { fill: var(--allowed); background: var(--allowed); }
.denied { fill: var(--denied); background: var(--denied); }
.violated { fill: var(--violated); background: var(--violated); }
.held { fill: var(--held); }
.legend li { margin-right: 20px; }
.legend { display: flex; list-style: none; margin: 6px 0 14px; padding: 0;
  color: var(--quiet); font-size: 12.5px; }
.swatch { display: inline-block; width: 11px; height: 11px; border-radius: 2px;
  margin-right: 6px; vertical-align: -1px; }
table { width: 100%; border-collapse: collapse; margin: 12px 0; font-size: 12.5px; }
th { text-align: left; color: var(--quiet); font-weight: 600; border-bottom: 1px solid var(--ink); }
th, td { padding: 5px 10px 5px 0; vertical-align: top; }
.long { overflow-wrap: anywhere; word-break: break-all; }
td { border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
.number { text-align: right; padding-right: 14px; }
.nothing { color: var(--quiet); margin: 4px 0; }
dl { display: grid; grid-template-columns: 150px 1fr; gap: 4px 16px; margin: 0; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
pre { border: 1px solid var(--line); border-radius: 4px; padding: 12px 14px; font-size: 11.5px;
  line-height: 1.45; white-space: pre-wrap; overflow-wrap: anywhere; }
footer { margin-top: 40px; border-top: 1px solid var(--line); padding-top: 10px;
  color: var(--quiet); font-size: 12.5px; }
@page { margin: 16mm 14mm; }
@media print {
  body { max-width: none; padding: 0; font-size: 11px; }
  h2 { break-after: avoid; }
  tr, svg, .verdict, .figures { break-inside: avoid; }
  .swatch, svg, .verdict { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
