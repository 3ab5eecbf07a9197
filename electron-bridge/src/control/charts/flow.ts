import type { Colour } from './colours';
import { h, keyed, setAttribute, setText } from '../dom';
import { text } from '../../renderer/language';

const NODE_PX = 40;
const GAP_PX = 10;
const MIN_EDGE_PX = 1.25;
const MAX_EDGE_PX = 16;
/** The widths of the columns, as the style sheet has them. */
const SIDE_SHARE = 0.26;
const MIDDLE_SHARE = 0.3;
const SVG = 'http://www.w3.org/2000/svg';

export interface FlowNode {
  id: string;
  /** From the left, 0 to 2. */
  column: number;
  name: string;
  note: string;
  colour: Colour;
  /** Nothing goes through it now. */
  isIdle?: boolean;
}

export interface FlowEdge {
  from: string;
  to: string;
  rate: number;
  colour: Colour;
}

interface Placed extends FlowNode {
  y: number;
}

/**
 * Three columns of nodes, with edges between neighbours. An edge is as wide as the square root of its
 * rate, so that the smallest is still seen. Nodes stay in the order in which they are given.
 */
export class Flow {
  readonly element: HTMLElement;
  private readonly svg = document.createElementNS(SVG, 'svg');
  private readonly nodes = h('div', { class: 'flow-nodes' });
  private readonly canvas: HTMLElement;
  private readonly empty: HTMLElement;
  private readonly paths = new Map<string, SVGPathElement>();
  private readonly observer = new ResizeObserver(() => this.paint());
  private shown: Placed[] = [];
  private edges: readonly FlowEdge[] = [];
  private marked = '';
  private selected = '';

  constructor(
    label: string,
    heads: readonly string[],
    private readonly words: string,
    private readonly onOpen: (node: FlowNode) => void,
  ) {
    this.empty = h('p', { class: 'none' }, words);
    this.svg.setAttribute('class', 'flow-edges');
    this.svg.setAttribute('aria-hidden', 'true');
    this.canvas = h('div', { class: 'flow-canvas' }, this.nodes);
    this.canvas.prepend(this.svg);
    this.element = h(
      'div',
      { class: 'flow', role: 'group', 'aria-label': label },
      h(
        'div',
        { class: 'flow-head', 'aria-hidden': 'true' },
        ...heads.map((head) => h('span', {}, head)),
      ),
      h('div', { class: 'flow-scroll' }, this.canvas, this.empty),
    );
    this.observer.observe(this.canvas);
  }

  /** `isSearched` tells that there may be nodes which don't fit. */
  draw(nodes: readonly FlowNode[], edges: readonly FlowEdge[], isSearched = false): void {
    const columns = [0, 1, 2].map((column) => nodes.filter((node) => node.column === column));
    const height = Math.max(...columns.map(({ length }) => heightOf(length)));
    this.shown = columns.flatMap((column) => {
      const top = (height - heightOf(column.length)) / 2;
      return column.map((node, at) => ({ ...node, y: top + at * (NODE_PX + GAP_PX) }));
    });
    this.edges = edges;
    this.canvas.style.height = `${height}px`;
    this.empty.hidden = nodes.length > 0;
    setText(this.empty, isSearched ? text('page.control.nothing-fits') : this.words);
    this.paint();
  }

  /** The node whose details are open; none for an empty id. */
  select(id: string): void {
    this.selected = id;
    this.mark();
  }

  close(): void {
    this.observer.disconnect();
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
        element.classList.toggle('idle', node.isIdle === true);
        element.title = node.name;
      },
    );
    this.paintEdges();
    this.mark();
  }

  private makeNode(node: Placed): HTMLElement {
    const button = h(
      'button',
      { type: 'button', class: `node column-${node.column} ${node.colour}`, 'data-id': node.id },
      h('span', { class: 'node-name', dir: 'auto' }),
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
    button.addEventListener('click', () => this.onOpen(node));
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
        from.column === 0 ? [column, middle] : [middle + width * MIDDLE_SHARE, width - column];
      const y1 = from.y + NODE_PX / 2;
      const y2 = to.y + NODE_PX / 2;
      const bend = (x2 - x1) / 2;
      const id = idOf(edge);
      const path = this.pathOf(edge, id);
      setAttribute(path, 'd', `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`);
      const share = Math.sqrt(edge.rate / most);
      const wide = MIN_EDGE_PX + share * (MAX_EDGE_PX - MIN_EDGE_PX);
      setAttribute(path, 'stroke-width', wide.toFixed(2));
      path.classList.toggle('idle', edge.rate === 0);
      kept.add(id);
    }
    for (const [id, path] of this.paths) {
      if (kept.has(id)) continue;
      path.remove();
      this.paths.delete(id);
    }
  }

  private pathOf(edge: FlowEdge, id: string): SVGPathElement {
    const known = this.paths.get(id);
    if (known) return known;
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('class', `edge ${edge.colour}`);
    this.paths.set(id, path);
    this.svg.append(path);
    return path;
  }

  /** The node under the pointer, the focus or the details stands out with all that it is joined to. */
  private mark(): void {
    const at = this.marked || this.selected;
    const near = new Set<string>([at]);
    this.element.classList.toggle('marking', at !== '' && this.shown.some(({ id }) => id === at));
    const columns = new Map(this.shown.map(({ id, column }) => [id, column]));
    const column = columns.get(at);
    for (const { from, to } of this.edges) {
      if (from === at) near.add(to);
      if (to === at) near.add(from);
    }
    // From an app one sees through its topics to the other end.
    const through = new Set([...near].filter((id) => column !== 1 && columns.get(id) === 1));
    for (const { from, to } of this.edges) {
      if (column === 0 && through.has(from)) near.add(to);
      if (column === 2 && through.has(to)) near.add(from);
    }
    for (const edge of this.edges) {
      const isNear = near.has(edge.from) && near.has(edge.to);
      this.paths.get(idOf(edge))?.classList.toggle('near', isNear);
    }
    for (const element of this.nodes.children) {
      const id = (element as HTMLElement).dataset['id'] ?? '';
      element.classList.toggle('near', near.has(id));
      setAttribute(element, 'aria-pressed', id === this.selected ? 'true' : undefined);
    }
  }
}

function idOf({ from, to }: FlowEdge): string {
  return `${from}>${to}`;
}

function heightOf(count: number): number {
  return Math.max(0, count * (NODE_PX + GAP_PX) - GAP_PX);
}
