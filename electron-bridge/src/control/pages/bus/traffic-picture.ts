import type { TopicTraffic } from '../../../generated/protocol';
import { colourOf, type Colour } from '../../charts/colours';
import type { FlowEdge, FlowNode } from '../../charts/flow';
import { rate } from '../../format';

const WRITERS = 0;
const TOPICS = 1;
const READERS = 2;

interface Sum {
  node: FlowNode;
  rate: number;
}

/** The traffic as a picture: apps that write at the left, topics between, apps that read at the right. */
export function trafficPicture(topics: readonly TopicTraffic[]): {
  nodes: FlowNode[];
  edges: FlowEdge[];
} {
  const sums = new Map<string, Sum>();
  const edges = new Map<string, FlowEdge>();
  const sumOf = (column: number, name: string, colour: Colour): Sum => {
    const id = nodeId(column, name);
    const known = sums.get(id) ?? { node: { id, column, name, note: '', colour }, rate: 0 };
    sums.set(id, known);
    return known;
  };
  const join = (from: Sum, to: Sum, more: number, colour: Colour): void => {
    const id = `${from.node.id}>${to.node.id}`;
    const known = edges.get(id);
    if (known) known.rate += more;
    else edges.set(id, { from: from.node.id, to: to.node.id, rate: more, colour });
  };
  // By name, so that nothing jumps when rates change.
  for (const each of [...topics].sort((a, b) => a.topic.localeCompare(b.topic))) {
    const middle = sumOf(TOPICS, each.topic, 'c1');
    middle.rate = each.rate;
    for (const { app, share } of each.writers) {
      const writer = sumOf(WRITERS, app, colourOf(app));
      writer.rate += each.rate * share;
      join(writer, middle, each.rate * share, writer.node.colour);
    }
    for (const app of new Set(each.readers.map((reader) => reader.app))) {
      const reader = sumOf(READERS, app, colourOf(app));
      reader.rate += each.rate;
      join(middle, reader, each.rate, reader.node.colour);
    }
  }
  const nodes = [...sums.values()].map(({ node, rate: sum }) => ({
    ...node,
    note: rate(sum),
    isIdle: sum === 0,
  }));
  return { nodes, edges: [...edges.values()] };
}

export function topicNode(topic: string): string {
  return nodeId(TOPICS, topic);
}

export function isTopicNode({ column }: FlowNode): boolean {
  return column === TOPICS;
}

function nodeId(column: number, name: string): string {
  return `${column} ${name}`;
}
