import { Backoff } from '../lib/backoff.js';
import { clearFragment, inFragment } from '../lib/fragment.js';

/**
 * Exchanges the link that the page was opened by, if it was; it leaves the address bar. A host that does not answer is
 * asked again, for the link may still be good.
 * @param {import('../lib/api.js').Api} api
 * @param {(why: string) => void} wait is told why it takes longer
 * @returns {Promise<import('../lib/api.js').ApiError | null>} why the link gave nothing
 */
export async function arrive(api, wait) {
  const link = inFragment(location, 'link');
  if (!link) return null;
  const backoff = new Backoff();
  for (;;) {
    try {
      await api.exchangeLink(link);
      clearFragment();
      return null;
    } catch (error) {
      const refusal = /** @type {import('../lib/api.js').ApiError} */ (error);
      if (refusal.status > 0 && refusal.status < 500) {
        clearFragment();
        return refusal;
      }
      wait(refusal.message);
      await new Promise(resolve => setTimeout(resolve, backoff.next()));
    }
  }
}
