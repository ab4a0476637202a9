/** What the browser keeps for the pages. */

/** The session's public id, in localStorage. */
export const SESSION_KEY = 'heliostat.session';

/**
 * Storage may be switched off or forbidden in a frame; the page works without.
 * @template T @param {() => T} run @returns {T | null}
 */
export function storage(run) {
  try {
    return run();
  } catch {
    return null;
  }
}

/** The session this browser had last; whether it still holds, the host knows. */
export const knownSession = () => storage(() => localStorage.getItem(SESSION_KEY));
