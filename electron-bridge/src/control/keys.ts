import { add, h } from './dom';
import { Modal } from './modal';
import { text, type TextKey } from './texts';

const KEYS: readonly [string, TextKey][] = [
  ['Ctrl K', 'control.keys.palette'],
  ['1 – 9, 0', 'control.keys.pages'],
  ['/', 'control.keys.search'],
  ['↑ ↓', 'control.keys.rows'],
  ['Enter', 'control.keys.open'],
  ['Esc', 'control.keys.escape'],
  ['?', 'control.keys.help'],
];

/** The keys that work everywhere, as a list. */
export class Keys {
  private readonly modal = new Modal(text('control.keys'));

  constructor() {
    const list = h('dl', { class: 'keys' });
    for (const [key, what] of KEYS)
      add(list, h('dt', {}, h('kbd', {}, key)), h('dd', {}, text(what)));
    const close = h('button', { type: 'button' }, text('control.close'));
    close.addEventListener('click', () => this.modal.close());
    add(
      this.modal.element,
      h(
        'div',
        { class: 'ask' },
        h('h2', {}, text('control.keys')),
        list,
        h('div', { class: 'buttons' }, close),
      ),
    );
  }

  open(): void {
    this.modal.open();
  }
}
