import { h, type Child } from '../dom';
import type { Drawer } from '../widgets/drawer';

/** A page with a bar at its head, and details beside what it shows. */
export function pageFrame(
  bar: readonly Child[],
  content: HTMLElement,
  drawer: Drawer,
  barClass = '',
): HTMLElement {
  return h(
    'div',
    { class: 'page-frame' },
    h('div', { class: `page-bar ${barClass}` }, ...bar),
    h('div', { class: 'page-split' }, content, drawer.element),
  );
}
