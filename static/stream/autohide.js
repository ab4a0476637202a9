const LINGER_MS = 2500;

/**
 * Hides the toolbar while nobody needs it; a small handle with the state stays.
 */
export class AutoHide {
  #timer = 0;
  #pinned = true;

  /** @param {HTMLElement} node gets the class `away` @param {HTMLElement} bar @param {HTMLElement} handle */
  constructor(node, bar, handle) {
    this.node = node;
    this.bar = bar;
    handle.addEventListener('click', () => this.show());
    handle.addEventListener('pointerenter', event => event.pointerType === 'mouse' && this.show());
    handle.addEventListener('focus', () => this.show());
    bar.addEventListener('pointerleave', () => this.#later());
    bar.addEventListener('focusout', () => this.#later());
  }

  /** @param {boolean} pinned whether it must stay, because there is something to say */
  set pinned(pinned) {
    if (pinned === this.#pinned) return;
    this.#pinned = pinned;
    if (pinned) this.show();
    else this.#later();
  }

  show() {
    this.node.classList.remove('away');
    this.#later();
  }

  #later() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      const used = this.bar.matches(':hover') || this.bar.contains(document.activeElement);
      if (!used && !this.#pinned) this.node.classList.add('away');
    }, LINGER_MS);
  }
}
