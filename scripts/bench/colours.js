// What colours in full give and cost: how near a page's picture is to the display, and what the capture process takes.

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { launchBrowser } from '../../tests/browser/harness/browser.js';
import { Fidelity } from '../../tests/browser/harness/fidelity.js';
import { Host } from '../../tests/browser/harness/host.js';
import { pidOf } from '../../tests/browser/harness/proc.js';
import { Stage } from '../../tests/browser/harness/stage.js';
import { percentile } from './numbers.js';
import { processorSeconds } from './processes.js';

/** What is on the display becomes still, or moves for so long before it is measured, in milliseconds; and how long that takes. */
const BEFORE = 8_000;
const SPAN = 10_000;
/** Between two keys. */
const DELAY = 110;

const size = { width: 1280, height: 720 };
const text =
  'seq -f "The quick brown fox jumps over the lazy dog, and packs a box with liquor jugs: %g" 60; exec sh';
const terminal = { command: 'xterm', args: ['-bg', 'blue', '-fg', 'red', '-e', 'sh', '-c', text] };
/** @param {{ demo: string }} paths */
const apps = ({ demo }) => [
  { ...terminal, id: 'text', ...size },
  // As large as a screenshot is, with which the picture is compared.
  { ...terminal, id: 'small', width: 640, height: 480 },
  { id: 'animation', command: demo, args: ['--content', 'animation', '--fps', '60'], ...size },
];

const { values } = parseArgs({ options: { rounds: { type: 'string' } } });
const WHAT = ['brightness', 'blue', 'red', 'still, %', 'typing, %', 'animation, %'];
/** @type {Map<string, number[][]>} */
const figures = new Map();

/** What a process takes in a time, in % of a core. @param {number} pid @param {() => Promise<unknown>} act */
async function takes(pid, act) {
  const [spent, begun] = [processorSeconds([pid]), performance.now()];
  await act();
  return ((processorSeconds([pid]) - spent) * 100_000) / (performance.now() - begun);
}

/** @param {string} chroma */
async function measure(chroma) {
  const host = await Host.start({ sections: { instances: { capacity: 4 }, video: { chroma } }, apps });
  const browser = await launchBrowser();
  const stage = new Stage(host, browser);
  try {
    const small = await (await stage.visitor()).home.launch('small', host);
    await small.connected();
    await sleep(BEFORE);
    const fidelity = new Fidelity(small);
    await fidelity.take();
    const { luma, blue, red } = await fidelity.colours();
    await small.page.close();

    const terminal = await (await stage.visitor()).home.launch('text', host);
    await terminal.connected();
    await sleep(BEFORE);
    const pid = await pidOf(terminal.instanceId, 'capture');
    const still = await takes(pid, () => sleep(SPAN));
    await terminal.click(300, 300);
    const line = 'a line of words that somebody types, one after the other, without a pause ';
    const typing = await takes(pid, () => terminal.page.keyboard.type(line, { delay: DELAY }));
    await terminal.page.close();

    const animation = await (await stage.visitor()).home.launch('animation', host);
    await animation.connected();
    await sleep(BEFORE);
    const seen = new Fidelity(animation);
    const before = await seen.received();
    const moving = await takes(await pidOf(animation.instanceId, 'capture'), () => sleep(SPAN));
    const after = await seen.received();
    const [fps, kbps] = [
      after.framesDecoded - before.framesDecoded,
      (after.bytesReceived - before.bytesReceived) / 125,
    ];
    console.error(
      `  the animation: ${(fps / 10).toFixed(0)} frames a second, ${(kbps / 10).toFixed(0)} kbit/s`,
    );
    return [luma, blue, red, still, typing, moving];
  } finally {
    await browser.close();
    await host.stop();
    host.removeFolder();
  }
}

for (let round = 1; round <= Number(values.rounds ?? 3); round += 1)
  for (const chroma of ['420', '444']) {
    const seen = await measure(chroma);
    console.error(`${chroma}: ${seen.map((figure, n) => `${WHAT[n]} ${figure.toFixed(1)}`).join(' · ')}`);
    figures.set(chroma, [...(figures.get(chroma) ?? []), seen]);
  }

console.log(`| \`video.chroma\` | ${WHAT.join(' | ')} |\n| --- ${'| ---: '.repeat(WHAT.length)}|`);
for (const [chroma, rounds] of figures) {
  const cells = WHAT.map((_, n) =>
    percentile(
      rounds.map(round => round[n]),
      50,
    ).toFixed(1),
  );
  console.log(`| ${[chroma, ...cells].join(' | ')} |`);
}
