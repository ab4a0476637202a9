// Frames a second and kbit/s over time, as an SVG: a line (of the network) a row, its two charts beside each other.

const [WIDTH, HEIGHT, LEFT, TOP, GAP] = [380, 110, 44, 46, 50];
const COLOURS = ['#1f6feb', '#d1242f', '#bf8700', '#1a7f37', '#8250df'];
/** The width of a step in time, ms. */
const BIN = 1000;

/** @param {string} text */
const escaped = text => text.replace(/[&<>]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c] ?? c);

/** A text of the picture. @param {number} x @param {number} y @param {string} words @param {string} [more] */
const text = (x, y, words, more = '') => `<text x="${x}" y="${y}" ${more}>${escaped(words)}</text>`;

/**
 * One chart.
 *
 * @param {{ x: number, y: number, title: string, seconds: number, top: number, marks: number[] }} frame
 * @param {{ colour: string, points: [number, number][] }[]} curves seconds, and values
 */
function chart({ x, y, title, seconds, top, marks }, curves) {
  const at = (/** @type {number} */ s) => x + (s / seconds) * WIDTH;
  const of = (/** @type {number} */ value) => y + HEIGHT - (Math.min(value, top) / top) * HEIGHT;
  const parts = [
    text(x, y - 6, title, 'font-weight="600"'),
    `<rect x="${x}" y="${y}" width="${WIDTH}" height="${HEIGHT}" fill="none" stroke="#888" stroke-width="0.5"/>`,
  ];
  for (const part of [0, 0.5, 1])
    parts.push(text(x - 4, of(part * top) + 4, String(Math.round(part * top)), 'text-anchor="end"'));
  for (const s of [0, Math.round(seconds / 2), Math.round(seconds)])
    parts.push(text(at(s), y + HEIGHT + 13, `${s} s`, 'text-anchor="middle"'));
  for (const s of marks)
    parts.push(
      `<line x1="${at(s)}" x2="${at(s)}" y1="${y}" y2="${y + HEIGHT}" stroke="#888" stroke-dasharray="3 3"/>`,
    );
  for (const { colour, points } of curves) {
    const path = points.map(([s, value]) => `${at(s).toFixed(1)},${of(value).toFixed(1)}`).join(' ');
    parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>`);
  }
  return parts.join('\n');
}

/** @param {import('./report.js').Results} results @returns {string} */
export function plot({ names, runs }) {
  const shown = runs.flatMap(run => (run.trace ? [{ ...run, trace: run.trace }] : []));
  const lines = [...new Set(shown.map(run => run.line))];
  const rows = Object.keys(names).filter(key => shown.some(run => run.row === key));
  const colour = (/** @type {string} */ row) => COLOURS[rows.indexOf(row) % COLOURS.length];
  const parts = [];
  lines.forEach((line, i) => {
    // The first round of each.
    const of = rows.flatMap(row => shown.find(run => run.line === line && run.row === row) ?? []);
    const seconds = Math.max(...of.map(({ trace }) => (trace.to - trace.from) / 1000));
    const marks = of[0].trace.steps.map(({ at }) => (at - of[0].trace.from) / 1000);
    const y = TOP + i * (HEIGHT + GAP);
    const frames = of.map(({ row, trace }) => ({
      colour: colour(row),
      points: Array.from({ length: Math.floor((trace.to - trace.from) / BIN) }, (_, bin) => {
        const from = trace.from + bin * BIN;
        const seen = trace.frames.filter(at => at >= from && at < from + BIN).length;
        return /** @type {[number, number]} */ ([bin + 0.5, (seen * 1000) / BIN]);
      }),
    }));
    const carried = of.map(({ row, trace }) => ({
      colour: colour(row),
      points: trace.seconds.map(
        ({ at, carried }) =>
          /** @type {[number, number]} */ ([Math.max(0, (at - trace.from) / 1000 - 0.5), carried]),
      ),
    }));
    const most = Math.max(1, ...carried.flatMap(({ points }) => points.map(([, value]) => value)));
    const step = 10 ** Math.floor(Math.log10(most));
    const top = Math.ceil(most / step) * step;
    const title = of[0].name;
    parts.push(chart({ x: LEFT, y, title: `${title}: frames a second`, seconds, top: 60, marks }, frames));
    const x = LEFT * 2 + WIDTH + 12;
    parts.push(chart({ x, y, title: 'carried, kbit/s', seconds, top, marks }, carried));
  });
  rows.forEach((row, i) => {
    parts.push(`<rect x="${LEFT + i * 170}" y="8" width="12" height="12" fill="${colour(row)}"/>`);
    parts.push(text(LEFT + i * 170 + 17, 18, names[row]));
  });
  const [w, h] = [LEFT * 2 + WIDTH * 2 + 30, TOP + lines.length * (HEIGHT + GAP)];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${w} ${h}" font-family="sans-serif" font-size="11">
<rect width="${w}" height="${h}" fill="#fff"/>
${parts.join('\n')}
</svg>
`;
}
