// Selkies, in each of its two modes, as its documentation has it for a machine without a graphics card.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';

import { until } from '../../../tests/browser/harness/wait.js';
import { startDisplay, startTarget } from '../display.js';
import { loopback, selkies, temporaryFolder } from '../places.js';
import { start, stop, tree } from '../processes.js';
import { KBPS } from '../rate.js';

/** @param {'webrtc' | 'websockets'} mode @param {string} name @param {string} encoder */
const row = (mode, name, encoder = 'h264enc') => ({
  key: `selkies-${mode}${encoder === 'h264enc' ? '' : '-striped'}`,
  name,
  prepare: null,
  missing() {
    if (!existsSync(selkies)) return 'Selkies is not installed';
    // Its ICE agent leaves out loopback.
    const outside = Object.values(networkInterfaces()).some(list => list?.some(address => !address.internal));
    return mode === 'webrtc' && !outside ? 'it needs a network interface other than loopback' : null;
  },
  /** @param {string} content @param {unknown} _ @param {import('../places.js').Where} [where] */
  async start(content, _, where) {
    const folder = temporaryFolder();
    const display = await startDisplay(folder);
    const target = startTarget(display.name, content, folder);
    const { address, port } = where ?? (await loopback());
    const ice = join(folder, 'rtc.json');
    writeFileSync(ice, '{"lifetimeDuration":"86400s","iceServers":[],"blockStatus":"NOT_BLOCKED"}');
    const picture = [
      '--manual-width',
      '1280',
      '--manual-height',
      '720',
      '--framerate',
      '60',
      '--encoder',
      encoder,
      // Without it, it looks for a graphics card for each frame, and takes 40 % of a core for a still picture.
      '--use-cpu',
      'true',
      '--rate-control-mode',
      'cbr',
      '--video-bitrate',
      `${KBPS}`,
    ];
    // It reaches itself by loopback.
    const service = [
      '--addr',
      where ? '0.0.0.0' : address,
      '--port',
      `${port}`,
      '--enable-basic-auth',
      'false',
    ];
    const extras = ['--audio-enabled', 'false', '--rtc-config-json', ice, '--enable-resize', 'false'];
    const log = join(folder, 'selkies.log');
    const env = { DISPLAY: display.name, XDG_RUNTIME_DIR: folder, HOME: folder };
    const server = start(selkies, ['--mode', mode, ...service, ...picture, ...extras], { log, env });
    const origin = `http://${address}:${port}`;
    const stopAll = async () => {
      for (const child of [server, target, display.child]) await stop(child);
      if (!process.env.BENCH_KEEP) rmSync(folder, { recursive: true, force: true });
    };
    try {
      await until('Selkies answers', () => fetch(`${origin}/`).then(r => r.ok));
    } catch (error) {
      const said = readFileSync(log, 'utf8').slice(-2000);
      await stopAll();
      throw new Error(`${error}\n${said}`);
    }
    return {
      url: `${origin}/`,
      groups: () => ({
        selkies: tree(server.pid ?? 0),
        display: [display.child.pid ?? 0],
        app: [target.pid ?? 0],
      }),
      stop: stopAll,
    };
  },
});

export const webrtc = row('webrtc', 'Selkies, WebRTC');
export const websockets = row('websockets', 'Selkies, WebSocket');
export const striped = row('websockets', 'Selkies, WebSocket, striped', 'h264enc-striped');
