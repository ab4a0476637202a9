// How old frames are when they come by the media socket at the end of a line: without a browser, whose own work would be in it.
//
//   node scripts/bench/frames.js [--lines KEY,...] [--seconds N]
//
// As root; lines as of `scripts/bench/lines --list`. HELIOSTAT_BIN is the host under test. docs/benchmarks.md has figures.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { Line, noLines } from '../../tests/browser/harness/line.js';
import { LINES } from './line/catalogue.js';
import { load } from './machine.js';
import { percentile } from './numbers.js';
import { freePort } from './places.js';
import { startHost } from './rows/heliostat.js';

const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '1m-q50,1m-q500,500k-q50,500k-q500,steps' },
    seconds: { type: 'string', default: '15' },
  },
});

const why = noLines();
if (why) {
  console.error(`lines cannot be made: ${why}`);
  process.exit(1);
}

/** @typedef {{ at: number, age: number, bytes: number, key: boolean }} Came ms, bytes */

/** @param {Came[]} frames @param {number} ms for so long @param {number} kbps that the line carried */
function inShort(frames, ms, kbps) {
  const ages = frames.map(({ age }) => age);
  const gaps = frames.slice(1).map(({ at }, n) => at - frames[n].at);
  const [p50, p95] = [percentile(ages, 50), percentile(ages, 95)].map(age => age?.toFixed(0));
  const fps = ((1000 * frames.length) / ms).toFixed(0);
  const keys = frames.filter(({ key }) => key).length;
  const most = Math.max(...ages, 0).toFixed(0);
  const gap = Math.max(...gaps, 0).toFixed(0);
  return `${fps} frames a second, ${p50} / ${p95} / ${most} ms old (p50 / p95 / most), ${gap} ms at most without one, ${keys} key frames, ${kbps.toFixed(0)} kbit/s`;
}

const line = await Line.make({ every: 500 });
try {
  for (const key of values.lines.split(',')) {
    const of = LINES.find(one => one.key === key);
    if (!of) throw new Error(`there is no line ${key}`);
    await line.change({ both: {} });
    const host = await startHost('text', {}, { address: line.host, port: await freePort() });
    const viewer = new URL('./frames-viewer.js', import.meta.url).pathname;
    const [command, ...args] = [...line.there, process.execPath, viewer, host.origin, line.viewer];
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    try {
      const said = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      await said.next();
      await line.change(of.shapes);
      child.stdin.write('go\n');
      const seconds = of.seconds ?? Number(values.seconds);
      const begun = performance.now();
      const from = Date.now();
      const steps = [...(of.steps ?? []), { at: seconds }];
      const ends = [];
      for (const step of steps) {
        await sleep(Math.max(0, begun + step.at * 1000 - performance.now()));
        ends.push(Date.now());
        if ('shapes' in step && step.shapes) await line.change(step.shapes);
      }
      child.stdin.end();
      const frames = /** @type {Came[]} */ (JSON.parse((await said.next()).value));
      let since = from;
      for (const end of ends) {
        const some = frames.filter(({ at }) => at >= since && at < end);
        const carried = line.seconds(since).filter(({ at }) => at <= end);
        const kbps = carried.reduce((sum, one) => sum + one.carried, 0) / Math.max(carried.length, 1);
        console.log(`${of.name}: ${inShort(some, end - since, kbps)}, load ${load()}`);
        since = end;
      }
    } finally {
      child.kill();
      await host.stop();
    }
  }
} finally {
  await line.end();
}
