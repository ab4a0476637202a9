import { Api } from '../lib/api.js';
import { inFragment } from '../lib/fragment.js';
import { HeliostatViewer } from '../viewer/element.js';
import { said } from '../viewer/states.js';
import { arrive } from './arrival.js';
import { AutoHide } from './autohide.js';
import { begun, early, instance, transport } from './early.js';
import { fullScreen } from './fullscreen.js';
import { ShareDialog } from './share.js';
import { Toolbar } from './toolbar.js';

/** The stream page: one viewer, full window, and a thin toolbar that gets out of the way. */

await begun;

const api = new Api();
const stage = /** @type {HTMLElement} */ (document.getElementById('stage'));
const viewer = new HeliostatViewer();
viewer.setAttribute('muted', '');
if (transport !== 'auto') viewer.setAttribute('transport', transport);

const share = new ShareDialog(api, instance, () => viewer.takeKeyboard());
const toolbar = new Toolbar(viewer, {
  share: () => share.show(),
  fullScreen: () => void fullScreen(document.documentElement, viewer),
  terminate: async () => {
    await api.terminate(instance);
    location.assign('/');
  },
});
const hide = new AutoHide(toolbar.node, toolbar.bar, toolbar.handle);
stage.append(viewer, toolbar.node);
document.documentElement.dataset.runs = '';

viewer.addEventListener('statechange', () => {
  toolbar.state();
  hide.pinned = viewer.state !== 'connected';
  if (viewer.state === 'connected') focusViewer();
});
viewer.addEventListener('status', () => {
  const name = viewer.status?.app?.name;
  if (name) document.title = `${name} · Heliostat`;
  toolbar.state();
});
viewer.addEventListener('firstframe', focusViewer);
viewer.addEventListener('wayout', () => {
  hide.show();
  toolbar.focus();
});
viewer.addEventListener('action', event => {
  const { action } = /** @type {CustomEvent} */ (event).detail;
  if (action !== 'launch') return;
  // A new instance has a page of its own.
  event.preventDefault();
  void launch();
});
viewer.addEventListener('error', event => {
  const { detail } = /** @type {CustomEvent} */ (/** @type {Event} */ (event));
  // What ends the viewing is shown by the viewer itself.
  if (detail?.message && viewer.state === 'connected') toolbar.toast(detail.message);
});

/** The keyboard is the program's, unless the user is elsewhere. */
function focusViewer() {
  if (document.activeElement === document.body || document.activeElement === null) viewer.focus();
}

async function launch() {
  const app = viewer.status?.app?.id;
  try {
    if (!app) location.assign('/');
    else location.assign((await api.launch(app)).url);
  } catch (error) {
    toolbar.toast(/** @type {Error} */ (error).message);
    toolbar.state();
  }
}

if (early) {
  viewer.adopt(early);
  // Refreshed, while the viewer begins with what there is.
  await api.session({ guest: true }).catch(() => {});
} else {
  const refusal = await arrive(api, why => toolbar.toast(why));
  if (!refusal || (await maySee())) viewer.instance = instance;
  else viewer.refuse(refusal.code, '');
  if (refusal && viewer.instance) toolbar.toast(`${said(refusal.message)} You watch without it.`);
}

/** Whether this browser may watch the instance, by whatever else lets it in. */
async function maySee() {
  try {
    await api.session({ guest: true });
    await api.instance(instance);
    return true;
  } catch (error) {
    // Anything else is for the viewer to find out, and to explain.
    return /** @type {import('../lib/api.js').ApiError} */ (error).status !== 403;
  }
}

// Pasted into the address bar of a page that is open already.
window.addEventListener('hashchange', () => inFragment(location, 'link') && location.reload());
