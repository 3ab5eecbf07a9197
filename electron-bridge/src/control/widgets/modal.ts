import { add, fill, h } from '../dom';
import type { Question } from '../pages/page';
import { text } from '../../renderer/language';

/** A dialog over the page; what it is about has the focus, and gives it back. */
export class Modal {
  readonly element = h('dialog', { class: 'modal' });
  private before: Element | null = null;

  constructor(label: string) {
    this.element.setAttribute('aria-label', label);
    this.element.addEventListener('close', () => this.closed());
    // A click beside it closes it.
    this.element.addEventListener('mousedown', (event) => {
      if (event.target === this.element) this.element.close('');
    });
    document.body.append(this.element);
  }

  get isOpen(): boolean {
    return this.element.open;
  }

  open(): void {
    this.before = document.activeElement;
    if (!this.element.open) this.element.showModal();
  }

  close(): void {
    if (this.element.open) this.element.close('');
  }

  private closed(): void {
    if (this.before instanceof HTMLElement && this.before.isConnected) this.before.focus();
  }
}

/** Asks before something is done; resolves with what was filled in, undefined for no. */
export function ask(question: Question): Promise<string | undefined> {
  const modal = new Modal(question.title);
  const field = h('input', {
    type: question.isPlain ? 'text' : 'password',
    spellcheck: 'false',
    autocomplete: 'off',
    'aria-label': question.secret ?? '',
  });
  const cancel = h('button', { type: 'button' }, text('page.control.cancel'));
  const style = question.isDangerous ? 'danger-fill' : 'primary';
  const doIt = h('button', { type: 'submit', class: style }, question.label);
  const form = h('form', { method: 'dialog', class: 'ask' });
  add(
    form,
    h('h2', {}, question.title),
    question.text !== undefined && h('p', {}, question.text),
    question.command !== undefined && h('code', { class: 'command-line' }, question.command),
    question.secret !== undefined &&
      h('label', { class: 'field' }, h('span', {}, question.secret), field),
    h('div', { class: 'buttons' }, cancel, doIt),
  );
  fill(modal.element, form);
  return new Promise((resolve) => {
    let answer: string | undefined;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      answer = field.value;
      modal.close();
    });
    cancel.addEventListener('click', () => modal.close());
    modal.element.addEventListener('close', () => {
      modal.element.remove();
      resolve(answer);
    });
    modal.open();
    (question.secret === undefined ? cancel : field).focus();
  });
}
