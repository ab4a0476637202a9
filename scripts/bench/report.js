// Results as Markdown: medians over the rounds.

import { median, percentile } from './numbers.js';
import { stageRows } from './stages.js';

/**
 * @typedef {import('./measure.js').Figures} Figures
 * @typedef {{ launch: number[], own: number[] }} Launch
 * @typedef {{ name: string, contents: Record<string, Figures> }} RowOfRound
 * @typedef {{ load: number, launch: Launch | null, rows: Record<string, RowOfRound> }} Round
 * @typedef {object} Results
 * @property {ReturnType<import('./machine.js').describeMachine>} machine
 * @property {string} browser version
 * @property {number} clicks a content and round
 * @property {number} loads a round
 * @property {Round[]} rounds
 */

/** @param {number} value */
const number = (value, digits = 0) => (Number.isFinite(value) ? value.toFixed(digits) : '–');

/** @param {string[]} head @param {string[][]} rows */
function table(head, rows) {
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i ? '---:' : '---'))), ...rows.map(line)].join('\n');
}

/** @param {Results} results */
export function report(results) {
  const { machine, rounds } = results;
  const keys = [...new Set(rounds.flatMap(round => Object.keys(round.rows)))];
  const contents = [
    ...new Set(rounds.flatMap(r => Object.values(r.rows).flatMap(row => Object.keys(row.contents)))),
  ];
  const name = (/** @type {string} */ key) => rounds.map(round => round.rows[key]?.name).find(Boolean) ?? key;
  /** The figures of a row and content, one a round. @param {string} key @param {string} content */
  const of = (key, content) => rounds.flatMap(round => round.rows[key]?.contents[content] ?? []);
  /** The median over the rounds of something of the figures. */
  const middle = (key, content, pick, digits = 0) =>
    number(
      median(
        of(key, content)
          .map(pick)
          .filter(value => Number.isFinite(value)),
      ),
      digits,
    );
  const pair = (key, content) => {
    const p50s = of(key, content).map(f => percentile(f.clicks, 50));
    if (!p50s.length) return '–';
    const spread = p50s.length > 1 ? ` (${number(Math.min(...p50s))}–${number(Math.max(...p50s))})` : '';
    return `${number(median(p50s))} / ${middle(key, content, f => percentile(f.clicks, 95))}${spread}`;
  };
  const moving = contents.filter(content => content !== 'still');
  const lost = rounds.flatMap(r =>
    Object.values(r.rows).flatMap(row => Object.values(row.contents).map(f => f.lost)),
  );

  const parts = [
    `${machine.date} UTC · ${machine.cores} cores, ${machine.cpu} · Linux ${machine.kernel} · Chromium ${results.browser} · commit ${machine.commit} · \`${machine.command}\``,
    `${rounds.length} round${rounds.length === 1 ? '' : 's'}, ${results.clicks} clicks and ${results.loads} page loads each; load at the start of each: ${rounds.map(r => r.load).join(', ')}; clicks that never showed: ${lost.reduce((a, b) => a + b, 0)}`,
    '**Click to photon, ms: p50 / p95 (lowest and highest p50 of a round)**',
    table(
      ['', ...contents],
      keys.map(key => [name(key), ...contents.map(content => pair(key, content))]),
    ),
    '**Processor, % of a core, all processes of the server without display and app; frames seen a second**',
    table(
      ['', ...contents.map(c => `${c}, CPU`), ...moving.map(c => `${c}, fps`)],
      keys.map(key => [
        name(key),
        ...contents.map(content => middle(key, content, f => f.cpu.server, 1)),
        ...moving.map(content => middle(key, content, f => f.fps)),
      ]),
    ),
    '**Memory of the server with one viewer of still content, MiB (shared pages once); page to first frame, ms**',
    table(
      ['', 'memory', 'first frame p50', 'p95'],
      keys.map(key => [
        name(key),
        middle(key, 'still', f => f.proportional),
        middle(key, 'still', f => percentile(f.first, 50)),
        middle(key, 'still', f => percentile(f.first, 95)),
      ]),
    ),
    ...keys.flatMap(key => {
      const told = contents.filter(content => of(key, content).some(f => f.answers?.length));
      if (told.length === 0) return [];
      const answers = told.map(content => of(key, content).flatMap(f => f.answers ?? []));
      return [
        `**Where the time of a click goes, ms, ${name(key)}**`,
        table(['', ...told.flatMap(c => [`${c}, p50`, `${c}, p95`])], stageRows(answers)),
      ];
    }),
    '**By process: processor, % of a core, by content**',
    ...keys.map(key => {
      const groups = [...new Set(contents.flatMap(c => of(key, c).flatMap(f => Object.keys(f.cpu))))];
      const cells = groups.map(
        group => `${group} ${contents.map(c => middle(key, c, f => f.cpu[group], 1)).join(' / ')}`,
      );
      return `- ${name(key)} (${contents.join(' / ')}): ${cells.join(' · ')}`;
    }),
    '**By process, still content: processor, % of a core / resident, MiB**',
    ...keys.map(key => {
      const groups = Object.keys(of(key, 'still')[0]?.resident ?? {});
      const cells = groups.map(
        group =>
          `${group} ${middle(key, 'still', f => f.cpu[group], 1)} / ${middle(key, 'still', f => f.resident[group])}`,
      );
      const more = middle(key, 'still', f => f.perViewer ?? Number.NaN, 1);
      return `- ${name(key)}: ${cells.join(' · ')}${more === '–' ? '' : ` · host, each further viewer: ${more} MiB`}`;
    }),
  ];
  const launches = rounds.flatMap(round => round.launch ?? []);
  if (launches.length) {
    const launch = launches.flatMap(of => of.launch);
    const own = launches.flatMap(of => of.own);
    const beyond = launches.map(of => median(of.launch) - median(of.own));
    parts.push(
      `**Launch to first frame**, ms, n ${launch.length}: p50 ${number(median(launch))}, p95 ${number(percentile(launch, 95))}; the app's own start p50 ${number(median(own))}; beyond it ${number(median(beyond))}`,
    );
  }
  return parts.join('\n\n').replaceAll(/\n\n- /g, '\n- ');
}
