import type { TraceSummary } from '../../../generated/protocol';
import { add, h } from '../../dom';
import { fineTime, latency, number } from '../../format';
import { button } from '../../widgets/button';
import { column, figures } from '../../widgets/columns';
import type { Column } from '../../widgets/grid';
import { text } from '../../../renderer/language';
import type { Context } from '../page';
import { TablePage } from '../table-page';
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
export class Traces extends TablePage<TraceSummary> {
  private readonly slower: HTMLSelectElement;
  private readonly errors: HTMLInputElement;
  private opens = '';

  constructor(context: Context) {
    const slower = h('select', { 'aria-label': text('page.control.traces.slower') });
    for (const [label, value] of SLOWER) add(slower, h('option', { value }, text(label)));
    const errors = h('input', { type: 'checkbox' });
    const label = h('span', {}, text('page.control.traces.errors'));
    super(
      context,
      text('page.control.traces.search'),
      LOOK_MS,
      {
        label: text('page.control.traces'),
        key: (row) => row.traceId,
        empty: text('page.control.traces.none'),
        onOpen: (row) => void this.open(row.traceId),
        columns: columns(),
      },
      [slower, h('label', { class: 'switch' }, errors, label)],
    );
    this.slower = slower;
    this.errors = errors;
    this.drawer.element.classList.add('wide');
    for (const control of [slower, errors]) {
      control.addEventListener('change', () => this.poll.now());
    }
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

  protected async look(): Promise<string> {
    const minDuration = Number(this.slower.value);
    const { enabled, traces } = await this.context.api.call('traces.query', {
      ...filterOf(this.field.words),
      ...(minDuration > 0 ? { minDuration } : {}),
      ...(this.errors.checked ? { error: true } : {}),
      limit: SHOWN_TRACES,
    });
    this.grid.draw(traces, this.field.words !== '' || minDuration > 0 || this.errors.checked);
    const [first] = traces;
    if (this.opens !== '') {
      this.opens = '';
      if (first) await this.open(first.traceId);
      else this.context.tell(text('page.control.traces.gone'), false);
    }
    return enabled
      ? text('page.control.traces.count', { count: traces.length })
      : text('page.control.traces.off');
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
}

function columns(): Column<TraceSummary>[] {
  return [
    column('start', text('page.control.traces.start'), '106px', (row) => row.start, {
      say: (row) => fineTime(row.start),
      kind: 'quiet',
    }),
    column('name', text('page.control.traces.name'), 'minmax(100px, 1fr)', (row) => row.name, {
      kind: 'strong',
    }),
    column('app', text('page.control.apps.app'), 'minmax(90px, 0.6fr)', (row) => row.app, {
      from: 560,
    }),
    column('error', text('page.control.traces.error'), '110px', (row) => row.error ?? '', {
      kind: 'failed',
      from: 640,
    }),
    figures('spans', text('page.control.traces.spans'), '70px', (row) => row.spans, {
      say: (row) => number(row.spans),
      from: 480,
    }),
    figures('duration', text('page.control.traces.duration'), '90px', (row) => row.duration, {
      say: (row) => latency(row.duration / 1000),
    }),
  ];
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
