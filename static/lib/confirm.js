import { h } from './dom.js';

/** An unanswered question is taken back after this. */
const PATIENCE_MS = 8000;

/**
 * A button that asks, in its own place, before it acts.
 * @param {{label: string, question: string, run: () => Promise<unknown>, yes?: string}} what
 */
export function confirmable({ label, question, run, yes = label }) {
  let timer = 0;
  const first = h('button', { class: 'quiet', type: 'button', 'data-action': label.toLowerCase() }, label);
  const sure = h(
    'button',
    { class: 'danger', type: 'button', 'data-action': `confirm-${label.toLowerCase()}` },
    yes,
  );
  const not = h('button', { class: 'quiet', type: 'button', 'data-action': 'cancel' }, 'Keep');
  const ask = h('div', { class: 'actions confirm', role: 'group', 'aria-label': question, hidden: true });
  ask.append(h('span', { class: 'ask' }, question), sure, not);
  const node = h('div', { class: 'confirmable' }, first, ask);
  /** @param {boolean} asking */
  const show = asking => {
    clearTimeout(timer);
    const answered = !asking && !ask.hidden;
    const focused = node.contains(document.activeElement);
    ask.hidden = !asking;
    first.hidden = asking;
    if (focused) (asking ? not : first).focus();
    // For whoever has the focus otherwise.
    if (answered) node.dispatchEvent(new Event('keep'));
    if (asking) timer = window.setTimeout(() => show(false), PATIENCE_MS);
  };
  first.addEventListener('click', () => show(true));
  not.addEventListener('click', () => show(false));
  node.addEventListener('keydown', event => event.key === 'Escape' && show(false));
  sure.addEventListener('click', async () => {
    clearTimeout(timer);
    sure.disabled = true;
    await run();
    sure.disabled = false;
    show(false);
  });
  return node;
}
