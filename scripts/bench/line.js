// A line to try things by hand: makes it, says where its ends are, and takes orders from stdin. See docs/contributing.md.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import { Line, rates } from '../../tests/browser/harness/line.js';

const [shapes = '{"both":{}}', ...command] = process.argv.slice(2);
const line = await Line.make();
const end = async () => {
  await line.end();
  process.exit();
};
process.once('SIGINT', end);
process.once('SIGTERM', end);

/** @param {string} text */
async function order(text) {
  try {
    await line.change(JSON.parse(text));
    console.error(`the line is ${text}`);
  } catch (error) {
    console.error(/** @type {Error} */ (error).message);
  }
}

await order(shapes);
console.error(`host: ${line.host} here; viewer: ${line.viewer} in the network namespace ${line.namespace}`);
console.error(`run there: ${line.there.join(' ')} COMMAND; another line: ${shapes}, or "move"`);
const input = createInterface({ input: process.stdin });
input.on('line', text => {
  if (text.trim() === 'move') line.move();
  else if (text.trim()) order(text);
});
let seen = 0;
const timer = setInterval(() => {
  for (; seen < line.counts.length; seen += 1) {
    const [last] = rates(line.counts.slice(Math.max(0, seen - 1), seen + 1));
    if (!last || last.offered === 0) continue;
    const { offered, carried, full, lost } = last;
    console.error(
      `down: ${offered.toFixed(0)} kbit/s offered, ${carried.toFixed(0)} carried, ${full} dropped, ${lost} lost`,
    );
  }
}, 500);
if (command.length > 0) {
  const [program, ...args] = [...line.there, ...command];
  const child = spawn(program, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, LINE_HOST: line.host },
  });
  child.once('exit', () => {
    clearInterval(timer);
    end();
  });
} else input.once('close', end);
