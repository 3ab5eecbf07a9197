import { fill, h, setAttribute } from '../dom';
import { icon } from '../icons';
import { Modal } from './modal';
import type { Command } from '../pages/page';
import { text } from '../../renderer/language';

const MAX_SHOWN = 60;

/** Goes anywhere and does anything by typing a few letters of it. */
export class Palette {
  private readonly modal = new Modal(text('page.control.palette'));
  private readonly field = h('input', {
    type: 'text',
    role: 'combobox',
    placeholder: text('page.control.palette.placeholder'),
    'aria-label': text('page.control.palette'),
    'aria-expanded': 'true',
    'aria-controls': 'palette-list',
    'aria-autocomplete': 'list',
    autocomplete: 'off',
    spellcheck: 'false',
  });
  private readonly list = h('div', { id: 'palette-list', role: 'listbox', class: 'palette-list' });
  private shown: Command[] = [];
  private chosen = 0;
  private asked = 0;

  /** `find` gives the commands that fit what was typed, the best first. */
  constructor(private readonly find: (words: string) => Promise<Command[]>) {
    this.modal.element.classList.add('palette');
    fill(this.modal.element, this.field, this.list);
    this.field.addEventListener('input', () => void this.refresh());
    this.field.addEventListener('keydown', (event) => this.key(event));
  }

  get isOpen(): boolean {
    return this.modal.isOpen;
  }

  open(): void {
    this.field.value = '';
    this.modal.open();
    this.field.focus();
    void this.refresh();
  }

  private async refresh(): Promise<void> {
    this.asked += 1;
    const mine = this.asked;
    const found = await this.find(this.field.value.trim());
    if (mine !== this.asked) return;
    this.shown = found.slice(0, MAX_SHOWN);
    this.chosen = 0;
    fill(this.list, ...this.shown.map((command, at) => this.optionOf(command, at)));
    if (this.shown.length === 0)
      fill(this.list, h('p', { class: 'none' }, text('page.control.palette.none')));
    this.mark();
  }

  private optionOf(command: Command, at: number): HTMLElement {
    const option = h(
      'div',
      { id: `command-${at}`, role: 'option', class: 'command' },
      icon(command.icon),
      h('span', { class: 'label' }, command.label),
      h('span', { class: 'note' }, command.note ?? ''),
    );
    option.addEventListener('mousemove', () => {
      if (this.chosen === at) return;
      this.chosen = at;
      this.mark();
    });
    option.addEventListener('click', () => this.take(at));
    return option;
  }

  private mark(): void {
    this.field.setAttribute('aria-activedescendant', `command-${this.chosen}`);
    [...this.list.children].forEach((option, at) => {
      setAttribute(option, 'aria-selected', at === this.chosen ? 'true' : 'false');
      if (at === this.chosen) option.scrollIntoView({ block: 'nearest' });
    });
  }

  private key(event: KeyboardEvent): void {
    const last = this.shown.length - 1;
    if (event.key === 'ArrowDown') this.chosen = this.chosen >= last ? 0 : this.chosen + 1;
    else if (event.key === 'ArrowUp') this.chosen = this.chosen <= 0 ? last : this.chosen - 1;
    else if (event.key === 'Enter') this.take(this.chosen);
    else return;
    event.preventDefault();
    if (event.key !== 'Enter') this.mark();
  }

  private take(at: number): void {
    const command = this.shown[at];
    this.modal.close();
    command?.run();
  }
}

/** Those of `commands` in which every word occurs; where one begins with the words first. */
export function fitting(commands: readonly Command[], words: string): Command[] {
  const wanted = words
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  const of = ({ label, note }: Command): string => `${label} ${note ?? ''}`.toLowerCase();
  return commands
    .filter((command) => wanted.every((word) => of(command).includes(word)))
    .map((command, at) => ({ command, at, starts: of(command).startsWith(words.toLowerCase()) }))
    .sort((left, right) => Number(right.starts) - Number(left.starts) || left.at - right.at)
    .map(({ command }) => command);
}
