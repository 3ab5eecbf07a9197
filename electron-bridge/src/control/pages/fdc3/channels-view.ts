import type { Fdc3Channel, Fdc3Listener } from '../../../generated/protocol';
import { h } from '../../dom';
import { number } from '../../format';
import { column, figures } from '../../widgets/columns';
import type { Drawer } from '../../widgets/drawer';
import { facts } from '../../widgets/facts';
import { text, textOr } from '../../../renderer/language';
import type { Context } from '../page';
import { Fdc3View } from './fdc3-view';

/** Channels, with who is on each of them, and who listens there. */
export class ChannelsView extends Fdc3View<Fdc3Channel> {
  constructor(
    private readonly context: Context,
    private readonly openDetails: Drawer['open'],
  ) {
    super({
      label: text('page.control.fdc3.view.channels'),
      key: ({ id }) => id,
      empty: text('page.control.fdc3.no-channels'),
      onOpen: (channel) => this.open(channel),
      columns: [
        column('name', text('page.control.fdc3.channel'), 'minmax(130px, 1fr)', (row) => row.name, {
          kind: 'strong',
        }),
        column('type', text('page.control.fdc3.kind'), '110px', kindOf),
        figures('members', text('page.control.fdc3.members'), '90px', (row) => row.members.length),
        figures(
          'heard',
          text('page.control.fdc3.listeners'),
          '100px',
          (row) => row.listeners.length,
        ),
        column(
          'types',
          text('page.control.fdc3.contexts'),
          'minmax(120px, 1.4fr)',
          (row) => row.contextTypes.join(', '),
          { kind: 'quiet', from: 560 },
        ),
      ],
    });
  }

  protected async rows(): Promise<readonly Fdc3Channel[]> {
    return (await this.context.api.call('fdc3.channels', {})).channels;
  }

  protected wordsOf({ id, name, listeners }: Fdc3Channel): string {
    return `${id} ${name} ${listeners.map(({ app }) => app).join(' ')}`;
  }

  protected count(channels: number): string {
    return text('page.control.fdc3.channels', { count: channels });
  }

  private open(channel: Fdc3Channel): void {
    const { id, name, members, listeners, contextTypes } = channel;
    this.openDetails(
      name,
      kindOf(channel),
      [],
      facts([
        ['id', id],
        [text('page.control.fdc3.members'), number(members.length)],
        [text('page.control.fdc3.contexts'), contextTypes.join(', ')],
      ]),
      h('h3', { class: 'section' }, text('page.control.fdc3.listeners')),
      listenerList(listeners),
    );
    this.mark(channel);
  }
}

/** Listeners, by their apps and what each wants. */
export function listenerList(listeners: readonly Fdc3Listener[]): HTMLElement {
  if (listeners.length === 0) {
    return h('p', { class: 'hint' }, text('page.control.fdc3.no-listeners'));
  }
  const words = listeners.map(({ app, instanceId, contextType, intent }) => {
    const wanted = intent ?? contextType ?? text('page.control.fdc3.any-context');
    return `${app} · ${wanted} · ${instanceId}`;
  });
  return h('ul', { class: 'plain-list mono' }, ...words.map((each) => h('li', {}, each)));
}

function kindOf({ type }: Fdc3Channel): string {
  return textOr(`page.control.fdc3.kind.${type}`, type);
}
