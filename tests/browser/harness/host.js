// A host of the test's own: `heliostat serve` with a state folder, a port and a configuration of its own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { mountDisk, mounted, unmountDisk } from './disk.js';
import { freePort, programOf, temporaryFolder } from './places.js';
import {
  displayLocks,
  isAlive,
  processesIn,
  processesOf,
  staleDisplayLocks,
  unixSocketsBelow,
} from './proc.js';
import { statusOf } from './request.js';
import { until } from './wait.js';

/** The program under test: `HELIOSTAT_BIN`, or the development build. */
export const program = programOf('debug');

/** How long a host may take to start: a cold debug build on a busy machine. */
const START_LIMIT = 60_000;

/** Variables that would configure the host are not the test's to inherit. */
export function environment() {
  const clean = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('HELIOSTAT_') && name !== 'DATABASE_URL' && name !== 'DISPLAY',
  );
  return Object.fromEntries(clean);
}

/**
 * The demo, where every user can run it: where the host is root, programs run as somebody who may be barred from the
 * build folder.
 *
 * @param {string} folder where to put a copy if need be
 */
function demoFor(folder) {
  const demo = join(dirname(program), 'heliostat-orrery');
  for (let path = dirname(demo); path !== '/'; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) {
      const copy = join(folder, 'heliostat-orrery');
      copyFileSync(demo, copy);
      chmodSync(copy, 0o755);
      return copy;
    }
  }
  return demo;
}

/**
 * @typedef {object} App an `[[app]]` entry; any further key of the configuration is allowed
 * @property {string} id
 * @property {string} command
 * @property {string} [name]
 * @property {string[]} [args]
 * @property {number} [width]
 * @property {number} [height]
 */

/** @param {unknown} value @returns {string} as TOML writes it */
function toml(value) {
  if (Array.isArray(value)) return `[${value.map(toml).join(', ')}]`;
  if (value !== null && typeof value === 'object') {
    return `{ ${Object.entries(value)
      .map(([key, inner]) => `${key} = ${toml(inner)}`)
      .join(', ')} }`;
  }
  return JSON.stringify(value);
}

/** @param {object} entries */
const lines = entries => Object.entries(entries).map(([key, value]) => `${key} = ${toml(value)}`);

export class Host {
  /** Ids of instances that its tests met. @type {Set<string>} */
  instances = new Set();
  /** @type {import('node:child_process').ChildProcess | null} */
  process = null;
  /** The URL that it gave at its first start, with the token in its fragment. */
  entry = '';
  /** The URL that it gave last. */
  said = '';
  /** Whether panics in its log are meant to be there. */
  panics = false;
  #runs = 0;

  /**
   * @param {object} settings
   * @param {string} settings.folder
   * @param {number} settings.port
   * @param {'token' | 'open'} settings.auth
   * @param {Record<string, string>} [settings.env]
   * @param {boolean} [settings.encrypted]
   * @param {string} [settings.listen]
   */
  constructor({ folder, port, auth, env = {}, encrypted = false, listen = '127.0.0.1' }) {
    this.listen = `${listen}:${port}`;
    this.env = env;
    this.folder = folder;
    this.state = join(folder, 'state');
    this.config = join(folder, 'heliostat.toml');
    this.port = port;
    this.auth = auth;
    this.origin = `${encrypted ? 'https' : 'http'}://127.0.0.1:${port}`;
    this.logFile = join(folder, 'host.log');
    // Not only the stale ones: the number in an old lock may be another process's for a while.
    this.locksBefore = new Set(displayLocks());
  }

  /**
   * Starts a host.
   *
   * @param {object} [options]
   * @param {'token' | 'open'} [options.auth]
   * @param {boolean} [options.panics] whether its actors are made to panic
   * @param {Record<string, object>} [options.sections] sections of the configuration
   * @param {(paths: { folder: string, demo: string }) => App[]} [options.apps]
   * @param {Record<string, string>} [options.env] further variables of its environment
   * @param {string} [options.listen] where, if not on 127.0.0.1 alone; there, too, in any case
   * @param {number} [options.disk] its state lies on a disk of its own of so many MiB
   */
  static async start({
    auth = 'token',
    sections = {},
    apps = () => [],
    env = {},
    panics = false,
    disk = 0,
    listen,
  } = {}) {
    const folder = temporaryFolder();
    const encrypted = 'tls_certificate' in (sections.server ?? {});
    const host = new Host({ folder, port: await freePort(), auth, env, encrypted, listen });
    host.panics = panics;
    if (disk > 0) mountDisk(host.state, disk);
    const text = Object.entries(sections).flatMap(([name, keys]) => [`[${name}]`, ...lines(keys), '']);
    const demo = demoFor(folder);
    // Most of them are shells that look for something there.
    const files = [folder, demo];
    for (const app of apps({ folder, demo })) {
      text.push('[[app]]', ...lines({ files, ...app }), '');
    }
    writeFileSync(host.config, text.join('\n'));
    await host.run();
    return host;
  }

  get pid() {
    assert.ok(this.process?.pid, 'the host has been started');
    return this.process.pid;
  }

  /** Starts it, again if need be: the same port, state and configuration. */
  async run() {
    this.#runs += 1;
    const log = openSync(this.logFile, 'a');
    const begin = statSync(this.logFile).size;
    const flags = ['--config', this.config, '--listen', this.listen];
    const child = spawn(program, ['serve', ...flags, '--state', this.state, '--auth', this.auth], {
      cwd: this.folder,
      env: { ...environment(), ...this.env },
      stdio: ['ignore', log, log],
    });
    this.process = child;
    let spawnError = '';
    child.on('error', error => {
      spawnError = error.message;
    });
    await until(
      'the host says where it is',
      () => {
        const said = readFileSync(this.logFile, 'utf8').slice(begin);
        if (child.exitCode !== null || spawnError) return 'ended';
        this.said = /^https?:\/\/\S+\/$/m.exec(said)?.[0] ?? '';
        if (this.said === '' || this.auth === 'open') return this.said !== '';
        // A log is no place for what signs somebody in: it names the file that holds it.
        this.said = readFileSync(join(this.state, 'sign-in'), 'utf8').trim();
        return this.said.includes('#token=');
      },
      { within: START_LIMIT },
    );
    if (child.exitCode !== null || spawnError) {
      throw new Error(`the host did not start: ${spawnError || this.log().slice(begin)}`);
    }
    // The token is shown at the first start only; later ones give a ticket that is good once.
    this.entry ||= this.said;
    await until('the host answers', async () => (await statusOf(`${this.origin}/healthz`)) === 200);
  }

  /** `heliostat <command>` for this host. @param {string} command @param {string[]} more */
  async command(command, ...more) {
    const flags = ['--config', this.config, '--listen', this.listen, '--state', this.state];
    const child = spawn(program, [command, ...flags, ...more], {
      cwd: this.folder,
      env: environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', text => {
        said += text;
      });
    }
    // What it said last may come after its end.
    const [code] = await once(child, 'close');
    return { code, said };
  }

  /** Puts another token in the place of the one there is. @param {string[]} more arguments */
  async rotate(...more) {
    const { said } = await this.command('token', '--rotate', ...more);
    this.entry = `${this.origin}/#token=${/#token=([\w-]{43})\n/.exec(said)?.[1] ?? ''}`;
  }

  /** The token that it showed. */
  get token() {
    return this.entry.split('#token=')[1] ?? '';
  }

  log() {
    return readFileSync(this.logFile, 'utf8');
  }

  /** Kills it at once, as a crash would: its instances live on. */
  async crash() {
    const child = this.process;
    assert.ok(child?.pid, 'the host runs');
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Ends it as a service manager would, and makes sure that nothing of it is left. */
  async stop() {
    const child = this.process;
    if (child && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const patience = sleep(30_000, 'late', { ref: false });
      if ((await Promise.race([ended, patience])) === 'late') {
        child.kill('SIGKILL');
        await ended;
        throw new Error('the host did not end within 30 s of SIGTERM');
      }
      const [code] = await ended;
      assert.equal(code, 0, `the host ended with ${code}`);
    }
    await this.assertNothingLeft();
    if (!this.panics) assert.doesNotMatch(this.log(), /panicked at/, 'no panic in the log of the host');
  }

  /**
   * Every process, socket and X lock of its instances is gone; those of the host, too, unless it is alive.
   *
   * @param {{ alive?: boolean }} [options]
   */
  async assertNothingLeft({ alive = false } = {}) {
    await until('nothing of the host and its instances is left', () => {
      const left = this.leftovers(alive ? /\/instances\// : /./);
      if (left.length > 0) throw new Error(`left: ${left.join('; ')}`);
      return true;
    });
  }

  /** What is still there, in words. @param {RegExp} where which sockets count */
  leftovers(where) {
    const ours = [...this.instances].flatMap(processesOf);
    const pids = new Set(ours.map(process => process.pid));
    const others = processesIn(this.state).filter(({ pid }) => !pids.has(pid) && pid !== this.process?.pid);
    const locks = staleDisplayLocks().filter(path => !this.locksBefore.has(path));
    return [
      ...[...ours, ...others].map(
        process => `process ${process.pid} ${process.role ?? ''} ${process.command}`,
      ),
      ...unixSocketsBelow(this.state)
        .filter(path => where.test(path))
        .map(path => `socket ${path}`),
      ...this.socketFiles()
        .filter(path => where.test(path))
        .map(path => `socket file ${path}`),
      ...locks.map(path => `lock ${path}`),
    ];
  }

  /** What is still running of some instances. @param {Iterable<string>} instances */
  processesLeft(instances) {
    return [...instances].flatMap(processesOf);
  }

  /** Files of sockets in the state folder. */
  socketFiles() {
    return this.files().filter(path => statSync(path, { throwIfNoEntry: false })?.isSocket());
  }

  /** Every file in the state folder. @returns {string[]} */
  files(folder = this.state) {
    try {
      return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
        const path = join(folder, entry.name);
        return entry.isDirectory() ? this.files(path) : [path];
      });
    } catch {
      return [];
    }
  }

  /** What the program of an instance wrote so far, as far as it is kept. @param {string} instance */
  outputOf(instance) {
    return this.files()
      .filter(path => path.includes(instance) && /\.(log|out|output|txt)(\.\d+)?$/.test(path))
      .map(path => readFileSync(path, 'utf8'))
      .join('\n');
  }

  /** For after a failure, or a test that does without a host in the end: nothing lives on, whatever happened. */
  async destroy() {
    if (this.process?.pid && isAlive(this.process.pid)) this.process.kill('SIGKILL');
    for (const { pid } of [...[...this.instances].flatMap(processesOf), ...processesIn(this.state)]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone by itself.
      }
    }
    if (mounted(this.state)) unmountDisk(this.state);
  }

  /** Removes everything it had on disk. */
  removeFolder() {
    if (mounted(this.state)) unmountDisk(this.state);
    rmSync(this.folder, { recursive: true, force: true });
    // Where the host is root, its programs have their homes apart from its state.
    const name = createHash('sha256').update(this.state).digest('hex').slice(0, 16);
    rmSync(join('/var/lib/heliostat-apps', name), { recursive: true, force: true });
  }

  /** A file for programs to read. @param {string} name @param {string} content */
  give(name, content) {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    chmodSync(path, 0o644);
    return path;
  }
}
