import type { DeadLetter } from '../../../generated/protocol';
import { h } from '../../dom';
import { number, time } from '../../format';
import { button } from '../../widgets/button';
import { column, figures } from '../../widgets/columns';
import type { Drawer } from '../../widgets/drawer';
import { Grid } from '../../widgets/grid';
import { text, textOr } from '../../../renderer/language';
import type { Context } from '../page';
import { messageDetail, type Message } from './message-detail';
import type { View } from './view';

const LETTERS = 1000;

/** Messages that could not be delivered: why, and what may be done about them. */
export class LettersView implements View {
  readonly element: HTMLElement;
  private readonly bar: HTMLElement;
  private readonly deeds: readonly HTMLButtonElement[];
  private readonly grid: Grid<DeadLetter>;
  private found: DeadLetter[] = [];

  /** `open` shows details, `changed` is told when letters went. */
  constructor(
    private readonly context: Context,
    private readonly drawer: Drawer,
    private readonly openDetails: Drawer['open'],
    private readonly changed: () => void,
  ) {
    this.grid = gridOf((letter) => this.open(letter));
    this.deeds = [
      button(text('page.control.bus.redrive-all'), () => void this.redrive(this.found), {
        sign: 'restart',
      }),
      button(text('page.control.bus.purge-all'), () => void this.purge(this.found), {
        style: 'danger',
      }),
    ];
    const hint = h('span', { class: 'quiet' }, text('page.control.bus.letters-hint'));
    this.bar = h('div', { class: 'view-bar' }, hint, ...this.deeds);
    this.element = h('div', { class: 'card view barred' }, this.bar, this.grid.element);
  }

  async look(search: string): Promise<string> {
    const { letters, total } = await this.context.api.call('bus.deadLetters', { limit: LETTERS });
    const wanted = search.toLowerCase();
    this.found = letters.filter((letter) =>
      `${letter.app} ${letter.reason} ${topicOf(letter)}`.toLowerCase().includes(wanted),
    );
    this.grid.draw(this.found, wanted !== '');
    this.bar.hidden = !this.context.acts;
    for (const deed of this.deeds) deed.disabled = this.found.length === 0;
    return text('page.control.bus.letters', { count: total });
  }

  select(): void {
    this.grid.select('');
  }

  close(): void {
    this.grid.close();
  }

  private open(letter: DeadLetter): void {
    const redrive = button(text('page.control.bus.redrive'), () => void this.redrive([letter]), {
      style: 'primary',
    });
    const purge = button(text('page.control.bus.purge'), () => void this.purge([letter]), {
      style: 'danger',
    });
    this.openDetails(
      reasonOf(letter),
      text('page.control.bus.letter-note', { app: letter.app, attempts: letter.attempts }),
      this.context.acts ? [redrive, purge] : [],
      h('p', { class: 'hint' }, textOr(`page.control.bus.why.${letter.reason}`, '')),
      messageDetail(this.context, letter.message as Message),
    );
    this.grid.select(String(letter.number));
  }

  private async redrive(letters: readonly DeadLetter[]): Promise<void> {
    const done = text('page.control.bus.redriven', { count: letters.length });
    this.done(await this.context.act('bus.redrive', () => numbersOf(letters), done));
  }

  private async purge(letters: readonly DeadLetter[]): Promise<void> {
    const count = letters.length;
    const done = text('page.control.bus.purged', { count });
    const isDone = await this.context.act('bus.purge', () => numbersOf(letters), done, {
      title: text('page.control.bus.purge-title', { count }),
      text: text('page.control.bus.purge-text'),
      label: text('page.control.bus.purge'),
      isDangerous: true,
    });
    this.done(isDone);
  }

  private done(isDone: boolean): void {
    if (!isDone) return;
    this.drawer.close();
    this.changed();
  }
}

function gridOf(open: (letter: DeadLetter) => void): Grid<DeadLetter> {
  return new Grid<DeadLetter>({
    label: text('page.control.bus.view.letters'),
    key: (row) => String(row.number),
    empty: text('page.control.bus.no-letters'),
    onOpen: (row) => open(row),
    columns: [
      column('reason', text('page.control.bus.reason'), '170px', (row) => row.reason, {
        say: (row) => reasonOf(row),
        kind: 'strong',
      }),
      column('topic', text('page.control.bus.topic'), 'minmax(120px, 1fr)', topicOf),
      column('app', text('page.control.bus.for'), 'minmax(110px, 0.7fr)', (row) => row.app, {
        from: 520,
      }),
      figures('attempts', text('page.control.bus.attempts'), '90px', (row) => row.attempts, {
        say: (row) => number(row.attempts),
        from: 640,
      }),
      figures('died', text('page.control.bus.died'), '130px', (row) => row.diedAt, {
        say: (row) => time(row.diedAt),
        kind: 'quiet',
      }),
    ],
  });
}

function numbersOf(letters: readonly DeadLetter[]): { numbers: number[] } {
  return { numbers: letters.map(({ number: each }) => each) };
}

function topicOf(letter: DeadLetter): string {
  return (letter.message as Partial<Message>).topic ?? '';
}

function reasonOf(letter: DeadLetter): string {
  return textOr(`page.control.bus.reason.${letter.reason}`, letter.reason);
}
