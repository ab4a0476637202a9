// A host whose database has a long past: how soon it begins, and what its answers take while too much of that is deleted.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { still } from '../../tests/browser/harness/apps.js';
import { Host } from '../../tests/browser/harness/host.js';
import { Client } from '../../tests/browser/harness/rest.js';
import { percentile } from './numbers.js';

const { values } = parseArgs({
  options: {
    sessions: { type: 'string', default: '10000' },
    links: { type: 'string', default: '2000' },
    events: { type: 'string', default: '100000' },
  },
});
const [sessions, links, events] = [values.sessions, values.links, values.events].map(Number);
/** Sessions that did something, each with an instance that has ended. */
const ENDED = 2_000;
/** For so long the host is asked after its start, and so often, ms. */
const WATCH = 15_000;
const ASKED_EVERY = 50;

const FILL = `
import sqlite3, sys, time, uuid
path, sessions, ended, links, events = sys.argv[1], *map(int, sys.argv[2:])
now = int(time.time() * 1000)
day = 86_400_000
store = sqlite3.connect(path)
server = store.execute("SELECT server_id FROM servers").fetchone()[0]
ids = [str(uuid.uuid4()) for _ in range(sessions)]
store.executemany("INSERT INTO sessions (session_id, secret_hash, created, modified, token_hash) VALUES (?, ?, ?, ?, '')",
    ((id, f"hash {n}", now - day, now - n * 1000) for n, id in enumerate(ids)))
instances = [str(uuid.uuid4()) for _ in range(ended)]
store.executemany("""INSERT INTO instances (instance_id, session_id, server_id, app, status, created, modified, width, height,
    fps, restarts, ended) VALUES (?, ?, ?, 'still', 'TERMINATED', ?, ?, 1280, 720, 60, 0, ?)""",
    ((id, ids[n % len(ids)], server, now - day, now - day, now - day // 2) for n, id in enumerate(instances)))
store.executemany("INSERT INTO links (link_id, instance_id, role, expires_at, token_hash, created) VALUES (?, ?, 'spectator', ?, ?, ?)",
    ((str(uuid.uuid4()), instances[n % len(instances)], now + day, f"token {n}", now - day) for n in range(links)))
store.executemany("INSERT INTO events (at, actor, kind, detail, class) VALUES (?, ?, 'viewer_joined', '', ?)",
    ((now - 2 * events + n, f"root/instances/{instances[n % len(instances)]}", ("visits", "supervision")[n % 2]) for n in range(2 * events)))
store.commit()
`;

/** @type {[string, string][]} */
const rows = [];
/** @param {string} what @param {string} figure */
const row = (what, figure) => {
  rows.push([what, figure]);
  console.error(`${what}: ${figure}`);
};
/** @param {number[]} took in ms */
const spread = took => [50, 99, 100].map(p => percentile(took, p).toFixed(0)).join(' · ');

const host = await Host.start({
  apps: paths => [still(paths)],
  sections: {
    limits: { requests_per_minute: 1_000_000, launches_per_hour: 100_000 },
    store: { events },
  },
});
try {
  const database = join(host.state, 'heliostat.db');
  const empty = performance.now();
  await host.crash();
  await host.run();
  row('start with an empty past, until it answers, ms', (performance.now() - empty).toFixed(0));
  await host.crash();
  execFileSync('python3', ['-c', FILL, database, ...[sessions, ENDED, links, events].map(String)]);
  const full = performance.now();
  await host.run();
  row(
    `the same with ${sessions} sessions, ${links} links, ${2 * events} events, ms`,
    (performance.now() - full).toFixed(0),
  );

  const client = await Client.withSession(host);
  const paths = [
    '/readyz',
    '/api/v1/instances',
    '/api/v1/sessions/current',
    '/api/v1/admin/supervision',
    '/api/v1/admin/events?limit=1000',
  ];
  const until = performance.now() + WATCH;
  /** @type {number[]} */
  const launched = [];
  const asked = paths.map(async path => {
    /** @type {number[]} */
    const took = [];
    let bytes = 0;
    while (performance.now() < until) {
      const begun = performance.now();
      const answer = await client.get(path);
      if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}`);
      took.push(performance.now() - begun);
      bytes = JSON.stringify(answer.body).length;
      await sleep(ASKED_EVERY);
    }
    row(`\`GET ${path}\` in the ${WATCH / 1000} s after that, p50 · p99 · most, ms (bytes)`, `${spread(took)} (${bytes})`);
  });
  const launching = (async () => {
    while (performance.now() < until) {
      const begun = performance.now();
      const { body } = await client.post('/api/v1/instances', { app: 'still' });
      launched.push(performance.now() - begun);
      host.instances.add(body.instance_id);
      await client.ask('DELETE', `/api/v1/instances/${body.instance_id}`);
      await sleep(1000);
    }
    row('a launch meanwhile is answered, p50 · p99 · most, ms', spread(launched));
  })();
  await Promise.all([...asked, launching]);
  const left = execFileSync('python3', [
    '-c',
    'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM events").fetchone()[0])',
    database,
  ]);
  row('events left after that', String(left).trim());
} finally {
  await host.stop().finally(() => host.destroy());
}

console.log('| what | figure |\n|---|---|');
for (const [what, figure] of rows) console.log(`| ${what} | ${figure} |`);
