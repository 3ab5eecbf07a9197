import type { TopicTraffic } from '../generated/protocol';
import { colourOf, type Colour } from './colours';
import { h, keyed, setAttribute, setText } from './dom';
import { rate } from './format';
import { text } from './texts';

const NODE_PX = 40;
const GAP_PX = 10;
const MIN_EDGE_PX = 1.25;
const MAX_EDGE_PX = 16;
/** The widths of the columns, as the style sheet has them. */
const SIDE_SHARE = 0.26;
const MIDDLE_SHARE = 0.3;
const SVG = 'http://www.w3.org/2000/svg';

type Side = 'writer' | 'topic' | 'reader';

interface Node {
  id: string;
  side: Side;
  name: string;
  note: string;
  rate: number;
  colour: Colour;
  y: number;
}

interface Edge {
  id: string;
  from: string;
  to: string;
  rate: number;
  colour: Colour;
}

/**
 * The traffic as a picture: apps that send at the left, topics between, apps that read at the right. An edge is
 * as wide as the square root of its rate, so that the smallest is still seen.
 */
export class Flow {
  readonly element: HTMLElement;
  private readonly svg = document.createElementNS(SVG, 'svg');
  private readonly nodes = h('div', { class: 'flow-nodes' });
  private readonly canvas: HTMLElement;
  private readonly empty = h('p', { class: 'none' }, text('control.bus.quiet'));
  private readonly paths = new Map<string, SVGPathElement>();
  private readonly observer = new ResizeObserver(() => this.paint());
  private shown: Node[] = [];
  private edges: Edge[] = [];
  private marked = '';
  private selected = '';

  constructor(private readonly onOpen: (side: Side, name: string) => void) {
    this.svg.setAttribute('class', 'flow-edges');
    this.svg.setAttribute('aria-hidden', 'true');
    this.canvas = h('div', { class: 'flow-canvas' }, this.nodes);
    this.canvas.prepend(this.svg);
    this.element = h(
      'div',
      { class: 'flow', role: 'group', 'aria-label': text('control.bus.map') },
      h(
        'div',
        { class: 'flow-head', 'aria-hidden': 'true' },
        h('span', {}, text('control.bus.writers')),
        h('span', {}, text('control.bus.topics')),
        h('span', {}, text('control.bus.readers')),
      ),
      h('div', { class: 'flow-scroll' }, this.canvas, this.empty),
    );
    this.observer.observe(this.canvas);
  }

  draw(topics: readonly TopicTraffic[]): void {
    this.layOut(topics);
    this.empty.hidden = this.shown.length > 0;
    this.paint();
  }

  select(topic: string): void {
    this.selected = topic === '' ? '' : `topic ${topic}`;
    this.mark();
  }

  close(): void {
    this.observer.disconnect();
  }

  /** Nodes keep their order by name, so nothing jumps when rates change. */
  private layOut(topics: readonly TopicTraffic[]): void {
    const columns: Record<Side, Map<string, Node>> = {
      writer: new Map(),
      topic: new Map(),
      reader: new Map(),
    };
    const edges = new Map<string, Edge>();
    for (const each of [...topics].sort((a, b) => a.topic.localeCompare(b.topic))) {
      const middle = nodeIn(columns.topic, 'topic', each.topic, 'c1');
      middle.rate = each.rate;
      middle.note = rate(each.rate);
      for (const { app, share } of each.writers) {
        const writer = nodeIn(columns.writer, 'writer', app, colourOf(app));
        writer.rate += each.rate * share;
        join(edges, writer, middle, each.rate * share, writer.colour);
      }
      const readers = new Set(each.readers.map(({ app }) => app));
      for (const app of readers) {
        const reader = nodeIn(columns.reader, 'reader', app, colourOf(app));
        reader.rate += each.rate;
        join(edges, middle, reader, each.rate, reader.colour);
      }
    }
    for (const side of ['writer', 'reader'] as const) {
      for (const node of columns[side].values()) node.note = rate(node.rate);
    }
    const heights = Object.values(columns).map((column) => heightOf(column.size));
    const height = Math.max(...heights);
    for (const column of Object.values(columns)) {
      let y = (height - heightOf(column.size)) / 2;
      for (const node of column.values()) {
        node.y = y;
        y += NODE_PX + GAP_PX;
      }
    }
    this.canvas.style.height = `${height}px`;
    this.shown = Object.values(columns).flatMap((column) => [...column.values()]);
    this.edges = [...edges.values()];
  }

  private paint(): void {
    keyed(
      this.nodes,
      this.shown,
      ({ id }) => id,
      (node) => this.makeNode(node),
      (element, node) => {
        element.style.transform = `translateY(${node.y}px)`;
        const [name, note] = element.querySelectorAll<HTMLElement>('.node-name, .node-note');
        if (name) setText(name, node.name);
        if (note) setText(note, node.note);
        element.classList.toggle('idle', node.rate === 0);
        element.title = node.name;
      },
    );
    this.paintEdges();
    this.mark();
  }

  private makeNode(node: Node): HTMLElement {
    const button = h(
      'button',
      { type: 'button', class: `node ${node.side} ${node.colour}`, 'data-id': node.id },
      h('span', { class: 'node-name' }),
      h('span', { class: 'node-note' }),
    );
    const point = (id: string) => (): void => {
      this.marked = id;
      this.mark();
    };
    button.addEventListener('mouseenter', point(node.id));
    button.addEventListener('focus', point(node.id));
    button.addEventListener('mouseleave', point(''));
    button.addEventListener('blur', point(''));
    button.addEventListener('click', () => this.onOpen(node.side, node.name));
    return button;
  }

  private paintEdges(): void {
    const width = this.canvas.clientWidth;
    const height = this.canvas.clientHeight;
    if (width === 0) return;
    this.svg.setAttribute('viewBox', `0 0 ${width} ${Math.max(1, height)}`);
    const places = new Map(this.shown.map((node) => [node.id, node]));
    const most = Math.max(1e-9, ...this.edges.map((edge) => edge.rate));
    const kept = new Set<string>();
    // As in the style sheet: three columns, with the edges between them.
    const column = width * SIDE_SHARE;
    const middle = (width - width * MIDDLE_SHARE) / 2;
    for (const edge of this.edges) {
      const from = places.get(edge.from);
      const to = places.get(edge.to);
      if (!from || !to) continue;
      const [x1, x2] =
        from.side === 'writer' ? [column, middle] : [middle + width * MIDDLE_SHARE, width - column];
      const y1 = from.y + NODE_PX / 2;
      const y2 = to.y + NODE_PX / 2;
      const bend = (x2 - x1) / 2;
      const path = this.pathOf(edge);
      setAttribute(path, 'd', `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`);
      const share = Math.sqrt(edge.rate / most);
      const wide = MIN_EDGE_PX + share * (MAX_EDGE_PX - MIN_EDGE_PX);
      setAttribute(path, 'stroke-width', wide.toFixed(2));
      path.classList.toggle('idle', edge.rate === 0);
      kept.add(edge.id);
    }
    for (const [id, path] of this.paths) {
      if (kept.has(id)) continue;
      path.remove();
      this.paths.delete(id);
    }
  }

  private pathOf(edge: Edge): SVGPathElement {
    const known = this.paths.get(edge.id);
    if (known) return known;
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('class', `edge ${edge.colour}`);
    this.paths.set(edge.id, path);
    this.svg.append(path);
    return path;
  }

  /** The node under the pointer, the focus or the details stands out with all that it is joined to. */
  private mark(): void {
    const at = this.marked || this.selected;
    const near = new Set<string>([at]);
    this.element.classList.toggle('marking', at !== '' && this.shown.some(({ id }) => id === at));
    const side = this.shown.find(({ id }) => id === at)?.side;
    for (const { from, to } of this.edges) {
      if (from === at) near.add(to);
      if (to === at) near.add(from);
    }
    // From an app one sees through its topics to the other end.
    const through = new Set([...near].filter((id) => side !== 'topic' && id.startsWith('topic ')));
    for (const { from, to } of this.edges) {
      if (side === 'writer' && through.has(from)) near.add(to);
      if (side === 'reader' && through.has(to)) near.add(from);
    }
    for (const edge of this.edges) {
      const isNear = near.has(edge.from) && near.has(edge.to);
      this.paths.get(edge.id)?.classList.toggle('near', isNear);
    }
    for (const element of this.nodes.children) {
      const id = (element as HTMLElement).dataset['id'] ?? '';
      element.classList.toggle('near', near.has(id));
      setAttribute(element, 'aria-pressed', id === this.selected ? 'true' : undefined);
    }
  }
}

function nodeIn(column: Map<string, Node>, side: Side, name: string, colour: Colour): Node {
  const known = column.get(name);
  if (known) return known;
  const node: Node = { id: `${side} ${name}`, side, name, note: '', rate: 0, colour, y: 0 };
  column.set(name, node);
  return node;
}

function join(edges: Map<string, Edge>, from: Node, to: Node, more: number, colour: Colour): void {
  const id = `${from.id}>${to.id}`;
  const known = edges.get(id);
  if (known) known.rate += more;
  else edges.set(id, { id, from: from.id, to: to.id, rate: more, colour });
}

function heightOf(count: number): number {
  return Math.max(0, count * (NODE_PX + GAP_PX) - GAP_PX);
}
