import type { TraceSummary } from '../../../generated/protocol';
import { Poll } from '../../backend/poll';
import { add, h, setText } from '../../dom';
import { fineTime, latency, number } from '../../format';
import { button } from '../../widgets/button';
import { plain } from '../../widgets/cells';
import { Drawer } from '../../widgets/drawer';
import { Grid } from '../../widgets/grid';
import { SearchField } from '../../widgets/search-field';
import { text } from '../../../renderer/language';
import type { Context, Page } from '../page';
import { pageFrame, soleTable } from '../page-frame';
import { waterfall } from './waterfall';

const LOOK_MS = 2000;
const SHOWN_TRACES = 400;
const TRACE_ID = /^[0-9a-f]{32}$/;
const CONVERSATION = 'messaging.message.conversation_id';
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
  private readonly field = new SearchField(text('page.control.traces.search'), () =>
    this.poll.now(),
  );
  private readonly slower = h('select', { 'aria-label': text('page.control.traces.slower') });
  private readonly errors = h('input', { type: 'checkbox' });
  private readonly about = h('span', { class: 'quiet about' });
  private readonly grid: Grid<TraceSummary>;
  private readonly drawer = new Drawer(() => this.grid.select(''));
  private readonly poll = new Poll(LOOK_MS, () => this.look());
  private opens = '';

  constructor(private readonly context: Context) {
    this.grid = this.makeGrid();
    this.drawer.element.classList.add('wide');
    for (const [label, value] of SLOWER) add(this.slower, h('option', { value }, text(label)));
    for (const control of [this.slower, this.errors]) {
      control.addEventListener('change', () => this.poll.now());
    }
    const isError = h(
      'label',
      { class: 'switch' },
      this.errors,
      h('span', {}, text('page.control.traces.errors')),
    );
    this.element = pageFrame(
      [this.field.element, this.slower, isError, this.about],
      soleTable(this.grid.element),
      this.drawer,
      'flowing',
    );
    this.poll.start();
  }

  /** Searches, for instance for `topic:prices.EURUSD` or `id:` and the id of a trace. */
  show(what: string): void {
    if (what !== '') {
      this.field.words = what.startsWith('id:') ? what.slice(3) : what;
      this.slower.value = '0';
      this.errors.checked = false;
      // The one trace that is asked for is opened at once.
      this.opens = what.startsWith('id:') || what.startsWith('correlation:') ? what : '';
    }
    this.poll.now();
  }

  search(): void {
    this.field.focus();
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
        ...filterOf(this.field.words),
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
      const audit = button(
        text('page.control.traces.audit'),
        () => this.context.show('audit', `correlation:${conversation ?? ''}`),
        { sign: 'audit' },
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
