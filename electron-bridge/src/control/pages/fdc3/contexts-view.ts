import type { LastContext } from '../../../generated/protocol';
import { h } from '../../dom';
import { fineTime, time } from '../../format';
import { button } from '../../widgets/button';
import { column, figures } from '../../widgets/columns';
import type { Drawer } from '../../widgets/drawer';
import { facts } from '../../widgets/facts';
import { briefly, jsonOf } from '../../widgets/json-view';
import { text } from '../../../renderer/language';
import type { Context } from '../page';
import { Fdc3View } from './fdc3-view';

/** The last context of each type on every channel but private ones. */
export class ContextsView extends Fdc3View<LastContext> {
  constructor(
    private readonly context: Context,
    private readonly openDetails: Drawer['open'],
  ) {
    super({
      label: text('page.control.fdc3.view.contexts'),
      key: ({ channel, type }) => `${channel} ${type}`,
      empty: text('page.control.fdc3.no-contexts'),
      onOpen: (last) => this.open(last),
      columns: [
        column('type', text('page.control.fdc3.type'), 'minmax(130px, 0.8fr)', (row) => row.type, {
          kind: 'strong',
        }),
        column('channel', text('page.control.fdc3.channel'), '150px', (row) => row.channel),
        column(
          'from',
          text('page.control.fdc3.from'),
          'minmax(110px, 0.7fr)',
          (row) => row.source.app,
          {
            from: 520,
          },
        ),
        column(
          'context',
          text('page.control.fdc3.context'),
          'minmax(140px, 1.4fr)',
          (row) => briefly(row.context),
          { kind: 'quiet mono', from: 680 },
        ),
        figures('at', text('page.control.fdc3.at'), '130px', (row) => row.timestamp, {
          say: (row) => time(row.timestamp),
          kind: 'quiet',
        }),
      ],
    });
  }

  protected async rows(): Promise<readonly LastContext[]> {
    return (await this.context.api.call('fdc3.contexts', {})).contexts;
  }

  protected wordsOf({ channel, type, source }: LastContext): string {
    return `${channel} ${type} ${source.app}`;
  }

  protected count(contexts: number): string {
    return text('page.control.fdc3.contexts-count', { count: contexts });
  }

  private open(last: LastContext): void {
    const { channel, type, source, timestamp, traceId } = last;
    this.openDetails(
      type,
      channel,
      [traceButton(this.context, traceId)],
      facts([
        [text('page.control.fdc3.from'), `${source.app} · ${source.client}`],
        [text('page.control.fdc3.at'), fineTime(timestamp)],
        ['traceId', traceId],
      ]),
      h('h3', { class: 'section' }, text('page.control.fdc3.context')),
      jsonOf(last.context),
    );
    this.mark(last);
  }
}

/** Leads to the trace of a context or an intent. */
export function traceButton(context: Context, traceId: string): HTMLElement {
  const show = (): void => context.show('traces', `correlation:${traceId}`);
  return button(text('page.control.bus.trace'), show, { style: 'small', sign: 'traces' });
}
