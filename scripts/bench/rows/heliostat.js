// Heliostat itself: a host with a state folder of its own, the target in its catalogue.

import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { until } from '../../../tests/browser/harness/wait.js';
import { targetOf } from '../display.js';
import { loopback, program, temporaryFolder } from '../places.js';
import { commandLine, start, stop, tree } from '../processes.js';
import { KBPS } from '../rate.js';
import { inPath } from './installed.js';

/** What a process of a host is, by its command line. @param {number} pid */
export function role(pid) {
  const [path = '', command = ''] = commandLine(pid);
  const name = path.split('/').pop() ?? '';
  if (name === 'heliostat') return { serve: 'host', keep: 'keeper', capture: 'capture' }[command] ?? 'other';
  return (
    {
      Xvfb: 'display',
      'heliostat-orrery': 'app',
      openbox: 'window manager',
      bwrap: 'sandboxes',
      x11vnc: 'VNC server',
    }[name] ?? 'other'
  );
}

/** Offers VP8 alone. */
function onlyVp8() {
  const add = RTCPeerConnection.prototype.addTransceiver;
  RTCPeerConnection.prototype.addTransceiver = function (...args) {
    const transceiver = add.apply(this, args);
    const codecs = RTCRtpReceiver.getCapabilities('video')?.codecs ?? [];
    transceiver.setCodecPreferences(
      codecs.filter(c => c.mimeType === 'video/VP8' || c.mimeType === 'video/rtx'),
    );
    return transceiver;
  };
}

/**
 * A running host.
 *
 * @param {string} content
 * @param {Record<string, number>} [limits] keys of that section
 * @param {import('../places.js').Where} [where] where its pages and media are
 * @param {string} [binary] the build
 * @param {Record<string, string | number>} [settings] others than the benchmarks'
 */
export async function startHost(content, limits = {}, where, binary = program, settings = {}) {
  const folder = temporaryFolder();
  const { address, port } = where ?? (await loopback());
  const origin = `http://${address}:${port}`;
  const config = join(folder, 'heliostat.toml');
  const { command, args } = targetOf(content);
  const app = ['[[app]]', 'id = "target"', `command = ${JSON.stringify(command)}`];
  const section = ['[limits]', ...Object.entries(limits).map(([key, value]) => `${key} = ${value}`)];
  const text = [...section, ...app, `args = ${JSON.stringify(args)}`, ''];
  writeFileSync(config, text.join('\n'));
  const flags = ['--config', config, '--listen', `${address}:${port}`, '--state', join(folder, 'state')];
  if (where) flags.push('--set', 'server.insecure_http=true', '--set', `media.bind=${address}`);
  const log = join(folder, 'host.log');
  const all = { 'instances.capacity': 2, 'video.bitrate_kbps': KBPS, ...settings };
  for (const [key, value] of Object.entries(all)) flags.push('--set', `${key}=${value}`);
  let child = start(binary, ['serve', ...flags, '--auth', 'open'], { log });
  const answers = () =>
    until('the host answers', () => fetch(`${origin}/readyz`).then(r => r.ok)).catch(error => {
      child.kill('SIGKILL');
      throw new Error(`${error.message}\n${readFileSync(log, 'utf8')}`);
    });
  await answers();
  return {
    origin,
    auth: 'open',
    token: '',
    get pid() {
      return child.pid ?? 0;
    },
    pids: () => tree(child.pid ?? 0),
    /** Kills it and starts it again, with what it left behind. */
    async again() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
      child = start(binary, ['serve', ...flags, '--auth', 'open'], { log });
      await answers();
    },
    /** Ends it as a service manager does, and keeps its folder. */
    end: () => stop(child, 60_000),
    async stop() {
      await stop(child, 30_000);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The REST interface, with the cookies of a browser's context. @param {string} origin */
export function rest(origin, /** @type {import('playwright-core').BrowserContext} */ context) {
  const options = { headers: { origin } };
  const base = `${origin}/api/v1`;
  return {
    openSession: () => context.request.post(`${base}/sessions`, { ...options, data: {} }),
    launch: async () =>
      (await context.request.post(`${base}/instances`, { ...options, data: { app: 'target' } })).json(),
    instance: async (/** @type {string} */ id) =>
      (await context.request.get(`${base}/instances/${id}`)).json(),
    terminate: (/** @type {string} */ id) => context.request.delete(`${base}/instances/${id}`, options),
  };
}

/** @typedef {{ key: string, as: string, way?: 'auto' | 'webrtc' | 'websocket' | 'vnc', prepare?: () => void, needs?: string }} Row */

/** @param {Row} row `as`: what the picture comes as */
const heliostat = ({ key, as, way = 'webrtc', prepare, needs }) => ({
  key,
  name: `Heliostat (${as})`,
  prepare: prepare ?? null,
  missing: () => (needs && !inPath(needs) ? `${needs} is not installed` : null),
  /** @param {string} content @param {import('playwright-core').BrowserContext} context @param {import('../places.js').Where} [where] */
  async start(content, context, where) {
    const host = await startHost(content, {}, where);
    const api = rest(host.origin, context);
    await api.openSession();
    const { instance_id: id } = await api.launch();
    await until('the instance runs', async () => (await api.instance(id)).status === 'RUNNING');
    return {
      url: `${host.origin}/stream/${id}?transport=${way}`,
      /** @returns {Record<string, number[]>} */
      groups() {
        /** @type {Record<string, number[]>} */
        const groups = {};
        for (const pid of host.pids()) {
          const name = role(pid);
          groups[name] = [...(groups[name] ?? []), pid];
        }
        return groups;
      },
      stop: host.stop,
    };
  },
});

export const h264 = heliostat({ key: 'heliostat', as: 'H.264' });
/** As people have it: by whatever gets through. */
export const auto = heliostat({ key: 'heliostat-auto', as: 'by itself', way: 'auto' });
export const vp8 = heliostat({ key: 'heliostat-vp8', as: 'VP8', prepare: onlyVp8 });
export const websocket = heliostat({
  key: 'heliostat-websocket',
  as: 'H.264 by WebSocket',
  way: 'websocket',
});
export const vnc = heliostat({ key: 'heliostat-vnc', as: 'VNC', way: 'vnc', needs: 'x11vnc' });
