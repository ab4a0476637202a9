// How long a fault takes the picture away: seen in the page, frame by frame.

import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { until } from './wait.js';

/** Two frames further apart than this are an interruption, in milliseconds; the pictures here move all the time. */
const GAP = 250;
/** The picture is back when it has gone on for so long, in milliseconds. */
const CALM = 1_000;

/** A key frame that was asked for is there within this time, in milliseconds. */
const QUIET = 700;

/**
 * For hosts of tests that count key frames: without the encoder that makes some of its own accord, each that comes was
 * asked for, or tells of a fault.
 */
export const KEYS_ON_REQUEST = { HELIOSTAT_FAIL_PROBE: 'libx264:crash' };

/** How often each fault is inflicted: 3 times here, 20 times in the soak. */
export const rounds = Number(process.env.HELIOSTAT_FAULT_ROUNDS ?? 3);

/** Notes every frame that the page shows, and every state of the viewer. Runs in the page. */
export function watch() {
  const page = /** @type {any} */ (window);
  if (page.testSeen) return;
  const viewer = /** @type {any} */ (document.querySelector('heliostat-viewer'));
  const seen = { frames: /** @type {number[]} */ ([]), states: /** @type {object[]} */ ([]) };
  page.testSeen = seen;
  const now = () => performance.timeOrigin + performance.now();
  const next = () => {
    seen.frames.push(now());
    viewer.video.requestVideoFrameCallback(next);
  };
  viewer.video.requestVideoFrameCallback(next);
  let last = '';
  const look = () => {
    const words = viewer.shadowRoot?.querySelector('.words')?.textContent ?? '';
    const shown = `${viewer.state}: ${words}`;
    if (shown === last) return;
    last = shown;
    seen.states.push({ at: now(), state: viewer.state, words });
  };
  // Whatever is said, for however short a time, and however busy the page is.
  new MutationObserver(look).observe(viewer.shadowRoot, {
    subtree: true,
    childList: true,
    characterData: true,
  });
  setInterval(look, 20);
}

/** The end of the last interruption after a moment, and what was said meanwhile. @param {{ since: number, gap: number }} question */
function lookBack({ since, gap }) {
  const { frames, states } = /** @type {any} */ (window).testSeen;
  const now = performance.timeOrigin + performance.now();
  let before = since;
  let end = since;
  for (const at of [...frames.filter((/** @type {number} */ at) => at >= since), now]) {
    if (at - before > gap) end = at;
    before = at;
  }
  const viewer = /** @type {any} */ (document.querySelector('heliostat-viewer'));
  return {
    end,
    calm: now - end,
    state: viewer.state,
    told: states.filter((/** @type {any} */ entry) => entry.at >= since),
  };
}

/** @typedef {{ at: number, state: string, words: string }} Told */

export class Recovery {
  /** @param {import('./viewer.js').Viewer} viewer connected, with a picture that moves */
  constructor(viewer) {
    this.viewer = viewer;
  }

  /** Begins to watch. */
  async begin() {
    await this.viewer.page.evaluate(watch);
    await until('the picture moves', async () => {
      const { calm, state } = await this.viewer.page.evaluate(lookBack, {
        since: Date.now() - 2 * GAP,
        gap: GAP,
      });
      return state === 'connected' && calm > GAP;
    });
  }

  /**
   * Waits until the picture is back for good.
   *
   * @param {number} since when the fault was inflicted, by the wall clock
   * @param {() => unknown} healed whether whatever had to be restarted has been
   * @param {number} [within] milliseconds
   * @returns {Promise<{ took: number, told: Told[] }>} milliseconds without a picture; what the page said
   */
  async waitFor(since, healed, within = 40_000) {
    // The fault has happened by now; its gap in the picture may be yet to come, however long ago `since` is.
    const asked = Date.now();
    await until('what was hit is healed', healed, { within });
    return await until(
      'the picture is back',
      async () => {
        const { end, calm, state, told } = await this.viewer.page.evaluate(lookBack, { since, gap: GAP });
        if (state !== 'connected' || calm < CALM || Date.now() - asked < CALM)
          throw new Error(`${state}, calm for ${calm} ms`);
        return { took: end - since, told };
      },
      { within },
    );
  }
}

/** What a viewer's connection has counted. @param {import('./viewer.js').Viewer} viewer */
function counted(viewer) {
  return viewer.page.evaluate(async () => {
    const element = /** @type {any} */ (document.querySelector('heliostat-viewer'));
    const report = await element.peerConnection.getStats();
    for (const entry of report.values()) {
      if (entry.type !== 'inbound-rtp' || entry.kind !== 'video') continue;
      const { packetsLost, keyFramesDecoded, framesDecoded, pliCount, firCount = 0 } = entry;
      return { packetsLost, keyFramesDecoded, framesDecoded, asked: pliCount + firCount };
    }
    throw new Error('no video');
  });
}

/** Somebody at another instance of the same host, who must not notice anything. */
export class Bystander {
  /** @param {import('./viewer.js').Viewer} viewer connected, with a picture that moves */
  static async watching(viewer) {
    const bystander = new Bystander(viewer, await viewer.rememberConnection(), await counted(viewer));
    await bystander.settle();
    return bystander;
  }

  /**
   * @param {import('./viewer.js').Viewer} viewer
   * @param {string} peer
   * @param {Awaited<ReturnType<typeof counted>>} before
   */
  constructor(viewer, peer, before) {
    this.viewer = viewer;
    this.peer = peer;
    this.before = before;
    /** Key frames that were asked for and have not come by the last look. */
    this.owed = 0;
  }

  /**
   * Counts from here: a connection's first moments, or a launch beside it, are behind it, and no key frame is on its way
   * that the browser asked for before.
   */
  async settle() {
    await until('nothing is under way', async () => {
      const { asked, keyFramesDecoded } = this.before;
      await sleep(QUIET);
      this.before = await counted(this.viewer);
      this.owed = 0;
      // A page shows its first frames by WebSocket: those of this connection may be yet to come.
      const quiet = this.before.asked === asked && this.before.keyFramesDecoded === keyFramesDecoded;
      return quiet && keyFramesDecoded > 0;
    });
  }

  /**
   * No packet was lost, and none of its frames: who had lost one would have needed a key frame. Those that the browser
   * itself asked for do not count: on a machine without a core to spare its decoder may fall behind.
   */
  async noticedNothing() {
    assert.ok(await this.viewer.sameConnection(), 'the bystander has the same connection');
    assert.equal(await this.viewer.property('peerId'), this.peer, 'and the same peer');
    assert.equal(await this.viewer.property('state'), 'connected');
    const after = await counted(this.viewer);
    assert.equal(after.packetsLost, this.before.packetsLost, 'it lost no packet');
    // One that was asked for at the last look may have come since.
    const asked = this.owed + after.asked - this.before.asked;
    const keys = after.keyFramesDecoded - this.before.keyFramesDecoded;
    assert.ok(keys <= asked, `it was sent no key frame unasked: ${keys} came, ${asked} were asked for`);
    assert.ok(after.framesDecoded > this.before.framesDecoded, 'its picture moved');
    this.before = after;
    this.owed = asked - keys;
  }
}

/** Notes how long a fault took, where a soak wants to know. @param {string} fault @param {number} took milliseconds */
export function note(fault, took) {
  const file = process.env.HELIOSTAT_FAULT_REPORT;
  if (file) appendFileSync(file, `${JSON.stringify({ fault, took: Math.round(took) })}\n`);
}
