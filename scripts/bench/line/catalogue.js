// The lines on which everybody is measured.

/**
 * @typedef {import('../../../tests/browser/harness/line.js').Shapes} Shapes
 * @typedef {object} Step something that happens to the line while the picture runs
 * @property {number} at seconds after the first frame
 * @property {Shapes} [shapes] the line from then on
 * @property {boolean} [moves] the viewer comes under another address
 * @property {'worse' | 'gone' | 'better'} is what it is to the viewer; from what is gone nobody adapts
 *
 * @typedef {object} LineOf
 * @property {string} key
 * @property {string} name
 * @property {Shapes} shapes
 * @property {Step[]} [steps]
 * @property {number} [seconds] measured, if not those of all
 * @property {number} [port] of the pages, if not any
 */

/** The same each way: half of a round trip. @param {number} ms @param {object} [more] */
const trip = (ms, more = {}) => ({ both: { delay_ms: ms / 2, ...more } });

/**
 * A line of 20 ms with a rate towards the viewer, as those of homes and telephones are.
 *
 * @param {number} rate_kbps @param {number} queue_ms
 */
const narrow = (rate_kbps, queue_ms) => ({
  down: { delay_ms: 10, rate_kbps, queue_ms },
  up: { delay_ms: 10 },
});

/** @param {string} key @param {string} name @param {Shapes} shapes @param {Partial<LineOf>} [more] @returns {LineOf} */
const line = (key, name, shapes, more = {}) => ({ key, name, shapes, ...more });

/** Something that happens for some seconds. @param {Shapes} worse @param {Shapes} better @param {number} at @param {number} seconds @returns {Step[]} */
const forAWhile = (worse, better, at, seconds) => [
  { at, shapes: worse, is: worse.both?.cut ? 'gone' : 'worse' },
  { at: at + seconds, shapes: better, is: 'better' },
];

/** @type {LineOf[]} */
export const LINES = [
  line('none', 'no limit', { both: {} }),
  line('rtt50', '50 ms round trip', trip(50)),
  line('rtt200', '200 ms round trip', trip(200)),
  line('loss2', '2 % loss, 50 ms', trip(50, { loss: 0.02 })),
  line('loss5', '5 % loss, 50 ms', trip(50, { loss: 0.05 })),
  line('loss10', '10 % loss, 50 ms', trip(50, { loss: 0.1 })),
  line(
    'bursts',
    'bursts of 8 packets lost, 2 %, 50 ms',
    trip(50, { burst: { enter: 0.0025, leave: 0.125 } }),
  ),
  line('2m-q50', '2 Mbit/s, queue of 50 ms', narrow(2000, 50)),
  line('2m-q200', '2 Mbit/s, queue of 200 ms', narrow(2000, 200)),
  line('2m-q500', '2 Mbit/s, queue of 500 ms', narrow(2000, 500)),
  line('1m-q50', '1 Mbit/s, queue of 50 ms', narrow(1000, 50)),
  line('1m-q500', '1 Mbit/s, queue of 500 ms', narrow(1000, 500)),
  line('500k-q50', '500 kbit/s, queue of 50 ms', narrow(500, 50)),
  line('500k-q500', '500 kbit/s, queue of 500 ms', narrow(500, 500)),
  line('steps', '10 → 1 → 10 Mbit/s, queue of 200 ms', narrow(10_000, 200), {
    steps: forAWhile(narrow(1000, 200), narrow(10_000, 200), 12, 15),
    seconds: 50,
  }),
  line('jitter', '30 ms jitter, 50 ms', trip(50, { jitter_ms: 30 })),
  line('reorder', '30 ms jitter with reordering, 50 ms', trip(50, { jitter_ms: 30, reorder: true })),
  line('outage3', 'outage of 3 s, 50 ms', trip(50), {
    steps: forAWhile(trip(50, { cut: true }), trip(50), 8, 3),
    seconds: 25,
  }),
  line('outage40', 'outage of 40 s, 50 ms', trip(50), {
    steps: forAWhile(trip(50, { cut: true }), trip(50), 8, 40),
    seconds: 75,
  }),
  line('no-udp', 'UDP blocked from the start, 50 ms', trip(50, { no_udp: true })),
  line('no-udp-later', 'UDP blocked in mid-stream, 50 ms', trip(50), {
    steps: [{ at: 8, shapes: trip(50, { no_udp: true }), is: 'worse' }],
    seconds: 40,
  }),
  line('tcp443', 'everything but TCP 443 blocked, 50 ms', trip(50, { only_tcp_port: 443 }), { port: 443 }),
  line('address', "the viewer's address changes, 50 ms", trip(50), {
    steps: [{ at: 8, moves: true, is: 'worse' }],
    seconds: 40,
  }),
];
