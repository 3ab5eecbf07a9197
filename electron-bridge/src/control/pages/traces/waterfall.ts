import type { TraceResult, TraceSpan } from '../../../generated/protocol';
import { colourOf } from '../../charts/colours';
import { add, fill, h } from '../../dom';
import { latency } from '../../format';
import { asTree } from '../../tree';
import { facts } from '../../widgets/facts';
import { text } from '../../../renderer/language';

const TICKS = [0, 0.25, 0.5, 0.75, 1];

/** Every span on one line of time, below the span that led to it. */
export function waterfall(trace: TraceResult): HTMLElement {
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
  const spans = asTree(
    trace.spans,
    ({ spanId }) => spanId,
    ({ parentId }) => parentId,
  );
  for (const { item: span, depth } of spans) {
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

function appOf(span: TraceSpan): string {
  const app = span.attributes?.['deskbus.app'];
  return typeof app === 'string' ? app : span.kind;
}
