// A start that cannot be says why, and stops.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { environment, Host, program } from './harness/host.js';
import { freePort, temporaryFolder } from './harness/places.js';
import { Client } from './harness/rest.js';
import { until } from './harness/wait.js';

const LIMIT = { timeout: 60_000 };

/** @type {string} */
let folder;
before(() => {
  folder = temporaryFolder();
});
after(() => rmSync(folder, { recursive: true, force: true }));

/**
 * Starts a host that has to stop by itself.
 *
 * @param {string[]} flags
 * @returns {Promise<string>} what it said
 */
async function refused(flags) {
  const child = spawn(program, ['serve', ...flags], { cwd: folder, env: environment() });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', bytes => {
      said += bytes;
    });
  }
  const ended = once(child, 'close');
  try {
    await until('the host stops by itself', () => child.exitCode !== null, { within: 30_000 });
    await ended;
  } finally {
    child.kill('SIGKILL');
  }
  assert.notEqual(child.exitCode, 0, said);
  assert.doesNotMatch(said, /panicked|RUST_BACKTRACE/, said);
  assert.doesNotMatch(said, /http:\/\/\S*#token=/, 'it promises no address');
  return said;
}

/** Flags of a host that would start. @param {string} state */
const usual = async state => ['--listen', `127.0.0.1:${await freePort()}`, '--state', state];

test('a port in use', LIMIT, async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (taken.address());
  const said = await refused(['--listen', `127.0.0.1:${port}`, '--state', join(folder, 'port')]);
  assert.match(said, new RegExp(`127\\.0\\.0\\.1:${port}`));
  assert.match(said, /in use/i);
  taken.close();
});

test('a state folder in use', LIMIT, async () => {
  const host = await Host.start();
  try {
    const said = await refused(await usual(host.state));
    assert.ok(said.includes(host.state), said);
    assert.match(said, /in use|another host/i);
    assert.equal((await new Client(host).get('/healthz')).status, 200, 'the first is not disturbed');
  } finally {
    await host.stop();
    host.removeFolder();
  }
});

test('a state folder that cannot be', LIMIT, async () => {
  const file = join(folder, 'a-file');
  writeFileSync(file, '');
  const said = await refused(await usual(join(file, 'state')));
  assert.ok(said.includes(file), said);
});

test('a database that cannot be read', LIMIT, async () => {
  const state = join(folder, 'garbage');
  mkdirSync(state, { mode: 0o700 });
  writeFileSync(join(state, 'heliostat.db'), 'this is no database, whatever its name says\n'.repeat(100));
  const said = await refused(await usual(state));
  assert.match(said, /database/i);
  assert.ok(said.includes('heliostat.db'), said);
});

test('a database of a newer version', LIMIT, async () => {
  const host = await Host.start();
  await host.stop();
  // The newest change that was made to it becomes one that this version does not know.
  const path = join(host.state, 'heliostat.db');
  const text = readFileSync(path, 'latin1');
  assert.ok(text.includes('00000000000001'), 'the first change is in the database');
  writeFileSync(path, text.replaceAll('00000000000001', '99990000000001'), 'latin1');
  const said = await refused(await usual(host.state));
  assert.match(said, /newer/i);
  assert.ok(said.includes(path), said);
  host.removeFolder();
});

test('an address that the network reaches, without --insecure-http', LIMIT, async () => {
  const said = await refused(['--listen', '0.0.0.0:0', '--state', join(folder, 'open')]);
  assert.match(said, /--insecure-http|insecure_http/);
});

test('a wrong key, a wrong value, a wrong flag', LIMIT, async () => {
  const config = join(folder, 'wrong.toml');
  const with_ = async (/** @type {string} */ text) => {
    writeFileSync(config, text);
    return await refused(['--config', config, ...(await usual(join(folder, 'wrong')))]);
  };
  const key = await with_('[instances]\ncapacty = 3\n');
  assert.match(key, /capacty/);
  assert.match(key, /capacity/, 'it suggests the right one');
  const value = await with_('[video]\nfps = 1000\n');
  assert.match(value, /video\.fps/);
  assert.match(value, /1000/);
  assert.match(value, /240/, 'it says what is allowed');
  await with_('this is not TOML');
  await refused(['--nonsense']);
  await refused(['--config', join(folder, 'nowhere.toml'), ...(await usual(join(folder, 'wrong')))]);
});
