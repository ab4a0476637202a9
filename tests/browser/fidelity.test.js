// What a viewer sees of a screen that stands still, beside what is on the display: real programs, real browsers.

import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { browser } from './harness/apps.js';
import { Fidelity } from './harness/fidelity.js';
import { insatiable, onlyCodec } from './harness/receivers.js';
import { suite } from './harness/suite.js';
import { Viewer } from './harness/viewer.js';
import { until } from './harness/wait.js';

/** Nobody sees a difference, of text either: PSNR of the brightness, dB. */
const SHARP = 48;
/** What every sharp picture has. */
const SSIM = 0.99;
/** A key frame of a still screen may be this coarse, for a tenth of a second. */
const KEY = 40;
/** How long it may take until it is sharp, on a machine that does other things; alone it takes a second. */
const WITHIN = 15_000;

/** As large as a screenshot is; larger pictures are those of `tests/capture/quality.rs`. */
const size = { width: 640, height: 480 };

/** A terminal full of coloured text. */
const terminal = {
  id: 'listing',
  command: 'xterm',
  args: ['-e', 'sh', '-c', 'ls -la --color=always /usr/bin | head -60; exec sh'],
  ...size,
};

/** The same, with a caret that blinks. */
const blinking = { ...terminal, id: 'blinking', args: ['-bc', ...terminal.args] };

/** @typedef {import('./harness/apps.js').Paths} Paths */

/** A page in a browser. @param {Paths} paths @param {string} name */
const shows = (paths, name) => {
  const entry = browser(paths);
  const args = entry.args.map(arg => (arg.startsWith('file:') ? `file://${join(paths.folder, name)}` : arg));
  return { ...entry, ...size, id: name.replace('.html', ''), args };
};

const lines = Array.from(
  { length: 90 },
  (_, n) =>
    `<p style="color: hsl(${(n * 67) % 360} 60% 35%)"><b>${n}</b> The quick brown fox jumps over the lazy dog, ` +
    'and <a href="#">links</a> are <i>blue</i>: “Pack my box with five dozen liquor jugs”, 0123456789.</p>',
).join('\n');
const textPage = `<!doctype html><meta charset="utf-8"><title>Text</title>
<style>body { font: 15px serif; margin: 20px } p { margin: 6px 0 }</style>${lines}`;

/** Soft noise of all sizes, sharp edges and some grain, as in a photograph; the same each time. */
const photoPage = `<!doctype html><meta charset="utf-8"><title>Photograph</title>
<style>body { margin: 0; overflow: hidden }</style><canvas width="640" height="480"></canvas>
<script>
  let state = 12345;
  const chance = () => ((state = (state * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff);
  const brush = document.querySelector('canvas').getContext('2d');
  const paint = (canvas, alpha) => {
    brush.globalAlpha = alpha;
    brush.imageSmoothingQuality = 'high';
    brush.drawImage(canvas, 0, 0, 640, 480);
  };
  for (let cells = 4; cells <= 320; cells *= 2) {
    const grid = new OffscreenCanvas(cells, Math.ceil((cells * 3) / 4));
    const image = grid.getContext('2d').createImageData(grid.width, grid.height);
    for (let i = 0; i < image.data.length; i += 4) {
      const base = chance() * 190;
      for (let c = 0; c < 3; c += 1) image.data[i + c] = base + chance() * 65;
      image.data[i + 3] = 255;
    }
    grid.getContext('2d').putImageData(image, 0, 0);
    paint(grid, cells === 4 ? 1 : 0.8 / Math.sqrt(cells / 2));
  }
  brush.globalAlpha = 0.5;
  for (let n = 0; n < 14; n += 1) {
    brush.fillStyle = 'hsl(' + chance() * 360 + ' 50% 40%)';
    brush.beginPath();
    brush.arc(chance() * 640, chance() * 480, 10 + chance() * 60, 0, 7);
    brush.fill();
  }
</script>`;

/** @param {Paths} paths */
const apps = paths => {
  for (const [name, text] of [
    ['text.html', textPage],
    ['photo.html', photoPage],
  ]) {
    writeFileSync(join(paths.folder, name), text);
    chmodSync(join(paths.folder, name), 0o644);
  }
  return [terminal, blinking, shows(paths, 'text.html'), shows(paths, 'photo.html')];
};

const sections = { instances: { capacity: 6, per_session: 4 } };
const chromium = suite({ sections, apps });
const firefox = suite({ sections, apps, engine: 'firefox' });

/** @typedef {import('./harness/stage.js').Stage} Stage */

/** One viewer of one program, and what is said of it. */
class Seat {
  /** @param {string} name @param {Viewer} viewer */
  constructor(name, viewer) {
    this.name = name;
    this.viewer = viewer;
    this.fidelity = new Fidelity(viewer);
  }

  /** Somebody launches a program. @param {Stage} stage @param {string} app */
  static async launch(stage, app) {
    const { home } = await stage.visitor();
    return new Seat(app, await home.launch(app, stage.host));
  }

  /** Somebody else comes to watch. @param {Stage} stage @param {string} codec or '' for what the browser prefers */
  async joined(stage, codec = '') {
    const user = await stage.stranger();
    const page = await user.newPage();
    if (codec) await page.addInitScript(onlyCodec, codec);
    await page.goto(`${stage.host.origin}/stream/${this.viewer.instanceId}`);
    const seat = new Seat(`${this.name}, second viewer ${codec}`, new Viewer(page));
    await seat.viewer.connected();
    return seat;
  }

  /** @param {string} when @param {import('./harness/fidelity.js').Likeness} seen */
  says(when, { psnr, ssim, frames }) {
    console.log(`  ${this.name}, ${when}: ${psnr.toFixed(1)} dB, SSIM ${ssim.toFixed(4)}, frames ${frames}`);
  }

  /** The display rests, and what is shown comes to be what is on it. @param {string} when @param {number} [sharp] */
  async becomesSharp(when, sharp = SHARP) {
    const begun = Date.now();
    const seen = await until(
      `${this.name} is sharp ${when}`,
      async () => {
        await this.fidelity.take();
        const now = await this.fidelity.look();
        if (now.psnr < sharp || now.ssim < SSIM) throw new Error(`${now.psnr} dB, ${now.ssim}`);
        return now;
      },
      { within: WITHIN },
    );
    this.says(`${when} (${Date.now() - begun} ms)`, seen);
  }

  /** It is still what is on the display. @param {string} when @param {number} [sharp] */
  async isSharp(when, sharp = SHARP) {
    await this.fidelity.take();
    const seen = await this.fidelity.look();
    this.says(when, seen);
    assert.ok(seen.psnr >= sharp && seen.ssim >= SSIM, `${this.name} ${when}: ${JSON.stringify(seen)}`);
  }

  /** It is so in every frame of a time. @param {string} when @param {number} ms @param {number} [sharp] */
  async staysSharp(when, ms, sharp = KEY) {
    await this.fidelity.take();
    const seen = await this.fidelity.watch(ms);
    this.says(when, seen);
    assert.ok(seen.psnr >= sharp, `${this.name} ${when}: ${JSON.stringify(seen)}`);
  }
}

chromium.scenario(
  'a still screen is sharp, whatever it shows and whoever joins, and stays so',
  async stage => {
    const seats = [];
    for (const app of ['listing', 'text', 'photo']) seats.push(await Seat.launch(stage, app));
    const [listing, text, photo] = seats;
    await Promise.all(seats.map(seat => seat.viewer.connected()));
    for (const seat of seats) await seat.becomesSharp('at first');

    // Typing and scrolling.
    await listing.viewer.click(300, 300);
    await listing.viewer.page.keyboard.type('seq 3000 3040 # a line that was typed');
    await listing.viewer.page.keyboard.press('Enter');
    await text.viewer.click(300, 300);
    for (let n = 0; n < 6; n += 1) {
      await text.viewer.page.mouse.wheel(0, 100);
      await sleep(50);
    }
    await Promise.all([listing.becomesSharp('after typing'), text.becomesSharp('after scrolling')]);

    // From here on nothing happens on the displays.
    const still = Date.now();
    await sleep(2000);
    const before = await Promise.all(seats.map(seat => seat.fidelity.received()));
    for (const { codec } of before) assert.equal(codec, 'video/H264');
    await sleep(Math.max(0, still + 20_000 - Date.now()));
    for (const seat of seats) await seat.isSharp('after 20 s');
    const after = await Promise.all(seats.map(seat => seat.fidelity.received()));
    for (const [n, seat] of seats.entries()) {
      const kbps = ((after[n].bytesReceived - before[n].bytesReceived) * 8) / (Date.now() - still - 2000);
      console.log(
        `  ${seat.name}, still: ${kbps.toFixed(1)} kbit/s, ${after[n].framesDecoded - before[n].framesDecoded} frames`,
      );
      assert.equal(after[n].asked, before[n].asked, `${seat.name}: key frames asked for`);
      assert.ok(kbps < 15, `${seat.name}: ${kbps} kbit/s`);
    }

    // Others join: of the same codec, and of another one.
    const [, , , second, vp8, third] = await Promise.all([
      listing.staysSharp('while a second viewer joins', 6000),
      text.staysSharp('while a codec is added', 6000),
      photo.staysSharp('while a second viewer joins', 6000),
      listing.joined(stage),
      text.joined(stage, 'VP8'),
      photo.joined(stage),
    ]);
    seats.push(second, vp8, third);
    for (const seat of [second, vp8, third]) await seat.becomesSharp('on joining');
    assert.equal((await vp8.fidelity.received()).codec, 'video/VP8');

    const then = await Promise.all(seats.map(seat => seat.fidelity.received()));
    await sleep(Math.max(0, still + 60_000 - Date.now()));
    for (const seat of seats) await seat.isSharp('after 60 s');
    const last = await Promise.all(seats.map(seat => seat.fidelity.received()));
    for (const [n, seat] of seats.entries())
      assert.equal(last[n].asked, then[n].asked, `${seat.name}: key frames asked for`);
  },
);

chromium.scenario(
  'neither a caret that blinks nor a pointer that hovers keeps the rest coarse',
  async stage => {
    const seat = await Seat.launch(stage, 'blinking');
    await seat.viewer.connected();
    await seat.viewer.click(300, 300);
    const { x, y } = await seat.viewer.onPage(300, 300);
    let hovers = true;
    const hovering = (async () => {
      for (let n = 0; hovers; n += 1) {
        await seat.viewer.page.mouse.move(x + (n % 40), y + (n % 25));
        await sleep(30);
      }
    })();
    try {
      await seat.becomesSharp('while a pointer hovers');
      await seat.viewer.page.keyboard.type('clear; seq 4000 4060');
      await seat.viewer.page.keyboard.press('Enter');
      await seat.becomesSharp('while a pointer hovers, after a change');
    } finally {
      hovers = false;
      await hovering;
    }
  },
);

chromium.scenario('a viewer that asks for key frames without end costs the others nothing', async stage => {
  const seat = await Seat.launch(stage, 'listing');
  await seat.viewer.connected();
  await seat.becomesSharp('before the other comes');
  const user = await stage.stranger({ bypassCSP: true });
  const page = await user.newPage();
  await page.addInitScript(insatiable);
  await page.goto(`${stage.host.origin}/stream/${seat.viewer.instanceId}`);
  const greedy = new Seat('the other', new Viewer(page));
  await greedy.viewer.connected();
  await until('it asks', async () => (await greedy.fidelity.received()).asked >= 10);

  const before = await seat.fidelity.received();
  const since = Date.now();
  await seat.staysSharp('while the other asks for key frames', 10_000);
  const after = await seat.fidelity.received();
  const seconds = (Date.now() - since) / 1000;
  const keys = (after.keyFramesDecoded - before.keyFramesDecoded) / seconds;
  const kbps = ((after.bytesReceived - before.bytesReceived) * 8) / 1000 / seconds;
  console.log(`  ${keys.toFixed(2)} key frames a second, ${kbps.toFixed(0)} kbit/s`);
  assert.equal(after.asked, before.asked, 'it asks for none itself');
  assert.ok(keys <= 1, `${keys} key frames a second`);
  assert.ok(kbps <= 4000, `${kbps} kbit/s`);
  await seat.becomesSharp('while the other still asks');
});

// Firefox gives its decoder's picture by way of its colours alone: what is cut off there, where text has strong ones, costs
// some of the likeness.
const COLOURS = 37;

firefox.scenario('in Firefox a still screen is sharp and stays so, and it asks for nothing', async stage => {
  const seats = [];
  for (const app of ['listing', 'photo']) seats.push(await Seat.launch(stage, app));
  await Promise.all(seats.map(seat => seat.viewer.connected()));
  for (const seat of seats) await seat.becomesSharp('in Firefox at first', COLOURS);
  const before = await Promise.all(seats.map(seat => seat.fidelity.received()));
  await sleep(12_000);
  for (const [n, seat] of seats.entries()) {
    await seat.isSharp('in Firefox after 12 s', COLOURS);
    const after = await seat.fidelity.received();
    assert.equal(after.codec, 'video/VP8');
    assert.ok(after.framesDecoded >= before[n].framesDecoded + 3, 'it is sent something');
    assert.equal(after.asked, before[n].asked, `${seat.name}: key frames asked for`);
  }
});
