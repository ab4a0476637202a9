// Viewers at the end of bad lines, while text scrolls: their picture comes, runs, and is not asked more of than the line
// carries. `scripts/bench/lines` has the other lines, and figures.

import './harness/apart.js';

import assert from 'node:assert/strict';
import { after } from 'node:test';

import { listener } from './harness/apps.js';
import { launchBrowser, program } from './harness/browser.js';
import { excess, frameRate, longestGap, meanRate, rateAfter, steadyAfter } from './harness/flow.js';
import { Home } from './harness/home.js';
import { Line, noLines } from './harness/line.js';
import { watch } from './harness/recovery.js';
import { Stage } from './harness/stage.js';
import { suite } from './harness/suite.js';
import { Viewer } from './harness/viewer.js';
import { until } from './harness/wait.js';

/** A picture is there within this time on every narrow line, ms. */
const FIRST = 15_000;
/** Where packets of the page and of the handshake are lost, one after the other may be sent again after seconds. */
const FIRST_WITH_LOSS = 30_000;
/** The longest time without a new frame: far more than the aim, far less than what a line that is overrun makes of it, ms. */
const FREEZE = 3_000;
/** What may be offered to a line for what it carries, over the whole time. */
const EXCESS = 1.3;
/** How long is watched, ms. */
const WATCH = 6_000;

const skip = noLines();
const line = skip ? null : await Line.make({ every: 500 });
after(async () => line?.end());

const text = (/** @type {import('./harness/apps.js').Paths} */ { demo }) => ({
  id: 'text',
  command: demo,
  args: ['--pattern', '--content', 'text', '--fps', '30', '--size', '1280x720'],
  width: 1280,
  height: 720,
});

const { scenario } = suite(
  line
    ? {
        listen: '[::]',
        sections: { server: { insecure_http: true }, media: { bind: [line.host] } },
        apps: paths => [text(paths), listener()],
        program: line.within(program),
      }
    : {},
);

/** A line towards the viewer of a rate, with a queue before it. @param {number} rate_kbps @param {number} queue_ms */
const narrow = (rate_kbps, queue_ms) => ({
  down: { rate_kbps, queue_ms, delay_ms: 10 },
  up: { delay_ms: 10 },
});

/** What its browser counts of the packets of its picture. @param {Viewer} viewer @returns {Promise<any>} */
const inbound = viewer =>
  viewer.page.evaluate(async () => {
    const { peerConnection } = /** @type {any} */ (document.querySelector('heliostat-viewer'));
    const report = [...(await peerConnection.getStats()).values()];
    return report.find(one => one.type === 'inbound-rtp' && one.kind === 'video');
  });

/** @param {string} sentence @param {(stage: Stage, line: Line, id: string) => Promise<void>} act */
function lined(sentence, act) {
  scenario(
    sentence,
    async stage => {
      assert.ok(line);
      await line.change({ both: {} });
      const client = await stage.client();
      const { instance_id } = await client.launch('text');
      await client.statusBecomes(instance_id, 'RUNNING');
      await act(stage, line, instance_id);
      await line.change({ both: {} });
    },
    { skip },
  );
}

/** Somebody opens the page of an instance, and sees it in time. @param {Stage} stage @param {string} id @param {number} [within] ms */
async function watching(stage, id, within = FIRST) {
  assert.ok(line);
  const page = await (await stage.stranger()).newPage();
  const viewer = new Viewer(page);
  const from = Date.now();
  await page.goto(`http://${line.host}:${stage.host.port}/stream/${id}?transport=webrtc`, {
    waitUntil: 'commit',
  });
  await until('the page is there', () => viewer.property('state'));
  await viewer.picture.appears(within - (Date.now() - from));
  await page.evaluate(watch);
  console.log(`  a picture after ${Date.now() - from} ms`);
  return viewer;
}

/** When the page showed frames, by the wall clock. @param {Viewer} viewer @returns {Promise<number[]>} */
const framesOf = viewer => viewer.page.evaluate(() => /** @type {any} */ (window).testSeen.frames);

/** Watches for a while. @param {Viewer} viewer @param {number} from by the wall clock @param {number} [ms] */
async function seen(viewer, from, ms = WATCH) {
  await until('it has been watched', () => Date.now() - from > ms, { within: ms + 10_000 });
  const frames = await framesOf(viewer);
  const gap = longestGap(frames, from, from + ms);
  const rate = frameRate(frames, from, from + ms);
  console.log(`  ${rate.toFixed(0)} frames a second, ${gap.toFixed(0)} ms at most without one`);
  return { gap, rate };
}

/** No more was offered than the line carries. @param {Line} of @param {number} since by the wall clock */
function assertFits(of, since) {
  const seconds = of.seconds(since);
  const [most] = seconds.map(({ offered }) => offered).sort((a, b) => b - a);
  const times = excess(seconds);
  console.log(`  ${times.toFixed(2)} times what was carried was offered, at most ${most.toFixed(0)} kbit/s`);
  assert.ok(times < EXCESS, `${times.toFixed(2)} times what the line carried was offered to it`);
}

lined('a line of 2 Mbit/s carries its picture, and no more is offered to it', async (stage, line, id) => {
  await line.change(narrow(2_000, 200));
  const begun = Date.now();
  const viewer = await watching(stage, id);
  const { gap } = await seen(viewer, Date.now());
  assert.ok(gap < FREEZE, `it froze for ${gap} ms`);
  assertFits(line, begun);
});

lined('who has 500 kbit/s sees the picture too, and takes nothing from others', async (stage, line, id) => {
  await line.change(narrow(500, 200));
  const beside = new Stage(stage.host, await launchBrowser());
  try {
    const other = await watching(beside, id);
    const alone = await seen(other, Date.now() + 1_000, 4_000);
    const { width } = await other.picture.look();
    const begun = Date.now();
    const viewer = await watching(stage, id);
    const from = Date.now();
    const { gap } = await seen(viewer, from);
    let together = await seen(other, from);
    // A machine that is busy with something else for a while slows both: what the line takes from the other lasts.
    for (let again = 0; again < 3 && together.rate <= 0.5 * alone.rate; again += 1)
      together = await seen(other, Date.now());
    assert.ok(gap < FREEZE, `it froze for ${gap} ms`);
    assertFits(line, begun);
    assert.ok(together.rate > 0.5 * alone.rate, `the other saw ${together.rate} after ${alone.rate} frames`);
    assert.ok(together.gap < FREEZE, `the other's froze for ${together.gap} ms`);
    assert.equal((await other.picture.look()).width, width, "the other's is as large as it was");
  } finally {
    await beside.clear();
    await beside.browser.close();
  }
});

lined('a line that loses a packet in twenty does not freeze the picture', async (stage, line, id) => {
  await line.change({ both: { delay_ms: 25, loss: 0.05 } });
  const begun = Date.now();
  const viewer = await watching(stage, id, FIRST_WITH_LOSS);
  const { gap } = await seen(viewer, Date.now());
  assert.ok(gap < FREEZE, `it froze for ${gap} ms`);
  assertFits(line, begun);
  const { fecPacketsReceived } = await inbound(viewer);
  assert.ok(fecPacketsReceived > 0, 'what is lost is made up for without a round trip');
});

scenario(
  'what is typed on a line that loses a packet in seven comes once and in order',
  async stage => {
    assert.ok(line);
    await line.change({ both: {} });
    const page = await (await stage.stranger()).newPage();
    await page.goto(`http://${line.host}:${stage.host.port}/#token=${stage.host.token}`);
    const viewer = await new Home(page).launch('listener', stage.host);
    await viewer.connected();
    await line.change({ down: { delay_ms: 25 }, up: { delay_ms: 25, loss: 0.15 } });
    const lines = Array.from({ length: 4 }, (_, n) => `Line ${n} of what's typed, in a row.`);
    for (const typed of lines) {
      await page.keyboard.type(typed, { delay: 20 });
      await page.keyboard.press('Enter');
    }
    await until('the program heard all of it', () => {
      const heard = stage.host.outputOf(viewer.instanceId).match(/(?<=heard: ).*/g) ?? [];
      assert.deepEqual(heard, lines);
      return true;
    });
    await line.change({ both: {} });
  },
  { skip },
);

lined('a handshake of which one packet in five is lost is through in seconds', async (stage, line, id) => {
  const user = await stage.stranger();
  for (let call = 0; call < 4; call += 1) {
    const page = await user.newPage();
    // The page and the signalling come by a good line; what follows the answer does not.
    await page.addInitScript(() => {
      const set = RTCPeerConnection.prototype.setRemoteDescription;
      const test = { answered: 0, go: () => {}, ice: 0, connected: 0 };
      Object.assign(window, { test });
      const gone = new Promise(resolve => {
        test.go = () => resolve(null);
      });
      RTCPeerConnection.prototype.setRemoteDescription = async function (/** @type {any} */ description) {
        this.addEventListener('iceconnectionstatechange', () => {
          if (this.iceConnectionState === 'connected') test.ice ||= performance.now();
        });
        this.addEventListener('connectionstatechange', () => {
          if (this.connectionState === 'connected') test.connected ||= performance.now();
        });
        test.answered = 1;
        await gone;
        return /** @type {any} */ (set).call(this, description);
      };
    });
    await page.goto(`http://${line.host}:${stage.host.port}/stream/${id}?transport=webrtc`);
    /** @param {string} name @returns {Promise<number>} */
    const noted = name => page.evaluate(key => Number(/** @type {any} */ (window).test[key]), name);
    await until('there is an answer', async () => (await noted('answered')) > 0);
    await line.change({ both: { delay_ms: 25, loss: 0.2 } });
    await page.evaluate(() => /** @type {any} */ (window).test.go());
    await until('it is connected', async () => (await noted('connected')) > 0);
    await line.change({ both: {} });
    const took = (await noted('connected')) - (await noted('ice'));
    await page.close();
    console.log(`  ${took.toFixed(0)} ms after ICE`);
    // Else it is given up, and begun anew, after 10 s.
    assert.ok(took < 8_000, `after ${took} ms`);
  }
});

lined('when a line has become slow and fast again, so has the picture', async (stage, line, id) => {
  await line.change(narrow(10_000, 200));
  const begun = Date.now();
  const viewer = await watching(stage, id);
  await seen(viewer, Date.now(), 5_000);
  const before = meanRate(line.seconds(Date.now() - 3_000), 'carried');
  await line.change(narrow(1_000, 200));
  const slow = Date.now();
  await seen(viewer, slow, 8_000);
  const steady = steadyAfter(await framesOf(viewer), slow, slow + 8_000, { least: 1_000 });
  assert.ok(steady !== null, 'the picture runs again on the slow line');
  await line.change(narrow(10_000, 200));
  const fast = Date.now();
  const took = await until(
    'the line carries as much as it did',
    () => rateAfter(line.seconds(fast), fast, 0.6 * before),
    { within: 15_000 },
  );
  console.log(`  ${before.toFixed(0)} kbit/s again after ${took} ms`);
  assertFits(line, begun);
});
