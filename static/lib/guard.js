/**
 * Without its script or a style a page stays empty, or bare, for ever. Where one is lost the page is loaded
 * anew by itself, a few times, and then says what is wrong. The host writes this into the page's own text, before
 * everything else: when the network changes, Chromium fails every request under way at once (ERR_NETWORK_CHANGED), and a file
 * of its own would be lost with the others.
 */
{
  /** Nothing further has arrived for so long: something never will, ms. */
  const STALLED = 15_000;
  /** How long after a failure the page is loaded anew, the first time and the next ones, ms: networks change in bursts. */
  const PAUSES = [200, 1_000, 3_000];
  /** Failures are forgotten so long after the last one, ms. */
  const MEMORY = 120_000;
  const FAILED = 'heliostat.page-failed';

  /** Whether the page runs; its main module says so. */
  const runs = () => document.documentElement.dataset.runs !== undefined;

  /** How often this tab has failed of late, this time included; storage may be forbidden. */
  const failures = () => {
    try {
      const [times, last] = JSON.parse(sessionStorage.getItem(FAILED) ?? '[0, 0]');
      const now = Date.now();
      const all = Math.abs(now - last) < MEMORY ? times + 1 : 1;
      sessionStorage.setItem(FAILED, JSON.stringify([all, now]));
      return all;
    } catch {
      return Infinity;
    }
  };

  const say = () => {
    if (runs()) return;
    const notice = document.createElement('div');
    notice.className = 'notice bad';
    notice.setAttribute('role', 'alert');
    const words = document.createElement('p');
    words.className = 'words';
    words.textContent = 'A part of this page did not arrive. The host or the network may be busy.';
    const button = document.createElement('button');
    button.textContent = 'Reload the page';
    button.addEventListener('click', () => location.reload());
    notice.append(words, button);
    (document.querySelector('main') ?? document.body).prepend(notice);
  };

  let lost = false;
  const giveUp = () => {
    if (lost) return;
    lost = true;
    const pause = PAUSES[failures() - 1];
    setTimeout(() => (pause === undefined ? say() : location.reload()), pause ?? PAUSES[0]);
  };

  addEventListener(
    'error',
    ({ target }) => {
      const style = target instanceof HTMLLinkElement && target.rel === 'stylesheet';
      if (style || target instanceof HTMLScriptElement) giveUp();
    },
    true,
  );

  let [arrived, since] = [-1, 0];
  const watch = setInterval(() => {
    if (runs() || lost) return clearInterval(watch);
    const now = performance.getEntriesByType('resource').length;
    if (now !== arrived) [arrived, since] = [now, performance.now()];
    else if (performance.now() - since > STALLED) giveUp();
  }, 1_000);
}
