import type { TraceResult, TraceSpan, TraceSummary } from '../../generated/protocol';
import { colourOf } from '../charts/colours';
import { Drawer } from '../widgets/drawer';
import { add, fill, h, setText } from '../dom';
import { fineTime, latency, number } from '../format';
import { Grid } from '../widgets/grid';
import { icon } from '../icons';
import type { Context, Page } from './page';
import { Poll } from '../backend/poll';
import { text } from '../../renderer/language';
import { facts, plain } from './bus/bus';

const LOOK_MS = 2000;
const TYPING_MS = 200;
const SHOWN_TRACES = 400;
const TRACE_ID = /^[0-9a-f]{32}$/;
const CONVERSATION = 'messaging.message.conversation_id';
const TICKS = [0, 0.25, 0.5, 0.75, 1];
const SLOWER: readonly [string, string][] = [
  ['page.control.traces.any', '0'],
  ['page.control.traces.1ms', '1'],
  ['page.control.traces.10ms', '10'],
  ['page.control.traces.100ms', '100'],
  ['page.control.traces.1s', '1000'],
];

interface Filter {
  traceId?: string;
  correlationId?: string;
  app?: string;
  topic?: string;
}

/** Recent traces, and each as a waterfall. */
export class Traces implements Page {
  readonly element: HTMLElement;
  private readonly field = h('input', {
    type: 'search',
    placeholder: text('page.control.traces.search'),
    'aria-label': text('page.control.traces.search'),
    autocomplete: 'off',
    spellcheck: 'false',
  });
  private readonly slower = h('select', { 'aria-label': text('page.control.traces.slower') });
  private readonly errors = h('input', { type: 'checkbox' });
  private readonly about = h('span', { class: 'quiet about' });
  private readonly grid: Grid<TraceSummary>;
  private readonly drawer = new Drawer(() => this.grid.select(''));
  private readonly poll = new Poll(LOOK_MS, () => this.look());
  private timer: number | undefined;
  private opens = '';

  constructor(private readonly context: Context) {
    this.grid = this.makeGrid();
    this.drawer.element.classList.add('wide');
    for (const [label, value] of SLOWER) add(this.slower, h('option', { value }, text(label)));
    this.field.addEventListener('input', () => {
      window.clearTimeout(this.timer);
      this.timer = window.setTimeout(() => this.poll.now(), TYPING_MS);
    });
    for (const control of [this.slower, this.errors]) {
      control.addEventListener('change', () => this.poll.now());
    }
    this.element = h(
      'div',
      { class: 'page-frame' },
      h(
        'div',
        { class: 'page-bar flowing' },
        this.field,
        this.slower,
        h(
          'label',
          { class: 'switch' },
          this.errors,
          h('span', {}, text('page.control.traces.errors')),
        ),
        this.about,
      ),
      h(
        'div',
        { class: 'page-split' },
        h('div', { class: 'tab-host' }, h('div', { class: 'card view' }, this.grid.element)),
        this.drawer.element,
      ),
    );
    this.poll.start();
  }

  /** Searches, for instance for `topic:prices.EURUSD` or `id:` and the id of a trace. */
  show(what: string): void {
    if (what !== '') {
      this.field.value = what.startsWith('id:') ? what.slice(3) : what;
      this.slower.value = '0';
      this.errors.checked = false;
      // The one trace that is asked for is opened at once.
      this.opens = what.startsWith('id:') || what.startsWith('correlation:') ? what : '';
    }
    this.poll.now();
  }

  search(): void {
    this.field.focus();
    this.field.select();
  }

  escape(): boolean {
    return this.drawer.close();
  }

  close(): void {
    this.poll.stop();
    this.grid.close();
  }

  private async look(): Promise<void> {
    const minDuration = Number(this.slower.value);
    try {
      const { enabled, traces } = await this.context.api.call('traces.query', {
        ...filterOf(this.field.value.trim()),
        ...(minDuration > 0 ? { minDuration } : {}),
        ...(this.errors.checked ? { error: true } : {}),
        limit: SHOWN_TRACES,
      });
      this.grid.draw(traces);
      setText(
        this.about,
        enabled
          ? text('page.control.traces.count', { count: traces.length })
          : text('page.control.traces.off'),
      );
      const [first] = traces;
      if (this.opens !== '') {
        this.opens = '';
        if (first) await this.open(first.traceId);
        else this.context.tell(text('page.control.traces.gone'), false);
      }
    } catch {
      // The page says above that the backend is away, or may not be asked.
    }
  }

  private async open(traceId: string): Promise<void> {
    this.grid.select(traceId);
    try {
      const trace = await this.context.api.call('traces.get', { traceId });
      const conversation = trace.spans
        .map((span) => span.attributes?.[CONVERSATION])
        .find((each): each is string => typeof each === 'string' && each !== '');
      const audit = h(
        'button',
        { type: 'button' },
        icon('audit'),
        text('page.control.traces.audit'),
      );
      audit.addEventListener('click', () =>
        this.context.show('audit', `correlation:${conversation ?? ''}`),
      );
      this.drawer.open(
        trace.spans[0]?.name ?? traceId,
        `${traceId} · ${latency(trace.duration / 1000)} · ${fineTime(trace.start)}`,
        conversation === undefined ? [] : [audit],
        waterfall(trace),
      );
    } catch (error) {
      this.context.tell(error instanceof Error ? error.message : '', false);
    }
  }

  private makeGrid(): Grid<TraceSummary> {
    return new Grid<TraceSummary>({
      label: text('page.control.traces'),
      key: (row) => row.traceId,
      empty: text('page.control.traces.none'),
      onOpen: (row) => void this.open(row.traceId),
      columns: [
        {
          id: 'start',
          title: text('page.control.traces.start'),
          width: '106px',
          by: (row) => row.start,
          draw: (cell, row) => plain(cell, fineTime(row.start), 'quiet'),
        },
        {
          id: 'name',
          title: text('page.control.traces.name'),
          width: 'minmax(100px, 1fr)',
          by: (row) => row.name,
          draw: (cell, row) => plain(cell, row.name, 'strong'),
        },
        {
          id: 'app',
          title: text('page.control.apps.app'),
          width: 'minmax(90px, 0.6fr)',
          from: 560,
          by: (row) => row.app,
          draw: (cell, row) => plain(cell, row.app),
        },
        {
          id: 'error',
          title: text('page.control.traces.error'),
          width: '110px',
          from: 640,
          by: (row) => row.error ?? '',
          draw: (cell, row) => plain(cell, row.error ?? '', 'failed'),
        },
        {
          id: 'spans',
          title: text('page.control.traces.spans'),
          width: '70px',
          isEnd: true,
          from: 480,
          by: (row) => row.spans,
          draw: (cell, row) => plain(cell, number(row.spans)),
        },
        {
          id: 'duration',
          title: text('page.control.traces.duration'),
          width: '90px',
          isEnd: true,
          by: (row) => row.duration,
          draw: (cell, row) => plain(cell, latency(row.duration / 1000)),
        },
      ],
    });
  }
}

function filterOf(search: string): Filter {
  const at = search.indexOf(':');
  const [kind, value] = at < 0 ? ['', search] : [search.slice(0, at), search.slice(at + 1).trim()];
  if (TRACE_ID.test(value)) return { traceId: value };
  if (value === '') return {};
  if (kind === 'app') return { app: value };
  if (kind === 'correlation') return { correlationId: value };
  return { topic: value };
}

/** Every span on one line of time, below the span that led to it. */
function waterfall(trace: TraceResult): HTMLElement {
  const total = Math.max(trace.duration, 1e-6);
  const detail = h('div', { class: 'span-detail' });
  const rows = h('ol', { class: 'spans' });
  const show = (span: TraceSpan, row: Element): void => {
    for (const each of rows.children) each.firstElementChild?.removeAttribute('aria-pressed');
    row.setAttribute('aria-pressed', 'true');
    const attributes = Object.entries(span.attributes ?? {}).map(
      ([name, value]) => [name, String(value)] as const,
    );
    fill(
      detail,
      h('h3', { class: 'section' }, span.name),
      facts([
        [text('page.control.traces.start'), `+${latency(span.start / 1000)}`],
        [text('page.control.traces.duration'), latency(span.duration / 1000)],
        [text('page.control.traces.kind'), span.kind],
        ...(span.error ? [[text('page.control.traces.error'), span.error] as const] : []),
        ...attributes,
      ]),
    );
  };
  for (const { span, depth } of inOrder(trace.spans)) {
    const bar = h('i', { class: `span-bar fill ${span.error ? 'c5' : colourOf(appOf(span))}` });
    bar.style.left = `${((100 * span.start) / total).toFixed(3)}%`;
    bar.style.width = `${Math.max(0.4, (100 * span.duration) / total).toFixed(3)}%`;
    const row = h(
      'button',
      { type: 'button', class: 'span-row', title: span.name },
      h('span', { class: 'span-name' }, span.name),
      h('span', { class: 'span-track' }, bar),
      h('span', { class: 'span-time' }, latency(span.duration / 1000)),
    );
    row.style.setProperty('--depth', String(depth));
    row.addEventListener('click', () => show(span, row));
    add(rows, h('li', {}, row));
  }
  const [first] = trace.spans;
  const firstRow = rows.querySelector('.span-row');
  if (first && firstRow) show(first, firstRow);
  return h(
    'div',
    { class: 'waterfall' },
    h(
      'div',
      { class: 'span-scale', 'aria-hidden': 'true' },
      ...TICKS.map((tick) => h('span', {}, latency((total * tick) / 1000))),
    ),
    rows,
    (trace.leftOut ?? 0) > 0 &&
      h(
        'p',
        { class: 'hint' },
        text('page.control.traces.left-out', { count: trace.leftOut ?? 0 }),
      ),
    detail,
  );
}

interface SpanRow {
  span: TraceSpan;
  depth: number;
}

function inOrder(spans: readonly TraceSpan[]): SpanRow[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const below = (parent: string | undefined, depth: number): SpanRow[] =>
    spans
      .filter((each) => (parent === undefined ? !ids.has(each.parentId) : each.parentId === parent))
      .flatMap((span) => [{ span, depth }, ...below(span.spanId, depth + 1)]);
  return below(undefined, 0);
}

function appOf(span: TraceSpan): string {
  const app = span.attributes?.['deskbus.app'];
  return typeof app === 'string' ? app : span.kind;
}
