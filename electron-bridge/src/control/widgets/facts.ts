import { h } from '../dom';

/** A label, and what holds of it. */
export type Fact = readonly [string, string];

export function facts(rows: readonly Fact[]): HTMLElement {
  return h(
    'dl',
    { class: 'facts' },
    ...rows.map(([label, value]) =>
      h('div', {}, h('dt', {}, label), h('dd', { title: value }, value)),
    ),
  );
}
