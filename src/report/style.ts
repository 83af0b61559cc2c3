/** The report's style sheet: light and dark as the reader has it, and paper. Contrasts are those of WCAG AA. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #fbfbfa; --ink: #1d2326; --faint: #5a646a; --line: #d9dedf; --panel: #ffffff;
  --sea: #e8eff2; --land: #f7f5ef; --border: #c3c2b8; --grid: #d3dde1;
  --region: #0b7a75; --dot: #b3261e; --halo: #ffffff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14181a; --ink: #e6eaeb; --faint: #a3adb2; --line: #343c40; --panel: #1b2023;
    --sea: #101d24; --land: #2a3033; --border: #4a5357; --grid: #22323a;
    --region: #37c2b8; --dot: #ff8a7a; --halo: #14181a;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1040px; padding: 24px 20px 48px; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 26px; line-height: 1.2; margin: 0; }
h2 { font-size: 18px; margin: 36px 0 8px; }
h3 { font-size: 15px; margin: 16px 0 4px; }
p { margin: 6px 0; }
.faint { color: var(--faint); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); gap: 10px; margin: 18px 0 0; padding: 0; }
.tiles div { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 8px 12px; }
.tiles dt { color: var(--faint); font-size: 13px; }
.tiles dd { margin: 0; font-size: 20px; font-variant-numeric: tabular-nums; }
.tiles small { display: block; color: var(--faint); font-size: 12px; }
svg { display: block; width: 100%; height: auto; }
.map text, .chart text { font: 12px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: var(--ink); }
.map .label { font-size: 11px; paint-order: stroke; stroke: var(--halo); stroke-width: 3px; stroke-linejoin: round; }
.chart .axis { font-size: 11px; fill: var(--faint); }
.sea { fill: var(--sea); } .land { fill: var(--land); }
.grid { fill: none; stroke: var(--grid); stroke-width: 0.6; }
.border { fill: none; stroke: var(--border); stroke-width: 0.5; }
.edge { fill: none; stroke: var(--border); stroke-width: 1; }
.region { fill: var(--region); }
.radius { fill: var(--dot); fill-opacity: 0.1; stroke: var(--dot); stroke-width: 0.8; stroke-dasharray: 3 2; }
.dot { fill: var(--dot); stroke: var(--halo); stroke-width: 1; }
.bars { fill: var(--region); }
.swatch { display: inline-block; width: 16px; height: 12px; margin-right: 5px; border: 1px solid var(--line);
  vertical-align: -1px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; color: var(--faint); font-size: 13px; }
.key { display: inline-block; width: 11px; height: 11px; margin-right: 5px; border-radius: 50%; vertical-align: -1px; }
.key.dot { background: var(--dot); }
.key.circle { border: 1px dashed var(--dot); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; color: var(--faint); font-size: 13px; white-space: nowrap; }
.number { text-align: right; white-space: nowrap; }
code { font: 13px ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
@media print {
  :root { --page: #ffffff; --panel: #ffffff; --ink: #000000; --faint: #444444; --line: #bbbbbb;
    --sea: #eef3f5; --land: #f7f5ef; --border: #b5b4aa; --grid: #d3dde1; --region: #0b7a75; --dot: #b3261e;
    --halo: #ffffff; }
  body { max-width: none; padding: 0; font-size: 11pt; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  svg, table, .tiles { break-inside: avoid; }
  h2 { break-after: avoid; }
}
`;
