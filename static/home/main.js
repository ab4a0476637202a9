import { Api, ApiError } from '../lib/api.js';
import { Poll } from '../lib/poll.js';
import { showCapacity } from './capacity.js';
import { Catalogue } from './catalogue.js';
import { enter, tokenOf } from './entry.js';
import { InstanceList } from './instances.js';
import { Notice } from './notice.js';

/** The home page: lets the user in, then keeps catalogue, instances and capacity up to date. */

/** @param {string} id */
const byId = id => /** @type {HTMLElement} */ (document.getElementById(id));

const api = new Api();
const notice = new Notice(byId('notice'));
const poll = new Poll(refresh, 2000);
const catalogue = new Catalogue(byId('apps'), app => launch(app));
const list = new InstanceList(byId('instances'), api, () => poll.soon());
let entered = false;
/** Whether the notice shown is about the host being away. */
let away = false;

async function refresh() {
  try {
    if (!entered) {
      await enter(api, tokenOf(location));
      entered = true;
      const { apps } = await api.apps();
      catalogue.show(apps);
      byId('catalogue').hidden = false;
    }
    const { instances, capacity } = await api.instances();
    if (away) notice.clear();
    away = false;
    list.show(instances, Date.now() + api.clockOffset);
    byId('yours').hidden = list.empty;
    catalogue.capacity(capacity);
    showCapacity(byId('capacity'), capacity);
  } catch (error) {
    report(/** @type {ApiError} */ (error));
    throw error;
  }
}

/** @param {ApiError} error */
function report(error) {
  if (error.code === 'auth_required' || error.code === 'bad_token' || error.code === 'locked_out') {
    // Nothing to try again before the user has done something.
    entered = false;
    poll.stop();
    notice.askForToken(error.code !== 'auth_required', token => {
      history.replaceState(null, '', `#token=${encodeURIComponent(token)}`);
      notice.clear();
      poll.start();
    });
  } else if (error.status === 401) {
    // The session has gone (for instance the host's state was removed): open another one.
    entered = false;
  } else {
    away = true;
    notice.show({
      title: error.code === 'unreachable' ? 'The host is away' : 'The host has a problem',
      text:
        error.code === 'unreachable'
          ? 'It does not answer. Trying again by itself…'
          : `${error.message} Trying again by itself…`,
      bad: true,
      actions: [{ label: 'Try now', run: () => poll.soon() }],
    });
  }
}

/** @param {import('../lib/api.js').App} app */
async function launch(app) {
  try {
    const instance = await api.launch(app.id);
    location.assign(instance.url);
  } catch (error) {
    const { code, message, retryAfter } = /** @type {ApiError} */ (error);
    const full = code === 'capacity' || code === 'session_limit';
    notice.show({
      title: full
        ? code === 'capacity'
          ? 'No free place at the moment'
          : 'You have as many instances as allowed'
        : `${app.name} was not launched`,
      text:
        code === 'capacity'
          ? 'Every place on this host is taken. Terminate an instance of yours, or wait for one.'
          : message,
      bad: true,
      retryAfter: code === 'capacity' ? (retryAfter ?? 10) : null,
      actions: [
        { label: 'Try again', run: () => void launch(app) },
        ...(code === 'home_full' ? [{ label: 'Delete its files…', run: () => askToEmpty(app) }] : []),
        { label: 'Dismiss', run: () => notice.clear() },
      ],
    });
    poll.soon();
  } finally {
    catalogue.ready();
  }
}

/** The program keeps more than it may: without that it can be launched again. @param {import('../lib/api.js').App} app */
function askToEmpty(app) {
  notice.show({
    title: `Delete all files that ${app.name} keeps?`,
    text: 'They are yours, and nobody has another copy of them here.',
    bad: true,
    actions: [
      { label: 'Delete and launch', run: () => void startAfresh(app) },
      { label: 'Keep them', run: () => notice.clear() },
    ],
  });
}

/** @param {import('../lib/api.js').App} app */
async function startAfresh(app) {
  try {
    await api.emptyHome(app.id);
    notice.clear();
    await launch(app);
  } catch (error) {
    notice.show({
      title: `The files of ${app.name} were not deleted`,
      text: /** @type {ApiError} */ (error).message,
      bad: true,
      actions: [{ label: 'Dismiss', run: () => notice.clear() }],
    });
  }
}

window.addEventListener('hashchange', () => {
  if (!tokenOf(location)) return;
  entered = false;
  notice.clear();
  poll.start();
  poll.soon();
});
poll.start();
document.documentElement.dataset.runs = '';
