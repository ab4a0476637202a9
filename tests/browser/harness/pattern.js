// The measuring pattern (`heliostat-orrery --pattern`) read back from a viewer's picture.

import assert from 'node:assert/strict';

import { until } from './wait.js';

/** Side of a cell, and cells in a row. */
const CELL = 8;
const BITS = 16;
/** In the flip area at every size the tests use. */
export const FLIP = { x: 142, y: 192, width: 16, height: 16 };
export const EVEN = { r: 0, g: 0, b: 160 };
export const ODD = { r: 255, g: 224, b: 0 };

/** @param {number} row */
const cells = row =>
  Array.from({ length: BITS }, (_, i) => ({ x: i * CELL + 2, y: row * CELL + 2, width: 4, height: 4 }));

/** CRC-16/CCITT-FALSE, which the pattern shows of its typed text. @param {string} text */
function crc16(text) {
  let crc = 0xffff;
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc;
}

/** @param {import('./picture.js').Colour[]} colours @returns {number} */
function number(colours) {
  return colours.reduce((value, { r, g, b }) => {
    const light = (r + g + b) / 3;
    // Neither black nor white: this is not the pattern, or a frame in between.
    if (light > 90 && light < 165) throw new Error(`a cell is grey: ${light}`);
    return value * 2 + (light > 127 ? 1 : 0);
  }, 0);
}

export class Pattern {
  /** @param {import('./picture.js').Picture} picture */
  constructor(picture) {
    this.picture = picture;
  }

  /** The number of flips, the checksum of the typed text, and the colour of the flip area. */
  async read() {
    const { colours } = await this.picture.look([...cells(0), ...cells(1), FLIP]);
    if (colours.length === 0) throw new Error('no picture yet');
    return {
      flips: number(colours.slice(0, BITS)),
      crc: number(colours.slice(BITS, 2 * BITS)),
      colour: colours[2 * BITS],
    };
  }

  /** Waits until the whole pattern can be read. @param {number} [within] */
  async appears(within = 60_000) {
    return await until(
      'the pattern is on the picture',
      async () => {
        const seen = await this.read();
        assert.ok(
          isOdd(seen.colour) === (seen.flips % 2 === 1),
          `the colour fits the number: ${JSON.stringify(seen)}`,
        );
        return seen;
      },
      { within },
    );
  }

  /** Waits for a number of flips. @param {number} flips @param {number} [within] */
  async flipsBecome(flips, within = 30_000) {
    await until(
      `the pattern has flipped ${flips} times`,
      async () => {
        const seen = await this.read();
        if (seen.flips !== flips) throw new Error(`${seen.flips} times`);
        return isOdd(seen.colour) === (flips % 2 === 1);
      },
      { within },
    );
  }

  /** Waits until the text typed into the pattern is this one. @param {string} text @param {number} [within] */
  async textBecomes(text, within = 30_000) {
    await until(
      `the typed text is ${JSON.stringify(text)}`,
      async () => {
        const { crc } = await this.read();
        return crc === crc16(text);
      },
      { within },
    );
  }
}

/** @param {import('./picture.js').Colour} colour */
function isOdd(colour) {
  return colour.r > colour.b;
}
