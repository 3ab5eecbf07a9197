import type { Fdc3TraceEntry } from '../../../generated/protocol';
import { add, h } from '../../dom';
import { fineTime, time } from '../../format';
import { pill } from '../../widgets/cells';
import { column, figures } from '../../widgets/columns';
import type { Drawer } from '../../widgets/drawer';
import { facts } from '../../widgets/facts';
import { text, textOr } from '../../../renderer/language';
import type { Context } from '../page';
import { traceButton } from './contexts-view';
import { Fdc3View } from './fdc3-view';

const NEWEST = 400;

/** The last contexts and intents that were handed out or refused, the newest first. */
export class DeliveriesView extends Fdc3View<Fdc3TraceEntry> {
  constructor(
    private readonly context: Context,
    private readonly openDetails: Drawer['open'],
  ) {
    super({
      label: text('page.control.fdc3.view.deliveries'),
      key: ({ traceId, kind, timestamp }) => `${traceId} ${kind} ${timestamp}`,
      empty: text('page.control.fdc3.no-deliveries'),
      onOpen: (entry) => this.open(entry),
      columns: [
        {
          id: 'kind',
          title: text('page.control.fdc3.kind'),
          width: '110px',
          by: kindOf,
          make: (cell) => add(cell, h('span', { class: 'pill' })),
          draw: (cell, row) =>
            pill(cell, kindOf(row), row.kind === 'refused' ? 'caution' : 'quiet'),
        },
        column(
          'type',
          text('page.control.fdc3.type'),
          'minmax(120px, 1fr)',
          (row) => row.contextType ?? '',
          {
            kind: 'strong',
          },
        ),
        column('where', text('page.control.fdc3.where'), 'minmax(120px, 1fr)', whereOf),
        column(
          'from',
          text('page.control.fdc3.from'),
          'minmax(110px, 0.7fr)',
          (row) => row.source.app,
          {
            from: 720,
          },
        ),
        figures('to', text('page.control.fdc3.to'), '80px', (row) => row.to.length),
        figures('at', text('page.control.fdc3.at'), '130px', (row) => row.timestamp, {
          say: (row) => time(row.timestamp),
          kind: 'quiet',
        }),
      ],
    });
  }

  protected async rows(): Promise<readonly Fdc3TraceEntry[]> {
    const { entries } = await this.context.api.call('fdc3.trace', { limit: NEWEST });
    return entries.reverse();
  }

  protected wordsOf(entry: Fdc3TraceEntry): string {
    const { contextType = '', source, to, traceId } = entry;
    const apps = to.map(({ app }) => app).join(' ');
    return `${contextType} ${whereOf(entry)} ${source.app} ${apps} ${traceId}`;
  }

  protected count(entries: number): string {
    return text('page.control.fdc3.deliveries', { count: entries });
  }

  private open(entry: Fdc3TraceEntry): void {
    const { source, to, timestamp, traceId, contextType = '' } = entry;
    this.openDetails(
      kindOf(entry),
      whereOf(entry),
      [traceButton(this.context, traceId)],
      facts([
        [text('page.control.fdc3.type'), contextType],
        [text('page.control.fdc3.from'), `${source.app} · ${source.client}`],
        [text('page.control.fdc3.at'), fineTime(timestamp)],
        ['traceId', traceId],
      ]),
      h('h3', { class: 'section' }, text('page.control.fdc3.to')),
      h(
        'ul',
        { class: 'plain-list mono' },
        ...to.map(({ app, client }) => h('li', {}, `${app} · ${client}`)),
      ),
    );
    this.mark(entry);
  }
}

function kindOf({ kind }: Fdc3TraceEntry): string {
  return textOr(`page.control.fdc3.kind.${kind}`, kind);
}

function whereOf({ intent = '', channel = '', detail = '' }: Fdc3TraceEntry): string {
  return intent || channel || detail;
}
