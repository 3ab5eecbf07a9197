import { Flow } from '../../charts/flow';
import { h } from '../../dom';
import { text } from '../../../renderer/language';
import type { Context } from '../page';
import { isTopicNode, topicNode, trafficPicture } from './traffic-picture';
import type { View } from './view';
import { shownOf } from './topics-view';

const MAP_TOPICS = 24;

/** The busiest topics, with the apps that write and read them. */
export class MapView implements View {
  readonly element: HTMLElement;
  private readonly flow: Flow;

  constructor(
    private readonly context: Context,
    openTopic: (topic: string) => void,
  ) {
    this.flow = new Flow(
      text('page.control.bus.map'),
      [
        text('page.control.bus.writers'),
        text('page.control.bus.topics'),
        text('page.control.bus.readers'),
      ],
      text('page.control.bus.quiet'),
      (node) => {
        if (isTopicNode(node)) openTopic(node.name);
        else context.show('apps', node.name);
      },
    );
    this.element = h('div', { class: 'card view' }, this.flow.element);
  }

  async look(search: string): Promise<string> {
    const params = { search, limit: MAP_TOPICS };
    const { topics, topicCount } = await this.context.api.call('control.traffic', params);
    const { nodes, edges } = trafficPicture(topics);
    this.flow.draw(nodes, edges, search !== '');
    return shownOf(topics.length, topicCount);
  }

  select(topic: string): void {
    this.flow.select(topic === '' ? '' : topicNode(topic));
  }

  close(): void {
    this.flow.close();
  }
}
