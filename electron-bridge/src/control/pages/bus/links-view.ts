import type { LinkState } from '../../../generated/protocol';
import { h } from '../../dom';
import { bytes, duration, NOTHING, number } from '../../format';
import { button } from '../../widgets/button';
import { column, figures } from '../../widgets/columns';
import type { Drawer } from '../../widgets/drawer';
import { facts } from '../../widgets/facts';
import { Grid } from '../../widgets/grid';
import { text } from '../../../renderer/language';
import type { Context } from '../page';
import type { View } from './view';

/** The connections of the backend: whose each is, what it has carried, and what waits for it. */
export class LinksView implements View {
  readonly element: HTMLElement;
  private readonly grid: Grid<LinkState>;

  constructor(
    private readonly context: Context,
    private readonly drawer: Drawer,
    private readonly openDetails: Drawer['open'],
    private readonly changed: () => void,
  ) {
    this.grid = gridOf((link) => this.open(link));
    this.element = h('div', { class: 'card view' }, this.grid.element);
  }

  async look(search: string): Promise<string> {
    const { links, total, limits } = await this.context.api.call('links.list', {});
    const wanted = search.toLowerCase();
    this.grid.draw(
      links.filter((link) => wordsOf(link).toLowerCase().includes(wanted)),
      wanted !== '',
    );
    return text('page.control.bus.links', { count: total, most: limits.maxLinks });
  }

  select(): void {
    this.grid.select('');
  }

  close(): void {
    this.grid.close();
  }

  private open(link: LinkState): void {
    const end = button(text('page.control.bus.link-close'), () => void this.end(link), {
      style: 'danger',
    });
    const { app, client, sentFrames, writes } = link;
    this.openDetails(
      app ?? text('page.control.bus.no-session'),
      text('page.control.bus.link-note', { number: link.number, transport: link.transport }),
      // The shell's link closes with the shell.
      this.context.acts && link.shell !== true ? [end] : [],
      facts([
        [text('page.control.bus.client'), client ?? NOTHING],
        [text('page.control.bus.pid'), link.pid === undefined ? NOTHING : String(link.pid)],
        [text('page.control.bus.age'), duration(link.age)],
        [text('page.control.bus.in'), bytes(link.receivedBytes)],
        [text('page.control.bus.out'), bytes(link.sentBytes)],
        [text('page.control.bus.frames'), writes === 0 ? NOTHING : number(sentFrames / writes)],
        [text('page.control.bus.waiting'), waitingOf(link)],
      ]),
    );
    this.grid.select(String(link.number));
  }

  private async end({ number: which, app = '' }: LinkState): Promise<void> {
    const done = text('page.control.bus.link-closed');
    const isDone = await this.context.act('links.close', () => ({ number: which }), done, {
      title: text('page.control.bus.link-close-title', { app }),
      text: text('page.control.bus.link-close-text'),
      label: text('page.control.bus.link-close'),
      isDangerous: true,
    });
    if (!isDone) return;
    this.drawer.close();
    this.changed();
  }
}

function gridOf(open: (link: LinkState) => void): Grid<LinkState> {
  return new Grid<LinkState>({
    label: text('page.control.bus.view.links'),
    key: ({ number: which }) => String(which),
    empty: text('page.control.bus.no-links'),
    onOpen: open,
    columns: [
      column('client', text('page.control.bus.client'), 'minmax(150px, 1fr)', wordsOf, {
        kind: 'strong',
      }),
      column('transport', text('page.control.bus.transport'), '110px', (link) => link.transport, {
        from: 620,
      }),
      figures('pid', text('page.control.bus.pid'), '80px', (link) => link.pid ?? 0, {
        say: ({ pid }) => (pid === undefined ? NOTHING : String(pid)),
        kind: 'quiet',
        from: 720,
      }),
      figures('age', text('page.control.bus.age'), '110px', (link) => link.age, {
        say: ({ age }) => duration(age),
        kind: 'quiet',
        from: 520,
      }),
      figures('in', text('page.control.bus.in'), '90px', (link) => link.receivedBytes, {
        say: ({ receivedBytes }) => bytes(receivedBytes),
      }),
      figures('out', text('page.control.bus.out'), '90px', (link) => link.sentBytes, {
        say: ({ sentBytes }) => bytes(sentBytes),
      }),
      figures('waiting', text('page.control.bus.waiting'), '120px', (link) => link.waitingBytes, {
        say: waitingOf,
        kind: ({ slow }) => (slow ? 'warn' : 'quiet'),
        from: 440,
      }),
    ],
  });
}

function wordsOf({ app, client }: LinkState): string {
  return app === undefined ? text('page.control.bus.no-session') : `${app} · ${client ?? ''}`;
}

function waitingOf({ waitingFrames, waitingBytes }: LinkState): string {
  return waitingFrames === 0 ? NOTHING : `${number(waitingFrames)} (${bytes(waitingBytes)})`;
}
