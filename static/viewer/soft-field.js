/** Something to delete: on-screen keyboards do not tell of a Backspace in an empty field. It is no part of a word. */
const SENTINEL = '\u200b\u200b';

/** The text field behind the picture: always empty, or with something to delete while an on-screen keyboard is open. */
export class SoftField {
  #open = false;

  /** @param {HTMLTextAreaElement} field */
  constructor(field) {
    this.field = field;
    field.addEventListener('blur', () => this.#shut());
  }

  /** Opens the on-screen keyboard; works within a touch of the user's only. */
  open() {
    // Browsers look at the field's kind when it gets the focus.
    this.field.blur();
    this.#open = true;
    this.field.inputMode = 'text';
    this.empty();
    this.field.focus({ preventScroll: true });
  }

  #shut() {
    this.#open = false;
    this.field.inputMode = 'none';
    this.empty();
  }

  empty() {
    const { field } = this;
    field.value = this.#open ? SENTINEL : '';
    if (this.#open) field.setSelectionRange?.(SENTINEL.length, SENTINEL.length);
  }

  /** What was put into it. */
  inserted() {
    return this.field.value.replaceAll('\u200b', '');
  }
}
