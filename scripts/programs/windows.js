// The windows of an instance, as its own X server tells.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { pidOf } from '../../tests/browser/harness/proc.js';

/**
 * Whether one of its windows covers the display.
 *
 * @param {string} instance @param {{ width: number, height: number }} size
 * @returns {Promise<{ covers: boolean, words: string }>}
 */
export async function covers(instance, size) {
  const pid = await pidOf(instance, 'render');
  const env = Object.fromEntries(
    readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .map(entry => entry.split(/=(.*)/s).slice(0, 2)),
  );
  /** @param {string} tool @param {string[]} args */
  const ask = (tool, ...args) =>
    execFileSync(tool, args, {
      env: { PATH: process.env.PATH, DISPLAY: env.DISPLAY, XAUTHORITY: env.XAUTHORITY },
      encoding: 'utf8',
      timeout: 10_000,
    });
  const ids = ask('xprop', '-root', '_NET_CLIENT_LIST').match(/0x[0-9a-f]+/g) ?? [];
  const boxes = ids.map(id => {
    const said = ask('xwininfo', '-id', id);
    const number = (/** @type {RegExp} */ pattern) => Number(pattern.exec(said)?.[1] ?? Number.NaN);
    return {
      x: number(/Absolute upper-left X:\s+(-?\d+)/),
      y: number(/Absolute upper-left Y:\s+(-?\d+)/),
      width: number(/Width: (\d+)/),
      height: number(/Height: (\d+)/),
    };
  });
  const whole = boxes.some(({ x, y, width, height }) => {
    const [right, bottom] = [x + width, y + height];
    return x <= 2 && y <= 2 && right >= size.width - 12 && bottom >= size.height - 24 && right <= size.width + 2;
  });
  const words = whole
    ? boxes.length > 1
      ? `whole, of ${boxes.length}`
      : 'whole'
    : boxes.map(({ x, y, width, height }) => `${width}×${height} at ${x},${y}`).join(' and ') || 'missing';
  return { covers: whole, words };
}
