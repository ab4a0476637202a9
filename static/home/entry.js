import { clearFragment, inFragment } from '../lib/fragment.js';

/**
 * The token in a URL's fragment, or in a text that was pasted; null without one.
 * @param {{hash: string}} place
 */
export function tokenOf(place) {
  return inFragment(place, 'token');
}

/**
 * What a user pasted: the token alone, or the whole address that the host printed.
 * @param {string} text
 */
export function tokenIn(text) {
  const at = text.indexOf('#');
  return (at >= 0 ? tokenOf({ hash: text.slice(at) }) : null) ?? text.trim();
}

/**
 * Lets the user in: the token, if there is one, becomes a cookie and leaves the address; then the session is opened.
 * @param {import('../lib/api.js').Api} api
 * @param {string | null} token
 */
export async function enter(api, token) {
  if (token) {
    try {
      await api.auth(token);
    } catch (error) {
      const refusal = /** @type {import('../lib/api.js').ApiError} */ (error);
      // A token that was refused will not do better later; one that was not heard may.
      if (refusal.status) clearFragment();
      // A ticket is good once: the browser that used it is in already.
      const refused = refusal.code === 'bad_token' || refusal.code === 'locked_out';
      const used = refused && (await api.session().then(Boolean, () => false));
      if (!used) throw error;
      return;
    }
    clearFragment();
  }
  await api.session();
}
