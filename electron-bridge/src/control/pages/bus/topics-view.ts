import { h } from '../../dom';
import { number, rate, time } from '../../format';
import { column, figures } from '../../widgets/columns';
import { Grid } from '../../widgets/grid';
import { text } from '../../../renderer/language';
import type { Context } from '../page';
import type { View } from './view';

interface TopicRow {
  topic: string;
  rate: number;
  messages: number;
  readers: number;
  last: number;
}

/** All topics, with their rates. */
export class TopicsView implements View {
  readonly element: HTMLElement;
  private readonly grid: Grid<TopicRow>;

  constructor(
    private readonly context: Context,
    openTopic: (topic: string) => void,
  ) {
    this.grid = gridOf(openTopic);
    this.element = h('div', { class: 'card view' }, this.grid.element);
  }

  async look(search: string): Promise<string> {
    const found = await this.context.api.call('control.topics', { search });
    this.grid.draw(
      found.topics.map((topic, at) => ({
        topic,
        rate: found.rates[at] ?? 0,
        messages: found.messages[at] ?? 0,
        readers: found.readers[at] ?? 0,
        last: found.last[at] ?? 0,
      })),
      search !== '',
    );
    return shownOf(found.topics.length, found.topicCount);
  }

  select(topic: string): void {
    this.grid.select(topic);
  }

  close(): void {
    this.grid.close();
  }
}

export function shownOf(shown: number, count: number): string {
  const name = shown < count ? 'page.control.bus.some' : 'page.control.bus.all';
  return text(name, { shown, count });
}

function gridOf(openTopic: (topic: string) => void): Grid<TopicRow> {
  return new Grid<TopicRow>({
    label: text('page.control.bus.topics'),
    key: (row) => row.topic,
    empty: text('page.control.bus.no-topics'),
    onOpen: (row) => openTopic(row.topic),
    columns: [
      column('topic', text('page.control.bus.topic'), 'minmax(150px, 1fr)', (row) => row.topic, {
        kind: 'strong',
      }),
      figures('rate', text('page.control.bus.rate'), '110px', (row) => row.rate, {
        say: (row) => rate(row.rate),
        kind: (row) => (row.rate === 0 ? 'quiet' : ''),
      }),
      figures('messages', text('page.control.bus.messages'), '110px', (row) => row.messages, {
        say: (row) => number(row.messages),
        from: 460,
      }),
      figures('readers', text('page.control.bus.readers'), '90px', (row) => row.readers, {
        say: (row) => number(row.readers),
        from: 560,
      }),
      figures('last', text('page.control.bus.last'), '130px', (row) => row.last, {
        say: (row) => time(row.last),
        kind: 'quiet',
        from: 660,
      }),
    ],
  });
}
