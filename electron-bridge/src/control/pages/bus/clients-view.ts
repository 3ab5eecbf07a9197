import type { ClientInfo } from '../../../generated/protocol';
import { add, h } from '../../dom';
import { bytes, duration, number } from '../../format';
import { pill } from '../../widgets/cells';
import { column, figures } from '../../widgets/columns';
import type { Drawer } from '../../widgets/drawer';
import { facts, type Fact } from '../../widgets/facts';
import { Grid } from '../../widgets/grid';
import { text } from '../../../renderer/language';
import type { Context } from '../page';
import type { View } from './view';

/** Clients of the bus, with what waits for each, and for how long. */
export class ClientsView implements View {
  readonly element: HTMLElement;
  private readonly grid: Grid<ClientInfo>;

  constructor(
    private readonly context: Context,
    private readonly openDetails: Drawer['open'],
  ) {
    this.grid = gridOf((client) => this.open(client));
    this.element = h('div', { class: 'card view' }, this.grid.element);
  }

  async look(search: string): Promise<string> {
    const { clients } = await this.context.api.call('control.clients', {});
    const wanted = search.toLowerCase();
    this.grid.draw(
      clients.filter(({ app, client }) => `${app} ${client}`.toLowerCase().includes(wanted)),
      wanted !== '',
    );
    return text('page.control.bus.clients', { count: clients.length });
  }

  select(): void {
    this.grid.select('');
  }

  close(): void {
    this.grid.close();
  }

  private open(client: ClientInfo): void {
    const { app, queued, queuedBytes, unacknowledged, subscriptions, away = 0 } = client;
    const awayFor: Fact[] = away > 0 ? [[text('page.control.bus.away'), duration(away)]] : [];
    this.openDetails(
      app,
      client.client,
      [],
      facts([
        [text('page.control.bus.state'), stateOf(client)],
        [text('page.control.bus.queued'), `${number(queued)} (${bytes(queuedBytes)})`],
        [text('page.control.bus.unacknowledged'), number(unacknowledged)],
        ...awayFor,
      ]),
      h('h3', { class: 'section' }, text('page.control.bus.subscriptions')),
      h(
        'ul',
        { class: 'plain-list mono' },
        ...subscriptions.map((pattern) => h('li', {}, pattern)),
      ),
    );
    this.grid.select(keyOf(client));
  }
}

function gridOf(open: (client: ClientInfo) => void): Grid<ClientInfo> {
  return new Grid<ClientInfo>({
    label: text('page.control.bus.view.queues'),
    key: keyOf,
    empty: text('page.control.bus.no-clients'),
    onOpen: (row) => open(row),
    columns: [
      column('app', text('page.control.bus.client'), 'minmax(150px, 1fr)', keyOf, {
        say: (row) => `${row.app} · ${row.client}`,
        kind: 'strong',
      }),
      {
        id: 'state',
        title: text('page.control.bus.state'),
        width: '150px',
        by: (row) => stateOf(row),
        make: (cell) => add(cell, h('span', { class: 'pill' })),
        draw: (cell, row) =>
          pill(cell, stateOf(row), row.slow ? 'caution' : row.online ? 'good' : 'quiet'),
      },
      figures('queued', text('page.control.bus.queued'), '90px', (row) => row.queued, {
        say: (row) => number(row.queued),
        kind: (row) => (row.queued === 0 ? 'quiet' : 'strong'),
      }),
      figures('bytes', text('page.control.bus.size'), '90px', (row) => row.queuedBytes, {
        say: (row) => bytes(row.queuedBytes),
        kind: 'quiet',
        from: 760,
      }),
      figures('oldest', text('page.control.bus.oldest'), '110px', (row) => row.oldest ?? 0, {
        say: (row) => (row.queued > 0 ? duration(row.oldest ?? 0) : ''),
        kind: 'quiet',
      }),
      figures(
        'unacknowledged',
        text('page.control.bus.unacknowledged'),
        '130px',
        (row) => row.unacknowledged,
        {
          say: (row) => number(row.unacknowledged),
          kind: (row) => (row.unacknowledged === 0 ? 'quiet' : ''),
          from: 900,
        },
      ),
    ],
  });
}

function keyOf({ app, client }: ClientInfo): string {
  return `${app} ${client}`;
}

function stateOf(client: ClientInfo): string {
  if (client.slow) return text('page.control.bus.slow');
  return text(client.online ? 'page.control.bus.online' : 'page.control.bus.offline');
}
