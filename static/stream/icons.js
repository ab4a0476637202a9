const PATHS = {
  share: ['M12 15V4', 'M8 8l4-4 4 4', 'M6 12H5v8h14v-8h-1'],
  stats: ['M4 19V10', 'M10 19V5', 'M16 19v-7', 'M21 19H3'],
  keyboard: ['M3 6h18v12H3z', 'M7 10h.01', 'M11 10h.01', 'M15 10h.01', 'M17 14h.01', 'M7 14h7'],
  full: ['M4 9V4h5', 'M15 4h5v5', 'M20 15v5h-5', 'M9 20H4v-5'],
};
const SVG = 'http://www.w3.org/2000/svg';

/** A line drawing, 24×24. @param {keyof typeof PATHS} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  for (const d of PATHS[name]) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', d);
    svg.append(path);
  }
  return svg;
}
