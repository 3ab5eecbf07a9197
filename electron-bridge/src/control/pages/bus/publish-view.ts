import { h, setText } from '../../dom';
import { icon } from '../../icons';
import { text } from '../../../renderer/language';
import type { Context } from '../page';
import type { View } from './view';

const EXAMPLE = '{\n  "test": true\n}';

/** The form for a test message. */
export class PublishView implements View {
  readonly element: HTMLElement;
  private readonly topic = h('input', {
    type: 'text',
    required: true,
    maxlength: '256',
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: 'prices.TEST',
  });
  private readonly payload = h('textarea', {
    rows: '9',
    spellcheck: 'false',
    class: 'mono code-field',
  });
  private readonly headers = h('textarea', {
    rows: '3',
    spellcheck: 'false',
    class: 'mono code-field',
    placeholder: 'name: value',
  });
  private readonly problem = h('p', { class: 'problem', role: 'alert' });

  constructor(
    private readonly context: Context,
    private readonly openTopic: (topic: string) => void,
  ) {
    this.payload.value = EXAMPLE;
    const form = h(
      'form',
      { class: 'publisher' },
      h('h2', {}, text('page.control.bus.publish')),
      h('p', { class: 'quiet' }, text('page.control.bus.publish-text')),
      field('page.control.bus.topic', this.topic),
      field('page.control.bus.payload-json', this.payload),
      field('page.control.bus.headers-lines', this.headers),
      this.problem,
      h(
        'div',
        { class: 'buttons' },
        h(
          'button',
          { type: 'submit', class: 'primary' },
          icon('send'),
          text('page.control.bus.send'),
        ),
      ),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.send();
    });
    this.element = h('div', { class: 'card view padded' }, form);
  }

  look(): Promise<string> {
    return Promise.resolve('');
  }

  select(): void {
    // Nothing in a form is marked.
  }

  close(): void {
    // It holds nothing.
  }

  private async send(): Promise<void> {
    const topic = this.topic.value;
    let payload: unknown;
    try {
      payload = JSON.parse(this.payload.value);
    } catch (error) {
      const reason = error instanceof Error ? error.message : '';
      setText(this.problem, text('page.control.bus.bad-json', { reason }));
      this.payload.focus();
      return;
    }
    setText(this.problem, '');
    const headers = headersOf(this.headers.value);
    const params = () => ({
      topic,
      payload,
      ...(Object.keys(headers).length > 0 ? { headers } : {}),
    });
    const done = text('page.control.bus.sent-to', { topic });
    if (await this.context.act('control.publish', params, done)) this.openTopic(topic);
  }
}

function field(label: string, element: HTMLElement): HTMLElement {
  return h('label', { class: 'field' }, h('span', {}, text(label)), element);
}

function headersOf(lines: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of lines.split('\n')) {
    const at = line.indexOf(':');
    if (at > 0) found[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  return found;
}
