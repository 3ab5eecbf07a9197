import type { Fdc3Intent } from '../../../generated/protocol';
import { h } from '../../dom';
import { column, figures } from '../../widgets/columns';
import type { Drawer } from '../../widgets/drawer';
import { text } from '../../../renderer/language';
import type { Context } from '../page';
import { listenerList } from './channels-view';
import { Fdc3View } from './fdc3-view';

/** Intents: the apps that the directory has for each, and who listens now. */
export class IntentsView extends Fdc3View<Fdc3Intent> {
  constructor(
    private readonly context: Context,
    private readonly openDetails: Drawer['open'],
  ) {
    super({
      label: text('page.control.fdc3.view.intents'),
      key: ({ intent }) => intent,
      empty: text('page.control.fdc3.no-intents'),
      onOpen: (intent) => this.open(intent),
      columns: [
        column(
          'intent',
          text('page.control.fdc3.intent'),
          'minmax(140px, 1fr)',
          (row) => row.intent,
          {
            kind: 'strong',
          },
        ),
        column(
          'apps',
          text('page.control.fdc3.in-directory'),
          'minmax(140px, 1.4fr)',
          (row) => row.apps.join(', '),
          { kind: 'quiet' },
        ),
        figures(
          'heard',
          text('page.control.fdc3.listeners'),
          '100px',
          (row) => row.listeners.length,
        ),
      ],
    });
  }

  protected async rows(): Promise<readonly Fdc3Intent[]> {
    return (await this.context.api.call('fdc3.intents', {})).intents;
  }

  protected wordsOf({ intent, apps, listeners }: Fdc3Intent): string {
    return [intent, ...apps, ...listeners.map(({ app }) => app)].join(' ');
  }

  protected count(intents: number): string {
    return text('page.control.fdc3.intents', { count: intents });
  }

  private open(intent: Fdc3Intent): void {
    this.openDetails(
      intent.intent,
      intent.apps.join(', '),
      [],
      h('h3', { class: 'section' }, text('page.control.fdc3.listeners')),
      listenerList(intent.listeners),
    );
    this.mark(intent);
  }
}
