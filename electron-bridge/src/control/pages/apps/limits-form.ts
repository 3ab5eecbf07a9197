import type { Limits } from '../../../generated/protocol';
import { h } from '../../dom';
import { button } from '../../widgets/button';
import { text } from '../../../renderer/language';

const LIMITS: readonly [keyof Limits, string, string][] = [
  ['memory_mb', 'page.control.limit.memory', 'MB'],
  ['cpu_percent', 'page.control.limit.cpu', '%'],
  ['processes', 'page.control.limit.processes', ''],
  ['open_files', 'page.control.limit.files', ''],
  ['messages_per_s', 'page.control.limit.messages', '/s'],
  ['bus_kb_per_s', 'page.control.limit.bus', 'kB/s'],
  ['log_kb_per_s', 'page.control.limit.log', 'kB/s'],
  ['strikes', 'page.control.limit.strikes', ''],
];

/** The limits of an app as they are, to be changed; `save` is given those that a person filled in. */
export class LimitsForm {
  readonly element: HTMLElement;
  private readonly fields: { key: keyof Limits; field: HTMLInputElement }[] = [];

  constructor(limits: Limits, save: (limits: Limits) => void, cancel: () => void) {
    const labels = LIMITS.map(([key, label, unit]) => {
      const field = h('input', { type: 'number', min: '1', step: 'any', name: key });
      const value = limits[key];
      field.value = value === undefined ? '' : String(value);
      field.placeholder = text('page.control.limit.none');
      this.fields.push({ key, field });
      const words = unit === '' ? text(label) : `${text(label)} (${unit})`;
      return h('label', { class: 'field' }, h('span', {}, words), field);
    });
    const form = h(
      'form',
      { class: 'limits-form' },
      h('p', { class: 'quiet' }, text('page.control.apps.limits-text')),
      h('div', { class: 'fields' }, ...labels),
      h(
        'div',
        { class: 'buttons' },
        button(text('page.control.cancel'), cancel),
        h('button', { type: 'submit', class: 'primary' }, text('page.control.apps.limits-save')),
      ),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      save(this.limits);
    });
    this.element = form;
  }

  focus(): void {
    this.fields[0]?.field.focus();
  }

  private get limits(): Limits {
    const filled = this.fields.filter(({ field }) => field.value !== '');
    return Object.fromEntries(filled.map(({ key, field }) => [key, Number(field.value)]));
  }
}
