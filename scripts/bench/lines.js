// Measures rows at the end of bad lines, and prints a table. See docs/benchmarks.md.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { program as chromium } from '../../tests/browser/harness/browser.js';
import { Line, noLines } from '../../tests/browser/harness/line.js';
import { LINES } from './line/catalogue.js';
import { measureLine } from './line/measure.js';
import { plot } from './line/plot.js';
import { inShort, report } from './line/report.js';
import { describeMachine, load } from './machine.js';
import { benchFolder, program } from './places.js';
import { auto, h264, vnc, websocket } from './rows/heliostat.js';
import { tuned } from './rows/novnc.js';
import { webrtc, websockets } from './rows/selkies.js';

const ROWS = [h264, auto, websocket, vnc, webrtc, websockets, tuned];

const { values } = parseArgs({
  options: {
    lines: { type: 'string' },
    rows: { type: 'string' },
    contents: { type: 'string', default: 'text' },
    seconds: { type: 'string', default: '30' },
    rounds: { type: 'string', default: '3' },
    quick: { type: 'boolean', default: false },
    label: { type: 'string' },
    list: { type: 'boolean', default: false },
    report: { type: 'string', multiple: true },
    plot: { type: 'string' },
  },
});

/** Those of a list that were asked for. @template {{ key: string }} T @param {T[]} all @param {string | undefined} wanted @param {string} what */
function chosen(all, wanted, what) {
  const keys = wanted?.split(',') ?? all.map(({ key }) => key);
  const unknown = keys.find(key => !all.some(one => one.key === key));
  if (!unknown) return all.filter(({ key }) => keys.includes(key));
  console.error(`there is no ${what} ${unknown}; there are ${all.map(({ key }) => key).join(', ')}`);
  process.exit(2);
}

if (values.list) {
  for (const { key, name } of LINES) console.log(`${key}\t${name}`);
  process.exit(0);
}
if (values.report) {
  const all = values.report.map(file => JSON.parse(readFileSync(file, 'utf8')));
  const results = { ...all[0], names: Object.assign({}, ...all.map(({ names }) => names)) };
  const keys = values.lines?.split(',');
  results.runs = all.flatMap(({ runs }) => runs).filter(({ line }) => !keys || keys.includes(line));
  console.log(report(results));
  if (values.plot) writeFileSync(values.plot, plot(results));
  process.exit(0);
}

const why = noLines();
if (why) {
  console.error(`lines cannot be made: ${why}`);
  process.exit(1);
}
const lines = chosen(LINES, values.lines, 'line');
const rows = chosen(ROWS, values.rows, 'row').filter(row => {
  const missing = row.missing();
  if (missing) console.error(`left out: ${row.name} (${missing})`);
  return !missing;
});
/** What a row is called in the results: builds of Heliostat are told apart by their label. */
const called = ({ key, name }) =>
  values.label && key.startsWith('heliostat')
    ? { row: `${key}@${values.label}`, name: `${name}, ${values.label}` }
    : { row: key, name };
const contents = values.contents.split(',');
const rounds = values.quick ? 1 : Number(values.rounds);
const seconds = values.quick ? 15 : Number(values.seconds);

const file = join(benchFolder, `lines-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.json`);
/** @type {import('./line/report.js').Results} */
const results = {
  machine: { ...describeMachine(), command: ['scripts/bench/lines', ...process.argv.slice(2)].join(' ') },
  build: ['debug', 'release'].find(build => program.includes(`/${build}/`)) ?? program,
  names: Object.fromEntries(rows.map(called).map(({ row, name }) => [row, name])),
  runs: [],
};
console.error(`results go to ${file}`);
if (load() >= 1) console.error(`the load is ${load()}: other work on this machine will be in the figures`);

let enough = false;
// What runs is measured to its end, so that nothing of it is left behind.
process.once('SIGINT', () => {
  enough = true;
  console.error('this row is the last; once more to leave everything as it is');
});
const line = await Line.make();
const there = line.within(chromium);
try {
  for (let round = 1; round <= rounds; round += 1)
    for (const of of lines)
      for (const content of contents)
        for (const row of rows) {
          if (enough) continue;
          const run = { line: of.key, name: of.name, row: called(row).row, content };
          try {
            const trace = await measureLine(row, of, content, seconds, line, there);
            results.runs.push({ ...run, trace });
            console.error(`${of.name} · ${row.name} · ${content}: ${inShort(trace)}`);
          } catch (error) {
            // One row that fails does not cost the others their figures; the table shows the gap.
            const [reason] = String(/** @type {Error} */ (error).message).split('\n');
            results.runs.push({ ...run, error: reason });
            console.error(`${of.name} · ${row.name} · ${content}: ${reason}`);
          }
          writeFileSync(file, JSON.stringify(results));
        }
} finally {
  await line.end();
}
console.log(report(results));
