// Where the milliseconds of a click go, by what the viewer and its host note of each in normal use (ADR 29).

import { percentile } from './numbers.js';

/** The stages of a click in their order, each from the moment before it: names, and the end of each in an `Answer`. */
const STAGES = [
  ['to the host', 'heard'],
  ['to the display', 'injected'],
  ['program and display', 'changed'],
  ['wait for the grab', 'begun'],
  ['grab', 'grabbed'],
  ['convert', 'converted'],
  ['encode', 'encoded'],
  ['capture to host', 'host'],
  ['hand to the network', 'handed'],
  ['network and jitter buffer', 'received'],
  ['decode', 'submitted'],
  ['display', 'presented'],
];

/** @typedef {import('../../static/viewer/photons.js').Answer} Answer */

/**
 * Milliseconds of each stage, a list of clicks each, the whole among them. A click that a picture showed which was encoded again
 * is left out: its grab was long before.
 *
 * @param {Answer[]} answers
 * @returns {[string, number[]][]}
 */
export function stages(answers) {
  const fresh = answers.filter(({ begun, grabbed }) => begun <= grabbed);
  let from = 'sent';
  const all = STAGES.map(([name, to]) => {
    // Some browsers do not say when a frame came: that time counts to the stage after it.
    const known = fresh.filter(answer => answer[to] !== null);
    const begin = from;
    if (known.length > 0) from = to;
    return /** @type {[string, number[]]} */ ([name, known.map(answer => answer[to] - answer[begin])]);
  });
  return [...all, ['all', fresh.map(({ sent, presented }) => presented - sent)]];
}

/**
 * The cells of a table: a row for each stage, two cells for each content, p50 and p95.
 *
 * @param {Answer[][]} byContent
 * @returns {string[][]}
 */
export function stageRows(byContent) {
  const columns = byContent.map(stages);
  return columns[0].map(([name], i) => [
    name,
    ...columns.flatMap(column => {
      const values = column[i][1];
      return [50, 95].map(q => (values.length > 0 ? percentile(values, q).toFixed(1) : '–'));
    }),
  ]);
}
