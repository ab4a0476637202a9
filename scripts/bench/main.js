// Runs the rows in turn, round after round, and prints the tables. See docs/benchmarks.md.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { measureLaunch } from './launch.js';
import { describeMachine, load } from './machine.js';
import { inShort, measure } from './measure.js';
import { benchFolder } from './places.js';
import { report } from './report.js';
import { h264, vnc, vp8, websocket } from './rows/heliostat.js';
import { tuned, untuned } from './rows/novnc.js';
import { striped, webrtc, websockets } from './rows/selkies.js';

const ROWS = [h264, vp8, websocket, vnc, untuned, tuned, webrtc, websockets, striped];
const CONTENTS = ['still', 'animation', 'text'];

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    clicks: { type: 'string' },
    loads: { type: 'string' },
    rows: { type: 'string' },
    contents: { type: 'string' },
    report: { type: 'string' },
    'no-launch': { type: 'boolean', default: false },
  },
});

if (values.report) {
  console.log(report(JSON.parse(readFileSync(values.report, 'utf8'))));
  process.exit(0);
}

const rounds = Number(values.rounds ?? (values.quick ? 1 : 6));
const clicks = Number(values.clicks ?? (values.quick ? 20 : 100));
const loads = Number(values.loads ?? (values.quick ? 3 : 10));
const wanted = values.rows?.split(',');
const contents = values.contents?.split(',') ?? CONTENTS;
const unknown = wanted?.find(key => !ROWS.some(row => row.key === key));
if (unknown) {
  console.error(`there is no row ${unknown}; there are ${ROWS.map(row => row.key).join(', ')}`);
  process.exit(2);
}

const rows = ROWS.filter(row => !wanted || wanted.includes(row.key)).filter(row => {
  const missing = row.missing();
  if (missing) console.error(`left out: ${row.name} (${missing})`);
  return !missing;
});

const file = join(benchFolder, `results-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.json`);
/** @type {import('./report.js').Results} */
const results = { machine: describeMachine(), clicks, loads, rounds: [], browser: '' };
const save = () => writeFileSync(file, JSON.stringify(results, null, 1));
console.error(`results go to ${file}`);

if (load() >= 1) console.error(`the load is ${load()}: other work on this machine will be in the figures`);

for (let round = 1; round <= rounds; round += 1) {
  /** @type {import('./report.js').Round} */
  const one = { load: load(), launch: null, rows: {} };
  results.rounds.push(one);
  console.error(`round ${round} of ${rounds}, load ${one.load}`);
  if (!values['no-launch'] && rows.includes(h264)) one.launch = await measureLaunch(loads);
  for (const content of contents) {
    for (const row of rows) {
      one.rows[row.key] ??= { name: row.name, contents: {} };
      const of = one.rows[row.key];
      try {
        const { figures, version } = await measure(row, content, { clicks, loads, viewers: 4 });
        of.contents[content] = { ...figures, load: load() };
        results.browser = version;
        console.error(`${row.name} · ${content}: ${inShort(figures)}`);
      } catch (error) {
        // One row that fails does not cost the others their figures; the table shows the gap.
        console.error(`${row.name} · ${content}: ${/** @type {Error} */ (error).message}`);
      }
      save();
    }
  }
}
console.log(report(results));
