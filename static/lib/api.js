import { knownSession, SESSION_KEY, storage } from './storage.js';

/** The REST interface under `/api/v1`. */

/** @typedef {{id: string, name: string, description: string, width: number, height: number, fps: number}} App */
/**
 * @typedef {object} Instance
 * @property {string} instance_id
 * @property {{id: string, name: string}} app
 * @property {import('../viewer/protocol.js').InstanceStatus} status
 * @property {string} [reason] @property {string} [message] @property {string[]} [output]
 * @property {number} width @property {number} height @property {number} fps
 * @property {number} created @property {number} modified ms since 1970
 * @property {number} viewers @property {number | null} reap_at ms since 1970
 * @property {number} restarts @property {string} url @property {boolean} mine
 * @property {import('../viewer/protocol.js').Role} role of who asks
 */
/**
 * @typedef {object} Link
 * @property {string} link_id
 * @property {'controller'|'spectator'} role
 * @property {number} created @property {number} expires ms since 1970
 * @property {number | null} uses @property {number | null} uses_left @property {number} used
 * @property {number} using viewers that came by it and are there now
 */
/** @typedef {{total: number, used: number, free: number, per_session: number, mine: number}} Capacity */

const REQUEST_MS = 15000;

/** A refusal (problem details, RFC 9457), or `unreachable` where nothing answered. */
export class ApiError extends Error {
  /** @param {string} code @param {string} message @param {number} status @param {number | null} [retryAfter] seconds */
  constructor(code, message, status, retryAfter = null) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export class Api {
  /** How far the host's clock is ahead of this machine's, ms. */
  clockOffset = 0;

  /** @param {string} [origin] of the host; empty for this page's own */
  constructor(origin = '') {
    this.base = `${origin}/api/v1`;
  }

  /** Exchanges the token for a cookie. @param {string} token */
  auth(token) {
    return this.call('POST', '/auth', { token });
  }

  /**
   * Opens or refreshes the session; its public id stays in localStorage, its secret in a cookie. Whoever was given the
   * address of an instance may watch it without the token, as a guest.
   * @param {{guest?: boolean}} [options]
   * @returns {Promise<{session_id: string, auth: string, guest: boolean}>}
   */
  async session({ guest = false } = {}) {
    const known = knownSession();
    const body = { ...(known ? { session_id: known } : {}), guest };
    const session = await this.call('POST', '/sessions', body);
    storage(() => localStorage.setItem(SESSION_KEY, session.session_id));
    return session;
  }

  /** @returns {Promise<{apps: App[]}>} */
  apps() {
    return this.call('GET', '/apps');
  }

  /** @returns {Promise<{instances: Instance[], capacity: Capacity}>} */
  instances() {
    return this.call('GET', '/instances');
  }

  /** @param {string} id @returns {Promise<Instance>} */
  instance(id) {
    return this.call('GET', `/instances/${id}`);
  }

  /** @param {string} app whose kept home is emptied */
  emptyHome(app) {
    return this.call('DELETE', `/apps/${app}/home`);
  }

  /** @param {string} app @returns {Promise<Instance>} */
  launch(app) {
    return this.call('POST', '/instances', { app });
  }

  /** @param {string} id */
  terminate(id) {
    return this.call('DELETE', `/instances/${id}`);
  }

  /** @param {string} id */
  restart(id) {
    return this.call('POST', `/instances/${id}/restart`);
  }

  /**
   * Makes a link to an instance; its `url` is shown here and never again.
   * @param {string} id @param {{role: 'controller'|'spectator', expires_in: number, uses?: number}} wish seconds
   * @returns {Promise<Link & {url: string}>}
   */
  makeLink(id, wish) {
    return this.call('POST', `/instances/${id}/links`, wish);
  }

  /** @param {string} id @returns {Promise<{links: Link[]}>} */
  links(id) {
    return this.call('GET', `/instances/${id}/links`);
  }

  /** @param {string} id @param {string} link */
  revokeLink(id, link) {
    return this.call('DELETE', `/instances/${id}/links/${link}`);
  }

  /**
   * Exchanges the secret of a link for what it gives; a browser without a session gets a guest's.
   * @param {string} link @returns {Promise<{instance_id: string, role: string, expires: number}>}
   */
  async exchangeLink(link) {
    const given = await this.call('POST', '/links/exchange', { link });
    storage(() => localStorage.setItem(SESSION_KEY, given.session_id));
    return given;
  }

  /** A PNG of what the instance shows. @param {string} id @returns {Promise<Blob>} */
  async screenshot(id) {
    return (await this.#fetch('GET', `/instances/${id}/screenshot`)).blob();
  }

  /** @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<any>} */
  async call(method, path, body) {
    const response = await this.#fetch(method, path, body);
    const text = await response.text();
    if (!text) return null;
    try {
      return JSON.parse(text);
    } catch {
      throw new ApiError('bad_answer', 'The host answered something unexpected.', response.status);
    }
  }

  /** @param {string} method @param {string} path @param {unknown} [body] */
  async #fetch(method, path, body) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), REQUEST_MS);
    let response;
    try {
      response = await fetch(this.base + path, {
        method,
        credentials: this.base.startsWith('/') ? 'same-origin' : 'include',
        signal: abort.signal,
        cache: 'no-store',
        ...(body === undefined
          ? {}
          : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      });
    } catch {
      throw new ApiError('unreachable', 'The host does not answer.', 0);
    } finally {
      clearTimeout(timer);
    }
    const date = Date.parse(response.headers.get('date') ?? '');
    // The header has whole seconds only: small differences are not the clock's.
    if (date) this.clockOffset = Math.abs(date - Date.now()) > 3000 ? date - Date.now() : 0;
    if (!response.ok) throw await refusal(response);
    return response;
  }
}

/** @param {Response} response */
async function refusal(response) {
  const problem = await response.json().catch(() => ({}));
  const header = Number(response.headers.get('retry-after'));
  const retryAfter = problem.retry_after ?? (header > 0 ? header : null);
  const gateway = response.status === 502 || response.status === 504;
  const code = problem.code ?? (gateway ? 'unreachable' : `http_${response.status}`);
  const message = problem.detail ?? problem.title ?? `The host answered ${response.status}.`;
  return new ApiError(code, message, response.status, retryAfter);
}
