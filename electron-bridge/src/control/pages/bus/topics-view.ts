import { h } from '../../dom';
import { number, rate, time } from '../../format';
import { plain } from '../../widgets/cells';
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
      {
        id: 'topic',
        title: text('page.control.bus.topic'),
        width: 'minmax(150px, 1fr)',
        by: (row) => row.topic,
        draw: (cell, row) => plain(cell, row.topic, 'strong'),
      },
      {
        id: 'rate',
        title: text('page.control.bus.rate'),
        width: '110px',
        isEnd: true,
        by: (row) => row.rate,
        draw: (cell, row) => plain(cell, rate(row.rate), row.rate === 0 ? 'quiet' : ''),
      },
      {
        id: 'messages',
        title: text('page.control.bus.messages'),
        width: '110px',
        isEnd: true,
        from: 460,
        by: (row) => row.messages,
        draw: (cell, row) => plain(cell, number(row.messages)),
      },
      {
        id: 'readers',
        title: text('page.control.bus.readers'),
        width: '90px',
        isEnd: true,
        from: 560,
        by: (row) => row.readers,
        draw: (cell, row) => plain(cell, number(row.readers)),
      },
      {
        id: 'last',
        title: text('page.control.bus.last'),
        width: '130px',
        isEnd: true,
        from: 660,
        by: (row) => row.last,
        draw: (cell, row) => plain(cell, time(row.last), 'quiet'),
      },
    ],
  });
}
