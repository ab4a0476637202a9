// The windows of an instance, as its own X server tells.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { pidOf } from '../../tests/browser/harness/proc.js';

/**
 * Whether its windows are whole on the display, and where they are.
 *
 * @param {string} instance @param {{ width: number, height: number }} size
 * @returns {Promise<{ whole: boolean, fills: boolean, words: string }>}
 */
export async function windows(instance, size) {
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
  const fills = boxes.some(({ x, y, width, height }) => {
    const [right, bottom] = [x + width, y + height];
    return (
      x <= 2 && y <= 2 && right >= size.width - 12 && bottom >= size.height - 24 && right <= size.width + 2
    );
  });
  const beyond = boxes.filter(
    ({ x, y, width, height }) =>
      x < -2 || y < -2 || x + width > size.width + 2 || y + height > size.height + 2,
  );
  const whole = boxes.length > 0 && beyond.length === 0;
  const said = boxes.map(({ x, y, width, height }) => `${width}×${height} at ${x},${y}`).join(' and ');
  return {
    whole,
    fills,
    words: whole && fills ? `fills it${boxes.length > 1 ? `, of ${boxes.length}` : ''}` : said || 'missing',
  };
}
