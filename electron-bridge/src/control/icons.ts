// Icons of 20 by 20, drawn in the colour of the text beside them.

const PATHS = {
  overview: 'M3 10.5 10 4l7 6.5M5 9v7h10V9M8.5 16v-4h3v4',
  bus: 'M4 6.5h12M4 13.5h12M7 4v5M13 11v5M13 4v5M7 11v5',
  apps: 'M4 4h5v5H4zM11 4h5v5h-5zM4 11h5v5H4zM11 11h5v5h-5z',
  permissions: 'M10 3l6 2.5V10c0 3.6-2.6 6-6 7-3.4-1-6-3.4-6-7V5.5zM7.5 10l2 2 3.3-3.6',
  audit: 'M5 3h7l3 3v11H5zM12 3v3h3M7.5 10h5M7.5 13h5',
  traces: 'M3 5h7M6 10h8M10 15h7',
  storage:
    'M4 5.5C4 4.1 6.7 3 10 3s6 1.1 6 2.5S13.3 8 10 8 4 6.9 4 5.5zM4 5.5v9C4 15.9 6.7 17 10 17s6-1.1 6-2.5v-9M4 10c0 1.4 2.7 2.5 6 2.5s6-1.1 6-2.5',
  vault: 'M4 4h12v12H4zM10 7.2a2.8 2.8 0 100 5.6 2.8 2.8 0 000-5.6zM10 4v3.2M10 12.8V16',
  federation:
    'M5 6a2 2 0 110 .01M15 6a2 2 0 110 .01M10 15a2 2 0 110 .01M7 6h6M6 7.8l3 5.6M14 7.8l-3 5.6',
  web: 'M10 3a7 7 0 100 14 7 7 0 000-14zM3 10h14M10 3c2 2 3 4.4 3 7s-1 5-3 7c-2-2-3-4.4-3-7s1-5 3-7z',
  fdc3: 'M4 5h8M8 10h8M4 15h8M12 5l3 0M8 10l-3 0M12 15l3 0M15 3.5V6.5M5 8.5V11.5M15 13.5V16.5',
  panel: 'M4 4h12v12H4zM4 8h12M8 8v8',
  search: 'M9 4a5 5 0 100 10A5 5 0 009 4zM12.8 12.8L17 17',
  close: 'M5 5l10 10M15 5L5 15',
  restart: 'M15.5 8A6 6 0 105 13.3M15.5 4v4h-4',
  stop: 'M6 6h8v8H6z',
  play: 'M7 5l8 5-8 5z',
  warn: 'M10 4l7 12H3zM10 8.5v3.5M10 14v.2',
  good: 'M4.5 10.5l3.5 3.5 7.5-8',
  lock: 'M5 9h10v7H5zM7 9V7a3 3 0 016 0v2',
  send: 'M3 10l14-6-5 13-3-5z',
  window: 'M4 5h12v10H4zM4 8h12',
  more: 'M5 10h.01M10 10h.01M15 10h.01',
} as const;

export type IconName = keyof typeof PATHS;

const SVG = 'http://www.w3.org/2000/svg';

export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('focusable', 'false');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}
