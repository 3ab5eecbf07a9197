import { add, h, type Child } from '../dom';
import type { Drawer } from '../widgets/drawer';

/**
 * A page with a bar at its head, and details beside what it shows. It is empty until it is filled, which
 * is when the first answer has come: so nothing is pushed aside by what comes later.
 */
export class PageFrame {
  readonly element = h('div', { class: 'page-frame' });
  private isFilled = false;

  /** Returns whether it was empty. */
  fill(bar: readonly Child[], content: HTMLElement, drawer: Drawer, barClass = ''): boolean {
    if (this.isFilled) return false;
    this.isFilled = true;
    add(
      this.element,
      h('div', { class: `page-bar ${barClass}` }, ...bar),
      h('div', { class: 'page-split' }, content, drawer.element),
    );
    return true;
  }
}
