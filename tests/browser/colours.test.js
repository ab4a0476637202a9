// Colours in full (H.264 High 4:4:4 Predictive) for those who take them, while the picture hardly moves.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { Fidelity } from './harness/fidelity.js';
import { onlyCodec } from './harness/receivers.js';
import { KEYS_ON_REQUEST } from './harness/recovery.js';
import { suite } from './harness/suite.js';
import { Viewer } from './harness/viewer.js';
import { until } from './harness/wait.js';

const size = { width: 640, height: 480 };

/** More than 4:2:0 can give of red text on blue, and less than 4:4:4 does: PSNR of the colour differences, dB. */
const FULL = 28;
/** And of the brightness, which here comes by way of the colours, and loses with them. */
const SHARP = 36;

/** Red text on blue; what is typed is a command. */
const terminal = {
  id: 'coloured',
  command: 'xterm',
  args: [
    ...['-bg', 'blue', '-fg', 'red', '-e', 'sh', '-c'],
    'seq -f "The quick brown fox jumps over the lazy dog %g" 40; exec sh',
  ],
  ...size,
};

const sections = { video: { chroma: '444' } };
const chromium = suite({ sections, apps: () => [terminal], env: KEYS_ON_REQUEST });
const firefox = suite({ sections, apps: () => [terminal], engine: 'firefox' });

/**
 * Typed into the shell: moves until Control+C. In a shell of its own, whose process group takes the key: an interactive
 * one loses those that come between two commands of its loop (3 of 150 on a machine at rest).
 */
const endless = `sh -c 'while sleep 0.03; do seq -f "it moves %g" $((n=n+7)) $((n+40)); done'`;

/** Runs in the page: notes the profiles that its decoder is told, as they change. Another size has the same one. */
function noteProfiles() {
  const page = /** @type {any} */ (window);
  page.testProfiles = [];
  const configure = VideoDecoder.prototype.configure;
  VideoDecoder.prototype.configure = function (config) {
    const profile = config.codec.slice(0, 7);
    if (page.testProfiles.at(-1) !== profile) page.testProfiles.push(profile);
    return configure.call(this, config);
  };
}

/** @typedef {import('./harness/fidelity.js').Colourfulness} Colourfulness */

/** @param {string} who @param {Colourfulness} seen */
const says = (who, { format, luma, blue, red }) =>
  console.log(
    `  ${who}: ${format}, brightness ${luma.toFixed(1)}, blue ${blue.toFixed(1)}, red ${red.toFixed(1)} dB`,
  );

/** The colours come to be in full, and what is on the display. @param {Fidelity} fidelity @param {string} who */
async function becomeFull(fidelity, who) {
  const begun = Date.now();
  const seen = await until(
    `${who} sees colours in full`,
    async () => {
      await fidelity.take();
      const now = await fidelity.colours();
      if (Math.min(now.blue, now.red) < FULL || now.luma < SHARP) throw new Error(JSON.stringify(now));
      return now;
    },
    { within: 30_000 },
  );
  says(`${who}, after ${Date.now() - begun} ms`, seen);
}

chromium.scenario(
  'coloured text comes to be as sharp as it is where it rests, and what moves costs no more than before',
  async stage => {
    const { home } = await stage.visitor();
    const viewer = await home.launch('coloured', stage.host);
    const fidelity = new Fidelity(viewer);
    await viewer.connected();
    await becomeFull(fidelity, 'who takes them');
    assert.equal((await fidelity.colours()).format, 'I444');
    assert.match((await fidelity.received()).format, /profile-level-id=f4001f/i);

    // Beside it, somebody who takes H.264 as everybody does, and somebody who takes VP8.
    const join = async (/** @type {string} */ codec, /** @type {string} */ profile) => {
      const user = await stage.stranger();
      const page = await user.newPage();
      await page.addInitScript(onlyCodec, [codec, profile]);
      await page.goto(`${stage.host.origin}/stream/${viewer.instanceId}`);
      const other = new Viewer(page);
      await other.connected();
      return new Fidelity(other);
    };
    const others = [await join('H264', '42e01f'), await join('VP8', '')];
    for (const [n, other] of others.entries()) {
      const seen = await until('the other sees it', async () => {
        await other.take();
        const now = await other.colours();
        if (now.luma < SHARP) throw new Error(JSON.stringify(now));
        return now;
      });
      says(['beside it, baseline', 'beside it, VP8'][n], seen);
      assert.ok(Math.max(seen.blue, seen.red) < FULL, '4:2:0 could give this, so the test says nothing');
    }

    // Typing leaves them as they are.
    await viewer.click(300, 300);
    const before = await fidelity.received();
    await viewer.page.keyboard.type('echo what is typed stays sharp', { delay: 80 });
    await becomeFull(fidelity, 'who types');
    const typed = await fidelity.received();
    assert.equal(typed.keyFramesDecoded, before.keyFramesDecoded, 'key frames while typing');

    // What moves is at half size, by one key frame, and the picture goes on.
    await viewer.page.keyboard.type(`; ${endless}`);
    await viewer.page.keyboard.press('Enter');
    await until('it is at half size', async () => (await fidelity.colours(false)).format === 'I420');
    const moving = await fidelity.received();
    await sleep(2000);
    const moved = await fidelity.received();
    assert.ok(moved.framesDecoded - moving.framesDecoded > 15, 'it moves');
    assert.equal(moved.asked, before.asked, 'nothing was lost on the way');
    assert.ok(moving.keyFramesDecoded - typed.keyFramesDecoded <= 1, 'one key frame');

    await viewer.page.keyboard.press('Control+c');
    await becomeFull(fidelity, 'who waits for rest');
    for (const other of others) {
      await until('the others see the same', async () => {
        await other.take();
        const now = await other.colours();
        if (now.luma < SHARP) throw new Error(JSON.stringify(now));
        return true;
      });
    }
  },
);

chromium.scenario('by a WebSocket colours come in full as well, and what moves goes on', async stage => {
  const { home, page } = await stage.visitor();
  const viewer = await home.launch('coloured', stage.host);
  await page.addInitScript(noteProfiles);
  await page.goto(`${stage.host.origin}/stream/${viewer.instanceId}?transport=websocket`);
  await viewer.connected();
  const told = () => page.evaluate(() => /** @type {any} */ (window).testProfiles.join(' '));
  const fidelity = new Fidelity(viewer);
  await becomeFull(fidelity, 'by a WebSocket');
  await viewer.click(300, 300);
  await page.keyboard.type(endless);
  await page.keyboard.press('Enter');
  await until('it is at half size', async () => (await told()).endsWith('avc1.f4 avc1.42'));
  await viewer.picture.goesOn(10);
  await page.keyboard.press('Control+c');
  await becomeFull(fidelity, 'by a WebSocket, at rest again');
  assert.match(await told(), /^avc1\.42( avc1\.f4 avc1\.42)+ avc1\.f4$/);
});

firefox.scenario('in Firefox the picture is what it is without colours in full', async stage => {
  const { home } = await stage.visitor();
  const viewer = await home.launch('coloured', stage.host);
  await viewer.connected();
  const fidelity = new Fidelity(viewer);
  await fidelity.take();
  await until('it is sharp', async () => (await fidelity.look()).psnr >= SHARP);
  assert.equal((await fidelity.received()).codec, 'video/VP8');
});
