/**
 * A page is some fifty modules, and without one of them it stays empty for ever: on a line that loses or holds one, it is
 * loaded anew by itself, once, and then says what is wrong. It imports nothing, so that it runs whatever else is missing.
 */

/** Nothing further has arrived for so long: something never will, ms. */
const STALLED = 15_000;
/** A page that fails again so soon after it was loaded anew is not loaded anew by itself, ms. */
const AGAIN = 120_000;
const LOADED_ANEW = 'heliostat.loaded-anew';

/** Whether the page runs; its main module says so. */
const runs = () => document.documentElement.dataset.runs !== undefined;

/** Whether this tab may load the page anew without being asked; storage may be forbidden. */
function mayLoadAnew() {
  try {
    const last = Number(sessionStorage.getItem(LOADED_ANEW) ?? 0);
    sessionStorage.setItem(LOADED_ANEW, String(Date.now()));
    return Math.abs(Date.now() - last) > AGAIN;
  } catch {
    return false;
  }
}

let given = false;
function giveUp() {
  if (given || runs()) return;
  given = true;
  if (mayLoadAnew()) return location.reload();
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
}

// Not heard where it came before this module: the silence afterwards is.
addEventListener(
  'error',
  ({ target }) => {
    if (target instanceof HTMLScriptElement) giveUp();
  },
  true,
);

let [arrived, since] = [-1, 0];
const watch = setInterval(() => {
  if (runs() || given) return clearInterval(watch);
  const now = performance.getEntriesByType('resource').length;
  if (now !== arrived) [arrived, since] = [now, performance.now()];
  else if (performance.now() - since > STALLED) giveUp();
}, 1_000);
