// Page to first frame, by stage. See docs/benchmarks.md.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { program as browserProgram } from '../../tests/browser/harness/browser.js';
import { Line } from '../../tests/browser/harness/line.js';
import { until } from '../../tests/browser/harness/wait.js';
import { beginnings } from './beginnings.js';
import { openBrowser } from './browser.js';
import { LINES } from './line/catalogue.js';
import { describeMachine, load } from './machine.js';
import { percentile } from './numbers.js';
import { benchFolder, freePort, program } from './places.js';
import { rest, startHost } from './rows/heliostat.js';

/** How long a new tab is given before it navigates, ms: what it takes to make one is no part of the page. */
const TAB_SETTLE = 700;

const { values } = parseArgs({
  options: {
    loads: { type: 'string', default: '10' },
    lines: { type: 'string', default: 'loopback,rtt50,loss5' },
    ways: { type: 'string', default: 'webrtc,websocket' },
    caches: { type: 'string', default: 'cold,warm' },
    programs: { type: 'string', default: program },
  },
});
const [loads, lines, ways, caches] = [
  Number(values.loads),
  values.lines.split(','),
  values.ways.split(','),
  values.caches.split(','),
];
const programs = values.programs.split(',');
const unknown = lines.find(key => key !== 'loopback' && !LINES.some(line => line.key === key));
if (unknown) {
  console.error(`there is no line ${unknown}; there are loopback, ${LINES.map(line => line.key).join(', ')}`);
  process.exit(2);
}

/** @typedef {{ program: string, line: string, way: string, cache: string, stages: Record<string, number> }} Taken */
/** @type {Taken[]} */
const taken = [];

/** One build's host with an instance, and its own browser. @param {string} binary @param {Line | null} line */
async function subject(binary, line) {
  const where = line ? { address: line.host, port: await freePort() } : undefined;
  // WebCodecs are there for pages that are as good as encrypted only, as they are on loopback.
  const flags = where
    ? [`--unsafely-treat-insecure-origin-as-secure=http://${where.address}:${where.port}`]
    : [];
  const { browser, context } = await openBrowser(beginnings, {
    flags,
    program: line ? line.within(browserProgram) : undefined,
  });
  const host = await startHost('still', {}, where, binary);
  const api = rest(host.origin, context);
  await api.openSession();
  const { instance_id: id } = await api.launch();
  await until('the instance runs', async () => (await api.instance(id)).status === 'RUNNING');
  const stop = async () => {
    await browser.close();
    await host.stop();
  };
  return { context, url: `${host.origin}/stream/${id}`, stop };
}

/**
 * One load of the page.
 * @param {Awaited<ReturnType<typeof subject>>} of @param {string} way @param {boolean} cold whether the browser's cache is empty
 */
async function loaded({ context, url }, way, cold) {
  const page = await context.newPage();
  try {
    if (cold) await (await context.newCDPSession(page)).send('Network.clearBrowserCache');
    await sleep(TAB_SETTLE);
    await page.goto(`${url}?transport=${way}`, { waitUntil: 'commit' });
    return await page.evaluate(async () => {
      const seen = await /** @type {any} */ (window).bench.first;
      if (seen === null) throw new Error('no picture within 30 s');
      return { .../** @type {any} */ (window).beginningOf(), seen };
    });
  } finally {
    await page.close();
  }
}

for (const key of lines) {
  const shapes = LINES.find(line => line.key === key)?.shapes;
  const line = shapes ? await Line.make() : null;
  const subjects = [];
  for (const binary of programs) subjects.push(await subject(binary, line));
  if (line && shapes) await line.change(shapes);
  // The first load of each way fills the cache, and is of no row.
  for (let i = -1; i < loads; i += 1) {
    for (const way of ways) {
      for (const cache of caches) {
        for (const [n, of] of subjects.entries()) {
          try {
            const stages = await loaded(of, way, cache === 'cold');
            if (i >= 0) taken.push({ program: programs[n], line: key, way, cache, stages });
          } catch (error) {
            console.error(`${key} · ${way} · ${cache}: ${/** @type {Error} */ (error).message}`);
          }
        }
      }
    }
  }
  for (const of of subjects) await of.stop();
  await line?.end();
  console.error(`${key}: done, load ${load()}`);
}

const machine = describeMachine();
const file = join(benchFolder, `start-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.json`);
writeFileSync(file, JSON.stringify({ machine, taken }, null, 1));
console.log(
  `${machine.date} UTC · ${machine.cores} cores, ${machine.cpu} · commit ${machine.commit} · load ${load()}\n`,
);
for (const line of lines) {
  for (const way of ways) {
    const of = taken.filter(one => one.line === line && one.way === way);
    const columns = caches.flatMap(cache => programs.map(binary => ({ cache, binary })));
    const figures = columns.map(({ cache, binary }) =>
      of.filter(o => o.cache === cache && o.program === binary),
    );
    const stages = [...new Set(of.flatMap(({ stages }) => Object.keys(stages)))];
    const p = (/** @type {Taken[]} */ ones, /** @type {string} */ stage, /** @type {number} */ q) =>
      percentile(
        ones.map(one => one.stages[stage]).filter(at => at !== undefined),
        q,
      );
    stages.sort((a, b) => p(of, a, 50) - p(of, b, 50));
    console.log(
      `**${line}, ${way}** (p50 / p95, ms from the navigation; n ${figures.map(f => f.length).join(', ')})\n`,
    );
    const names = columns.map(({ cache, binary }) => `${cache}${programs.length > 1 ? ` ${binary}` : ''}`);
    console.log(`|  | ${names.join(' | ')} |\n|---|${names.map(() => '---:|').join('')}`);
    for (const stage of stages) {
      const cells = figures.map(f => `${p(f, stage, 50).toFixed(0)} / ${p(f, stage, 95).toFixed(0)}`);
      console.log(`| ${stage} | ${cells.join(' | ')} |`);
    }
    console.log('');
  }
}
