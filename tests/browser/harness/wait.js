// Waiting with a deadline. The one place of the harness that lets time pass.

import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Asks again and again until the answer is neither false, null nor undefined, and returns it.
 *
 * @template T
 * @param {string} what what is waited for; the error says so
 * @param {() => T | Promise<T>} ask may throw: that counts as not yet
 * @param {{ within?: number, every?: number, sooner?: () => Promise<void> }} [limits] in milliseconds; `sooner` ends a
 *   pause early
 * @returns {Promise<Exclude<Awaited<T>, null | undefined | false>>}
 */
export async function until(what, ask, { within = 30_000, every = 50, sooner } = {}) {
  const deadline = Date.now() + within;
  let last;
  for (;;) {
    try {
      last = await ask();
      if (last !== false && last !== null && last !== undefined) {
        return /** @type {any} */ (last);
      }
    } catch (error) {
      last = error;
    }
    if (Date.now() >= deadline) {
      const seen = last instanceof Error ? last.message : JSON.stringify(last);
      throw new Error(`${what}: not within ${within / 1000} s (last: ${seen})`, { cause: last });
    }
    await (sooner ? Promise.race([sooner(), sleep(every)]) : sleep(every));
  }
}

/**
 * Watches for a while and fails if it happens: for things that must not happen.
 *
 * @param {string} what what must not happen
 * @param {() => unknown} ask truthy when it happened; may throw: that counts as not seen, and one looks until it was
 * @param {number} during milliseconds
 */
export async function never(what, ask, during) {
  const end = Date.now() + during;
  const deadline = end + 30_000;
  for (;;) {
    const begun = Date.now();
    let failed;
    try {
      if (await ask()) throw new Happened(`this must not happen: ${what}`);
    } catch (error) {
      if (error instanceof Happened || begun >= deadline) throw error;
      failed = true;
    }
    // The last look is one after all of the time, and shows something.
    if (begun >= end && !failed) return;
    await sleep(50);
  }
}

/** What must not happen has. */
class Happened extends Error {}
