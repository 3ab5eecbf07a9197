import { h } from '../dom';

const TYPING_MS = 180;

/** A field whose words are looked for once a person pauses. */
export class SearchField {
  readonly element: HTMLInputElement;
  private timer: number | undefined;

  constructor(label: string, onChanged: () => void) {
    this.element = h('input', {
      type: 'search',
      placeholder: label,
      'aria-label': label,
      autocomplete: 'off',
      spellcheck: 'false',
    });
    this.element.addEventListener('input', () => {
      window.clearTimeout(this.timer);
      this.timer = window.setTimeout(onChanged, TYPING_MS);
    });
  }

  get words(): string {
    return this.element.value.trim();
  }

  set words(words: string) {
    this.element.value = words;
  }

  focus(): void {
    this.element.focus();
    this.element.select();
  }

  /** Empties it while it has the focus; whether there was something in it. */
  clear(): boolean {
    if (document.activeElement !== this.element || this.element.value === '') return false;
    this.element.value = '';
    return true;
  }
}
