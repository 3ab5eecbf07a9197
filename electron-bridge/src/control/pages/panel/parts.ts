import type { PanelChart, PanelGraph, PanelTab, PanelTree } from '../../../generated/protocol';
import { Chart } from '../../charts/chart';
import type { Colour } from '../../charts/colours';
import { h, keyed, setAttribute, setText } from '../../dom';
import { asTree } from '../../tree';
import { Flow, type FlowNode } from '../../charts/flow';

export type Part = PanelChart | PanelGraph | PanelTree;

const LINES: readonly Colour[] = ['c1', 'c2', 'c3', 'c4', 'c6', 'c7'];
const TONES: Record<string, Colour> = {
  good: 'c8',
  caution: 'c4',
  bad: 'c5',
  accent: 'c1',
  quiet: 'c7',
};

interface Drawn {
  element: HTMLElement;
  shape: string;
  draw(part: Part): void;
  close(): void;
}

/** The charts, graphs and trees of a panel; each keeps its element while its shape stays. */
export class Parts {
  readonly element = h('div', { class: 'parts', hidden: true });
  private readonly drawn = new Map<string, Drawn>();

  draw(parts: readonly Part[]): void {
    this.element.hidden = parts.length === 0;
    const ids = new Set(parts.map(({ id }) => id));
    for (const [id, known] of this.drawn) {
      const part = parts.find((each) => each.id === id);
      if (ids.has(id) && part && known.shape === shapeOf(part)) continue;
      known.close();
      known.element.remove();
      this.drawn.delete(id);
    }
    keyed(
      this.element,
      parts,
      (part) => `${part.id} ${shapeOf(part)}`,
      (part) => {
        const made = make(part);
        this.drawn.set(part.id, made);
        return made.element;
      },
      () => undefined,
    );
    for (const part of parts) this.drawn.get(part.id)?.draw(part);
  }

  close(): void {
    for (const known of this.drawn.values()) known.close();
    this.drawn.clear();
  }
}

/** The names of a panel's views; the one that is chosen is asked for. */
export class PanelTabs {
  readonly element = h('div', { class: 'segments', role: 'tablist', hidden: true });

  constructor(private readonly onChosen: (id: string) => void) {}

  draw(tabs: readonly PanelTab[], chosen: string): void {
    this.element.hidden = tabs.length === 0;
    keyed(
      this.element,
      tabs,
      ({ id }) => id,
      ({ id }) => {
        const button = h('button', { type: 'button', role: 'tab' });
        button.addEventListener('click', () => this.onChosen(id));
        return button;
      },
      (element, { id, label, note }) => {
        setText(element, note === undefined || note === '' ? label : `${label} ${note}`);
        setAttribute(element, 'aria-selected', String(id === chosen));
      },
    );
  }
}

/** The features of a part that can't be changed without making it anew. */
function shapeOf(part: Part): string {
  if (part.kind === 'chart') {
    return JSON.stringify([
      part.title,
      part.unit,
      part.series.map(({ label, tone }) => [label, tone]),
    ]);
  }
  return JSON.stringify([part.kind, part.title]);
}

function make(part: Part): Drawn {
  const shape = shapeOf(part);
  if (part.kind === 'chart') {
    const chart = new Chart(
      part.title,
      part.unit ?? 'count',
      part.series.map(({ label, tone }, at) => ({
        label,
        colour: TONES[tone ?? ''] ?? LINES[at % LINES.length] ?? 'c1',
        isFilled: part.series.length === 1,
      })),
      `panel-${part.id}`,
    );
    return {
      element: chart.element,
      shape,
      draw: (now) => {
        if (now.kind === 'chart')
          chart.draw(
            now.times,
            now.series.map(({ values }) => values),
          );
      },
      close: () => chart.close(),
    };
  }
  if (part.kind === 'graph') {
    const flow = new Flow(part.title, [part.title, '', ''], '', () => undefined);
    return {
      element: h('div', { class: 'card part-graph' }, flow.element),
      shape,
      draw: (now) => {
        if (now.kind === 'graph') flow.draw(nodesOf(now), edgesOf(now));
      },
      close: () => flow.close(),
    };
  }
  const list = h('ul', { class: 'part-tree' });
  return {
    element: h(
      'section',
      { class: 'card block' },
      h('h3', { class: 'card-title' }, part.title),
      list,
    ),
    shape,
    draw: (now) => {
      if (now.kind === 'tree') drawTree(list, now);
    },
    close: () => undefined,
  };
}

function nodesOf(graph: PanelGraph): FlowNode[] {
  return graph.nodes.map(({ id, label, note, column, tone }) => ({
    id,
    column: column ?? 1,
    name: label,
    note: note ?? '',
    colour: TONES[tone ?? ''] ?? 'c1',
  }));
}

function edgesOf(graph: PanelGraph) {
  return graph.edges.map(({ source, target, weight, tone }) => ({
    from: source,
    to: target,
    rate: weight ?? 1,
    colour: TONES[tone ?? ''] ?? 'c1',
  }));
}

function drawTree(list: HTMLElement, { nodes }: PanelTree): void {
  keyed(
    list,
    asTree(
      nodes,
      ({ id }) => id,
      ({ parent }) => parent,
    ),
    ({ item }) => item.id,
    () => h('li', {}, h('i', { class: 'dot' }), h('span', {}), h('span', { class: 'quiet' })),
    (element, { item: { label, note, tone }, depth }) => {
      const [dot, name, words] = element.children;
      if (!dot || !name || !words) return;
      element.style.setProperty('--depth', String(depth));
      dot.className = `dot ${tone ?? 'quiet'}`;
      setText(name, label);
      setText(words, note ?? '');
    },
  );
}
