import { fill, h, setText, type Child } from '../dom';
import { icon } from '../icons';
import { text } from '../../renderer/language';

/** The details beside a table or a map; Escape closes them. */
export class Drawer {
  readonly element: HTMLElement;
  readonly body = h('div', { class: 'drawer-body' });
  private readonly title = h('h2', { class: 'drawer-title' });
  private readonly note = h('p', { class: 'drawer-note' });
  private readonly actions = h('div', { class: 'drawer-actions' });
  private before: Element | null = null;

  constructor(private readonly onClose: () => void) {
    const close = h(
      'button',
      { type: 'button', class: 'ghost', 'aria-label': text('page.control.close') },
      icon('close'),
    );
    close.addEventListener('click', () => this.close());
    this.element = h(
      'aside',
      { class: 'drawer', hidden: true, 'aria-label': text('page.control.details') },
      h('div', { class: 'drawer-head' }, h('div', {}, this.title, this.note), close),
      this.actions,
      this.body,
    );
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  open(title: string, note: string, actions: readonly Child[], ...body: Child[]): void {
    if (!this.isOpen) this.before = document.activeElement;
    setText(this.title, title);
    this.title.title = title;
    setText(this.note, note);
    fill(this.actions, ...actions);
    this.actions.hidden = actions.length === 0;
    fill(this.body, ...body);
    this.body.scrollTop = 0;
    this.element.hidden = false;
  }

  /** Changes what stands above the details. */
  head(title: string, note: string, actions: readonly Child[]): void {
    setText(this.title, title);
    setText(this.note, note);
    const focused = [...this.actions.children].indexOf(document.activeElement ?? this.title);
    fill(this.actions, ...actions);
    this.actions.hidden = actions.length === 0;
    (this.actions.children[focused] as HTMLElement | undefined)?.focus();
  }

  close(): boolean {
    if (!this.isOpen) return false;
    this.element.hidden = true;
    this.body.textContent = '';
    if (this.before instanceof HTMLElement && this.before.isConnected) this.before.focus();
    this.onClose();
    return true;
  }
}
