// noVNC: x11vnc on the display, websockify serving its pages and socket.

import { accessSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { until } from '../../../tests/browser/harness/wait.js';
import { startDisplay, startTarget } from '../display.js';
import { freePort, loopback, novnc, temporaryFolder } from '../places.js';
import { start, stop, tree } from '../processes.js';
import { inPath } from './installed.js';

/** @param {string} key @param {string} name @param {string[]} tuning options of x11vnc */
const row = (key, name, tuning) => ({
  key,
  name,
  prepare: null,
  missing() {
    try {
      accessSync(join(novnc, 'vnc_lite.html'));
    } catch {
      return 'noVNC is not installed';
    }
    return ['x11vnc', 'websockify'].find(program => !inPath(program))
      ? 'x11vnc or websockify is missing'
      : null;
  },
  /** @param {string} content @param {unknown} _ @param {import('../places.js').Where} [where] */
  async start(content, _, where) {
    const folder = temporaryFolder();
    const display = await startDisplay(folder);
    const target = startTarget(display.name, content, folder);
    const rfb = await freePort();
    const { address, port: web } = where ?? (await loopback());
    const log = name => ({ log: join(folder, `${name}.log`) });
    const options = [
      '-display',
      display.name,
      '-rfbport',
      `${rfb}`,
      '-localhost',
      '-forever',
      '-shared',
      '-nopw',
    ];
    const server = start('x11vnc', [...options, ...tuning], log('x11vnc'));
    const proxy = start(
      'websockify',
      ['--web', novnc, `${address}:${web}`, `127.0.0.1:${rfb}`],
      log('websockify'),
    );
    const origin = `http://${address}:${web}`;
    await until('websockify answers', () => fetch(`${origin}/vnc_lite.html`).then(r => r.ok));
    await until('x11vnc listens', () => listens(rfb));
    return {
      url: `${origin}/vnc_lite.html`,
      groups: () => ({
        x11vnc: tree(server.pid ?? 0),
        websockify: tree(proxy.pid ?? 0),
        display: [display.child.pid ?? 0],
        app: [target.pid ?? 0],
      }),
      async stop() {
        for (const child of [proxy, server, target, display.child]) await stop(child);
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
});

/** Whether somebody listens on a port of loopback, without connecting to it. @param {number} port */
function listens(port) {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return new RegExp(`:${hex} 0{8}:0000 0A`).test(readFileSync('/proc/net/tcp', 'utf8'));
}

export const untuned = row('novnc', 'noVNC, default', []);
export const tuned = row('novnc-tuned', 'noVNC, tuned', ['-wait', '5', '-defer', '5']);
