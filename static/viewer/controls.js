import { h, setText } from '../lib/dom.js';

/**
 * The small bar of an embedded viewer (attribute `controls`): full screen, statistics, control.
 */
export class Controls {
  #node = h('div', { class: 'bar', part: 'controls', hidden: true, role: 'toolbar', 'aria-label': 'Viewer' });

  /** @param {import('./element.js').HeliostatViewer} viewer @param {ShadowRoot} root */
  constructor(viewer, root) {
    /** @param {string} label @param {() => void} run */
    const button = (label, run) => h('button', { type: 'button', onclick: run }, label);
    const control = button('Take control', () => {
      if (viewer.steers) viewer.releaseControl();
      else viewer.requestControl();
    });
    viewer.addEventListener('control', () => {
      control.hidden = viewer.role === 'spectator';
      setText(control, viewer.steers ? 'Release control' : 'Take control');
    });
    this.#node.append(
      button('Full screen', () => void viewer.requestFullscreen().catch(() => {})),
      button('Statistics', () => {
        viewer.statsShown = !viewer.statsShown;
      }),
      control,
    );
    root.append(this.#node);
  }

  /** @param {boolean} shown */
  set shown(shown) {
    this.#node.hidden = !shown;
  }
}
