import { add, h } from '../dom';
import { Modal } from './modal';
import { text, textOr } from '../../renderer/language';

const KEYS: readonly [string, string][] = [
  ['page.control.key.palette', 'page.control.keys.palette'],
  ['1 – 9, 0', 'page.control.keys.pages'],
  ['/', 'page.control.keys.search'],
  ['↑ ↓', 'page.control.keys.rows'],
  ['page.control.key.enter', 'page.control.keys.open'],
  ['page.control.key.escape', 'page.control.keys.escape'],
  ['?', 'page.control.keys.help'],
];

/** The keys that work everywhere, as a list. */
export class Keys {
  private readonly modal = new Modal(text('page.control.keys'));

  constructor() {
    const list = h('dl', { class: 'keys' });
    for (const [key, what] of KEYS)
      add(list, h('dt', {}, h('kbd', {}, textOr(key, key))), h('dd', {}, text(what)));
    const close = h('button', { type: 'button' }, text('page.control.close'));
    close.addEventListener('click', () => this.modal.close());
    add(
      this.modal.element,
      h(
        'div',
        { class: 'ask' },
        h('h2', {}, text('page.control.keys')),
        list,
        h('div', { class: 'buttons' }, close),
      ),
    );
  }

  open(): void {
    this.modal.open();
  }
}
