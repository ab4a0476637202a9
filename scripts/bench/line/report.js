// Results of lines as Markdown: medians over the rounds.

import { median } from '../numbers.js';
import { LINES } from './catalogue.js';
import { figures } from './figures.js';

/**
 * @typedef {object} Results
 * @property {ReturnType<import('../machine.js').describeMachine>} machine
 * @property {string} build
 * @property {Record<string, string>} names of rows
 * @property {{ line: string, name: string, row: string, content: string, trace?: import('./measure.js').Trace, error?: string }[]} runs
 */

/** @param {number} value @param {number} [digits] */
const number = (value, digits = 0) => (Number.isFinite(value) ? value.toFixed(digits) : '–');
const seconds = (/** @type {number | null} */ ms) => (ms === null ? 'never' : number(ms / 1000, 1));

/** @param {Results} results */
export function report({ machine, build, names, runs }) {
  const contents = [...new Set(runs.map(({ content }) => content))];
  const head = [
    'line',
    '',
    'first frame (page), ms',
    'frames a second',
    'click, ms: p50 / p95 (unseen)',
    'freezes (longest, s)',
    'steady again after, s',
    'offered → carried, kbit/s (×)',
    'SSIM after 1 s / 5 s',
  ];
  const parts = [
    `${machine.date} UTC · ${machine.cores} cores, ${machine.cpu} · Linux ${machine.kernel} · commit ${machine.commit}, build ${build} · \`${machine.command}\``,
  ];
  for (const content of contents) {
    const of = runs.filter(run => run.content === content);
    const rows = [];
    for (const line of LINES.map(({ key }) => key))
      for (const row of [...new Set(of.map(run => run.row))]) {
        const same = of.filter(run => run.line === line && run.row === row);
        if (same.length > 0) rows.push([same[0].name, names[row], ...cells(same)]);
      }
    parts.push(`**${content}**`);
    const text = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`;
    parts.push([head, head.map((_, i) => (i > 1 ? '---:' : '---')), ...rows].map(text).join('\n'));
  }
  return parts.join('\n\n');
}

/** @param {Results['runs']} runs of one line and row */
function cells(runs) {
  const all = runs.flatMap(({ trace }) => (trace ? figures(trace) : []));
  if (all.length === 0) return [runs[0].error ?? '–', ...Array.from({ length: 6 }, () => '–')];
  const middle = (/** @type {(of: ReturnType<typeof figures>) => number} */ pick) =>
    median(all.map(pick).filter(Number.isFinite));
  const seen = all.flatMap(({ first }) => (first === null ? [] : [first]));
  const missed = all.length - seen.length;
  const none = `none within 30 s${missed < all.length ? ` (${missed} of ${all.length})` : ''}`;
  // Results from before it was noted are without.
  const loaded = middle(f => f.loaded ?? Number.NaN);
  const page = Number.isFinite(loaded) ? ` (${number(loaded)})` : '';
  const first = [seen.length ? `${number(median(seen))}${page}` : '', missed ? none : '']
    .filter(Boolean)
    .join(', ');
  const steps = all[0].after.map((_, i) => {
    const times = all.map(({ after }) => after[i]?.ms ?? null);
    return times.includes(null) ? 'never' : seconds(median(/** @type {number[]} */ (times)));
  });
  const unseen = middle(f => f.unseen);
  return [
    first,
    number(middle(f => f.fps)),
    `${number(middle(f => f.p50))} / ${number(middle(f => f.p95))}${unseen ? ` (${number(unseen)})` : ''}`,
    `${number(middle(f => f.freezes))} (${seconds(Math.max(...all.map(f => f.longest)))})`,
    steps.join(', '),
    `${number(middle(f => f.offered))} → ${number(middle(f => f.carried))} (${number(
      middle(f => f.excess),
      2,
    )})`,
    [1, 5]
      .map(s =>
        number(
          middle(f => f.still[s] ?? Number.NaN),
          3,
        ),
      )
      .join(' / '),
  ];
}

/** One line on what was measured, for who watches. @param {import('./measure.js').Trace} trace */
export function inShort(trace) {
  const f = figures(trace);
  const parts = [
    f.first === null ? 'no picture' : `first ${number(f.first)} ms (page ${number(f.loaded)})`,
    `${number(f.fps)} fps`,
  ];
  parts.push(`${number(f.p50)}/${number(f.p95)} ms (${f.unseen} unseen)`);
  parts.push(`${f.freezes} freezes, longest ${seconds(f.longest)} s`);
  if (f.after.length) parts.push(`steady after ${f.after.map(({ ms }) => seconds(ms)).join(', ')} s`);
  parts.push(`${number(f.offered)} → ${number(f.carried)} kbit/s`);
  parts.push(
    `SSIM ${Object.values(f.still)
      .map(s => number(s, 3))
      .join(' ')}`,
  );
  return parts.join(' · ');
}
