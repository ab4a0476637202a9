// A TURN server of the test's own: coturn on loopback, with the configuration that scripts/install-coturn writes.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { freePort, repository, temporaryFolder } from './places.js';
import { until } from './wait.js';

/** Ports of relays, enough for a file's scenarios. */
const RELAYS = 200;

export class Turn {
  /** @type {import('node:child_process').ChildProcess | null} */
  #process = null;

  /** @param {{ folder: string, port: number, tlsPort: number, relays: number, address: string, prefix: string[] }} settings */
  constructor({ folder, port, tlsPort, relays, address, prefix }) {
    this.folder = folder;
    this.prefix = prefix;
    this.port = port;
    this.tlsPort = tlsPort;
    this.relays = relays;
    /** To be given to a host as `ice.secret_file`. */
    this.secretFile = join(folder, 'secret');
    this.certificate = join(folder, 'cert.pem');
    this.log = join(folder, 'coturn.log');
    this.urls = {
      stun: `stun:${address}:${port}`,
      udp: `turn:${address}:${port}?transport=udp`,
      tcp: `turn:${address}:${port}?transport=tcp`,
      tls: `turns:${address}:${tlsPort}?transport=tcp`,
    };
  }

  /** Starts one. */
  static async start(options = {}) {
    const turn = await Turn.prepare(options);
    await turn.run();
    return turn;
  }

  /**
   * Everything that it needs to be run. It relays only to where it is itself, as the host of the tests is.
   *
   * @param {{ address?: string, prefix?: string[] }} options where it listens, and what command runs it
   */
  static async prepare({ address = '127.0.0.1', prefix = [] } = {}) {
    const folder = temporaryFolder('turn');
    const [port, tlsPort] = [await freePort(), await freePort()];
    // Apart from the ports of hosts, from those of other tests, and from those that the system gives out.
    const relays = 52_000 + (process.pid % 30) * RELAYS;
    const turn = new Turn({ folder, port, tlsPort, relays, address, prefix });
    writeFileSync(turn.secretFile, 'a-secret-of-the-tests-alone\n', { mode: 0o600 });
    const key = join(folder, 'key.pem');
    const subject = ['-subj', `/CN=${address}`, '-addext', `subjectAltName=IP:${address}`];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', turn.certificate, ...subject], {
      stdio: 'pipe',
    });
    const flags = {
      name: address,
      listen: address,
      peer: address,
      port,
      'tls-port': tlsPort,
      'relay-ports': `${relays}-${relays + RELAYS - 1}`,
      'secret-file': turn.secretFile,
      cert: turn.certificate,
      key,
    };
    const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const configuration = execFileSync(join(repository, 'scripts/install-coturn'), ['--print', ...args]);
    writeFileSync(join(folder, 'turnserver.conf'), configuration, { mode: 0o600 });
    return turn;
  }

  /** Starts it, again if need be, in the same place. */
  async run() {
    const log = openSync(this.log, 'a');
    const begin = readFileSync(this.log).length;
    const files = ['-c', join(this.folder, 'turnserver.conf'), `--userdb=${join(this.folder, 'unused.db')}`];
    const [program, ...args] = [...this.prefix, 'turnserver', ...files, '--pidfile='];
    const child = spawn(program, args, {
      cwd: this.folder,
      stdio: ['ignore', log, log],
    });
    this.#process = child;
    let ended = '';
    child.on('error', error => {
      ended = error.message;
    });
    await until('coturn listens', () => {
      assert.ok(child.exitCode === null && !ended, `coturn has ended: ${ended}\n${this.said(begin)}`);
      return /admin thread/.test(this.said(begin));
    });
  }

  /** @param {number} [from] byte of its log */
  said(from = 0) {
    return readFileSync(this.log, 'utf8').slice(from);
  }

  /** Kills it: every relay is gone, without a word. */
  async kill() {
    const child = this.#process;
    this.#process = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async destroy() {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * Runs in the page: of all servers that the host tells of, the browser hears of one.
 *
 * @param {string} url
 */
export function only(url) {
  const configure = RTCPeerConnection.prototype.setConfiguration;
  RTCPeerConnection.prototype.setConfiguration = function (configuration = {}) {
    const iceServers = (configuration.iceServers ?? []).map(server => ({
      ...server,
      urls: [server.urls].flat().filter(one => one === url),
    }));
    return configure.call(this, {
      ...configuration,
      iceServers: iceServers.filter(({ urls }) => urls.length > 0),
    });
  };
}

/**
 * The path in use, as the browser tells it.
 *
 * @param {import('./viewer.js').Viewer} viewer
 */
export function pathOf(viewer) {
  return viewer.page.evaluate(async () => {
    const { peerConnection } = /** @type {any} */ (document.querySelector('heliostat-viewer'));
    const report = await peerConnection.getStats();
    const transport = [...report.values()].find(entry => entry.type === 'transport');
    const pair = report.get(transport?.selectedCandidatePairId);
    const near = report.get(pair?.localCandidateId);
    const { candidateType: type, relayProtocol: protocol, port, address } = near ?? {};
    return { type, protocol, port, address };
  });
}

/**
 * What the stream has lost so far, and the longest time between two frames since the last call, in milliseconds.
 *
 * @param {import('./viewer.js').Viewer} viewer
 */
export function losses(viewer) {
  return viewer.page.evaluate(async () => {
    const element = /** @type {any} */ (document.querySelector('heliostat-viewer'));
    const page = /** @type {any} */ (window);
    if (!page.testFrames) {
      page.testFrames = { last: performance.now(), longest: 0 };
      const seen = () => {
        const now = performance.now();
        page.testFrames.longest = Math.max(page.testFrames.longest, now - page.testFrames.last);
        page.testFrames.last = now;
        element.video.requestVideoFrameCallback(seen);
      };
      element.video.requestVideoFrameCallback(seen);
    }
    const gap = Math.round(page.testFrames.longest);
    page.testFrames.longest = 0;
    const report = await element.peerConnection.getStats();
    const entry = [...report.values()].find(one => one.type === 'inbound-rtp' && one.kind === 'video');
    const { packetsLost, framesDropped, freezeCount, keyFramesDecoded, framesDecoded, nackCount } = entry;
    return { packetsLost, framesDropped, freezeCount, keyFramesDecoded, framesDecoded, nackCount, gap };
  });
}
