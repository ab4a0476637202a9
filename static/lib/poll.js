import { Backoff } from './backoff.js';

/**
 * Runs `task` again and again while the page is visible: every `everyMs`, with back-off while it fails, at once when
 * the page becomes visible or `soon` is called. Never two at a time.
 */
export class Poll {
  #timer = 0;
  #running = false;
  #again = false;
  #stopped = true;

  /** @param {() => Promise<void>} task rejects to back off @param {number} everyMs */
  constructor(task, everyMs) {
    this.task = task;
    this.everyMs = everyMs;
    this.backoff = new Backoff({ first: Math.min(1000, everyMs), limit: 10000 });
  }

  start() {
    if (!this.#stopped) return;
    this.#stopped = false;
    document.addEventListener('visibilitychange', this.#woken);
    window.addEventListener('online', this.#woken);
    this.soon();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    document.removeEventListener('visibilitychange', this.#woken);
    window.removeEventListener('online', this.#woken);
  }

  /** Runs now, or right after the run in progress. */
  soon() {
    clearTimeout(this.#timer);
    if (this.#running) this.#again = true;
    else void this.#run();
  }

  #woken = () => {
    if (document.visibilityState === 'visible') this.soon();
  };

  async #run() {
    if (this.#stopped || document.visibilityState === 'hidden') return;
    this.#running = true;
    let delay = this.everyMs;
    try {
      await this.task();
      this.backoff.reset();
    } catch {
      delay = this.backoff.next();
    }
    this.#running = false;
    if (this.#stopped) return;
    if (this.#again) delay = 0;
    this.#again = false;
    this.#timer = window.setTimeout(() => void this.#run(), delay);
  }
}
